package cli

import (
	"errors"
	"log/slog"
	"testing"
)

// A file that is wrong when an agent is made anew is no reason to end; one that is wrong
// at the start is.
func TestLayersOutliveTheirFile(t *testing.T) {
	wrong := errors.New("bril.yaml:3: unknown key")
	started, edited := &layers{}, &layers{}
	d := daemon{log: slog.New(slog.DiscardHandler), first: started}
	for i, step := range []struct {
		read *layers
		err  error
		want *layers
	}{
		{nil, errors.New("it was read already"), started},
		{nil, wrong, started},
		{edited, nil, edited},
		{nil, wrong, edited},
	} {
		d.read = func() (*layers, error) { return step.read, step.err }
		if l, err := d.layers(); err != nil || l != step.want {
			t.Errorf("step %d: %p, %v", i, l, err)
		}
	}
	d = daemon{log: slog.New(slog.DiscardHandler), read: func() (*layers, error) { return nil, wrong }}
	if _, err := d.layers(); !errors.Is(err, wrong) {
		t.Errorf("no file was ever good: %v", err)
	}
}
