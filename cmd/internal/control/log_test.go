package control

import (
	"errors"
	"fmt"
	"slices"
	"testing"
)

// lines is a log of so many.
type lines int

func (l lines) Last(n int) (last []string, before int) {
	if n <= 0 || n > int(l) {
		n = int(l)
	}
	for i := int(l) - n; i < int(l); i++ {
		last = append(last, fmt.Sprint("line ", i))
	}
	return last, int(l) - n
}

func TestLog(t *testing.T) {
	path, _ := serve(t, Server{Daemon: &fake{}, Lines: lines(5)})
	client := NewClient(path)
	defer client.Close()
	got, err := client.Log(t.Context(), 2)
	if err != nil || got.SchemaVersion != SchemaVersion || got.Before != 3 || !slices.Equal(got.Lines, []string{"line 3", "line 4"}) {
		t.Errorf("two lines: %+v, %v", got, err)
	}
	if got, err = client.Log(t.Context(), 0); err != nil || len(got.Lines) != 5 || got.Before != 0 {
		t.Errorf("all lines: %+v, %v", got, err)
	}
}

func TestLogWithout(t *testing.T) {
	path, _ := serve(t, Server{Daemon: &fake{}})
	client := NewClient(path)
	defer client.Close()
	if _, err := client.Log(t.Context(), 0); !errors.As(err, new(*Problem)) {
		t.Errorf("got %v, want a Problem", err)
	}
}
