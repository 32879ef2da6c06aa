package agent

import (
	"errors"
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
