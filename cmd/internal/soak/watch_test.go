package soak

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// watcher tells of what happens in folders, while it happens: by inotify(7).
type watcher struct {
	file   *os.File
	events chan event
	places map[int32]string // by watch descriptor
	mu     sync.Mutex       // guards places
}

// event is one thing that happened to a name in a folder.
type event struct{ place, what, name string }

var kinds = []struct {
	mask uint32
	what string
}{
	{unix.IN_CREATE, "create"},
	{unix.IN_MODIFY, "write"},
	{unix.IN_MOVED_TO, "rename"},
	{unix.IN_DELETE, "delete"},
}

const allKinds = unix.IN_CREATE | unix.IN_MODIFY | unix.IN_MOVED_TO | unix.IN_DELETE

// watch begins to watch. Folders that are made in the named ones are watched as
// "within" them: by then something may have happened there.
func watch(t *testing.T, places map[string]string) *watcher {
	t.Helper()
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		t.Fatal(err)
	}
	w := &watcher{file: os.NewFile(uintptr(fd), "inotify"), events: make(chan event, 4096), places: map[int32]string{}}
	for place, path := range places {
		w.add(place, path)
	}
	var reading sync.WaitGroup
	reading.Go(func() { w.read(places) })
	t.Cleanup(func() {
		w.file.Close()
		reading.Wait()
	})
	return w
}

func (w *watcher) add(place, path string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	wd, err := unix.InotifyAddWatch(int(w.file.Fd()), path, allKinds)
	if err == nil { // else it has gone already
		w.places[int32(wd)] = place
	}
}

func (w *watcher) read(places map[string]string) {
	buffer := make([]byte, 64<<10)
	for {
		n, err := w.file.Read(buffer)
		if err != nil {
			close(w.events)
			return
		}
		for rest := buffer[:n]; len(rest) >= unix.SizeofInotifyEvent; {
			wd, mask := int32(binary.NativeEndian.Uint32(rest)), binary.NativeEndian.Uint32(rest[4:])
			end := unix.SizeofInotifyEvent + binary.NativeEndian.Uint32(rest[12:])
			name := string(bytes.TrimRight(rest[unix.SizeofInotifyEvent:end], "\x00"))
			rest = rest[end:]
			w.mu.Lock()
			place := w.places[wd]
			w.mu.Unlock()
			if path, ok := places[place]; ok && mask&unix.IN_ISDIR != 0 && mask&unix.IN_CREATE != 0 {
				w.add(place+"/"+filepath.Ext(name), filepath.Join(path, name))
			}
			w.tell(place, mask, name)
		}
	}
}

// tell drops what nobody takes: nobody aims then.
func (w *watcher) tell(place string, mask uint32, name string) {
	for _, k := range kinds {
		if mask&k.mask != 0 {
			select {
			case w.events <- event{place, k.what, name}:
			default:
			}
		}
	}
}

// forget drops what has happened up to now.
func (w *watcher) forget() {
	for {
		select {
		case <-w.events:
		default:
			return
		}
	}
}

// is says whether an event is the one that is meant: the end of its name counts.
func (e event) is(meant event) bool {
	return e.place == meant.place && e.what == meant.what && strings.HasSuffix(e.name, meant.name)
}
