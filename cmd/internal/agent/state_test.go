package agent

import (
	"errors"
	"log/slog"
	"path/filepath"
	"testing"
)

func TestStateBelongsToOne(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	first, err := openState(dir)
	if err != nil {
		t.Fatal(err)
	}
	_, err = openState(dir)
	var advice interface{ Hint() string }
	if !errors.Is(err, ErrStateInUse) || !errors.As(err, &advice) || advice.Hint() == "" {
		t.Errorf("a second one: %v", err)
	}
	first.close()
	again, err := openState(dir)
	if err != nil {
		t.Fatalf("after the first: %v", err)
	}
	again.close()
}

// TestSpoolBelongsToOne: two agents that have their own state and share a spool.
func TestSpoolBelongsToOne(t *testing.T) {
	cfg := quiet("http://127.0.0.1:1/whip/demo")
	cfg.Spool.Dir = filepath.Join(t.TempDir(), "made", "spool")
	open := func() (*Agent, error) {
		return New(cfg, Options{StateDir: t.TempDir(), Log: slog.New(slog.DiscardHandler)})
	}
	for _, when := range []string{"that the first has made", "that was there"} {
		first, err := open()
		if err != nil {
			t.Fatalf("%s: %v", when, err)
		}
		_, err = open()
		var advice interface{ Hint() string }
		if !errors.Is(err, errSpoolInUse) || !errors.As(err, &advice) || advice.Hint() == "" {
			t.Errorf("a second one, on a folder %s: %v", when, err)
		}
		if err := first.Close(); err != nil {
			t.Error(err)
		}
	}
}
