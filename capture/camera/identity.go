package camera

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/bril-edge/bril/hardware/monotonic"
	"github.com/bril-edge/bril/hardware/v4l2"
)

// grace is how long "auto" waits for the camera that it used before it takes
// another: a cable is back by then, and another camera shows something else.
const grace = 5 * time.Second

// Memory remembers which camera was used, so that it is found again when it comes
// back under another number. The zero value remembers none. It is for the Config
// of one source, and may be used by several goroutines.
type Memory struct {
	mu     sync.Mutex
	device string        // what Config.Device was
	used   *identity     // nil: none yet
	missed time.Duration // since when it is not found, on CLOCK_MONOTONIC; 0: it was there
}

// identity tells a camera from others, whatever number its node has.
type identity struct {
	id, path string // its names below /dev/v4l/by-id and by-path; "" where udev made none
	bus      string // where it is attached, as its driver says
	card     string
	index    string // of several nodes of one device
}

// same compares by the names that tell most: those by-id hold the maker, the
// model and often a serial number, so they hold in any socket; by-path and bus
// are the socket.
func (a identity) same(b identity) bool {
	switch {
	case a.id != "" && b.id != "":
		return a.id == b.id
	case a.path != "" && b.path != "":
		return a.path == b.path && a.card == b.card
	}
	return a.bus == b.bus && a.card == b.card && a.index == b.index
}

// String names the camera for people.
func (a identity) String() string {
	for _, name := range []string{a.id, a.path} {
		if name != "" {
			return fmt.Sprintf("%s (%s)", a.card, name)
		}
	}
	return fmt.Sprintf("%s (%s)", a.card, a.bus)
}

func (s system) identity(path string, c v4l2.Capability) identity {
	index, _ := os.ReadFile(filepath.Join(s.class, filepath.Base(path), "index")) // not every kernel has it
	return identity{
		id: linkTo(filepath.Join(s.links, "by-id"), path), path: linkTo(filepath.Join(s.links, "by-path"), path),
		bus: c.BusInfo(), card: c.Card(), index: strings.TrimSpace(string(index)),
	}
}

// linkTo returns the name of the link in dir that leads to path; "" for none.
func linkTo(dir, path string) string {
	entries, _ := os.ReadDir(dir) // there is none without udev
	for _, e := range entries {
		if target, err := filepath.EvalSymlinks(filepath.Join(dir, e.Name())); err == nil && target == path {
			return e.Name()
		}
	}
	return ""
}

// isNumbered says that path is the kernel's own name of a node, whose number says
// nothing of the camera. Links are followed as they lead.
func (s system) isNumbered(path string) bool {
	numbered, err := filepath.Match(s.nodes, path)
	return err == nil && numbered
}

// locate returns the node of the camera to open: the one that was used before,
// or the one that cfg asks for.
func (s system) locate(cfg Config) (string, error) {
	auto := cfg.Device == "" || cfg.Device == "auto"
	if m := cfg.Memory; m != nil && (auto || s.isNumbered(cfg.Device)) {
		if path, err := m.find(s, cfg.Device); path != "" || err != nil {
			return path, err
		}
	}
	if auto {
		return s.find(cfg)
	}
	return cfg.Device, nil
}

// find returns where the camera is that was used before; "" when any will do.
func (m *Memory) find(s system, device string) (string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.used == nil || m.device != device {
		return "", nil
	}
	if path := s.nodeOf(*m.used); path != "" {
		m.missed = 0
		return path, nil
	}
	now := monotonic.Now()
	if m.missed == 0 {
		m.missed = now
	}
	named := s.isNumbered(device)
	if !named && now-m.missed >= grace {
		return "", nil
	}
	err := fmt.Errorf("find camera %v: %w", *m.used, ErrGone)
	if named {
		return "", hinted{err, "plug it in again; bril devices lists the cameras that are connected"}
	}
	return "", hinted{err, fmt.Sprintf("plug it in again; after %v another one is taken", grace)}
}

// nodeOf returns the node of a camera that is there; "" when it is not.
func (s system) nodeOf(wanted identity) string {
	paths, _ := filepath.Glob(s.nodes) // the pattern is well-formed
	for _, path := range paths {
		if got, err := s.identify(path); err == nil && got.same(wanted) {
			return path
		}
	}
	return ""
}

// identify fails unless a camera is at path.
func (s system) identify(path string) (identity, error) {
	node, err := v4l2.OpenOn(s.kernel, path)
	if err != nil {
		return identity{}, err
	}
	capability, err := s.capability(node)
	err = errors.Join(err, node.Close())
	return s.identity(path, capability), err
}

// remember keeps which camera was opened for device, and returns whether it was
// that one before.
func (m *Memory) remember(device string, used identity) (known bool) {
	if m == nil {
		return false
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	known = m.used != nil && m.device == device && m.used.same(used)
	m.device, m.used, m.missed = device, &used, 0
	return known
}
