package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/bril-edge/bril/cmd/internal/control"
	"github.com/bril-edge/bril/cmd/internal/showroom/media"
)

// configured writes a configuration and returns the arguments that name it.
func configured(t *testing.T, yaml string) []string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "bril.yaml")
	if err := os.WriteFile(path, []byte(yaml), 0o600); err != nil {
		t.Fatal(err)
	}
	return []string{"--config", path}
}

// bril runs a command against the daemon, and reads the JSON that it prints.
func (a *agent) bril(into any, command ...string) {
	a.t.Helper()
	args := append(command, "--json", "--control", a.socket)
	if err := json.Unmarshal(run(a.t, nil, binaries.bril, args...), into); err != nil {
		a.t.Fatalf("bril %q: %v", command, err)
	}
}

func (a *agent) photo(flags ...string) control.Photo {
	a.t.Helper()
	var p control.Photo
	a.bril(&p, append([]string{"photo"}, flags...)...)
	return p
}

func (a *agent) clip(action string) control.Clip {
	a.t.Helper()
	var c control.Clip
	a.bril(&c, "clip", action)
	return c
}

// capture waits until so much more has been captured.
func (a *agent) capture(pictures uint64) {
	a.t.Helper()
	from := a.status().Video.Captured
	a.wait("captured", func(s control.Status) bool { return s.Video.Captured >= from+pictures })
}

// path is where the endpoint keeps the file.
func (e *endpoint) path(name string, item media.Listed) string {
	return filepath.Join(e.data, "sessions", name, filepath.Base(item.URL))
}

// items returns what is stored for a conversation, by id.
func (e *endpoint) items(name string) map[string]media.Listed {
	e.t.Helper()
	var list struct{ Items []media.Listed }
	if err := json.Unmarshal(get(e.t, e.url("/api/sessions/"+name+"/media")), &list); err != nil {
		e.t.Fatal(err)
	}
	items := map[string]media.Listed{}
	for _, item := range list.Items {
		items[item.ID] = item
	}
	if len(items) != len(list.Items) {
		e.t.Errorf("an item is there twice: %v", list.Items)
	}
	return items
}

// delivered returns what is stored once the agent has nothing more to send.
func (a *agent) delivered(e *endpoint, name string, want ...string) map[string]media.Listed {
	a.t.Helper()
	a.wait("all sent", func(s control.Status) bool { return s.Spool.Items == 0 && s.Recording.Clip == "" })
	items := e.items(name)
	for _, id := range want {
		if _, there := items[id]; !there {
			a.t.Errorf("%s has not arrived", id)
		}
	}
	if len(items) != len(want) {
		a.t.Errorf("%d items have arrived, want %d", len(items), len(want))
	}
	return items
}
