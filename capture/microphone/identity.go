package microphone

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/bril-edge/bril/hardware/alsa"
	"github.com/bril-edge/bril/hardware/monotonic"
)

// grace is how long "auto" waits for the microphone that it used before it takes
// another.
const grace = 5 * time.Second

// Memory remembers which microphone was used, so that it is found again when its
// card comes back under another number. The zero value remembers none. It is for
// the Config of one source, and may be used by several goroutines.
type Memory struct {
	mu     sync.Mutex
	device string // what Config.Device was
	name   string // that was opened for it
	used   *card  // nil: none yet, or none that is known
	missed time.Duration
}

// card is a sound card, and which of its devices records.
type card struct {
	number int // as of now; it goes to whoever comes first
	device int

	id    string // the kernel's name of it, of its model and unique
	port  string // where it is attached, in sysfs
	model string // of a USB device, as 046d:0825; else ""
}

// system is where this package looks for cards; tests put others there.
type system struct{ nodes, class, proc, descriptors string }

func machine() system {
	return system{nodes: "/dev/snd", class: "/sys/class/sound", proc: "/proc/asound", descriptors: "/proc/self/fd"}
}

// card describes the card with this number; false when there is none.
func (s system) card(number, device int) (card, bool) {
	name := "card" + strconv.Itoa(number)
	id, err := os.ReadFile(filepath.Join(s.class, name, "id"))
	if err != nil {
		return card{}, false
	}
	c := card{number: number, device: device, id: strings.TrimSpace(string(id))}
	c.port, _ = filepath.EvalSymlinks(filepath.Join(s.class, name, "device")) // a virtual card has none
	model, _ := os.ReadFile(filepath.Join(s.proc, name, "usbid"))             // USB devices only
	c.model = strings.TrimSpace(string(model))
	return c, true
}

// again returns the card where it is now: in its own socket, or else in another,
// where the kernel's name of it is the same.
func (s system) again(wanted card) (found card, ok bool) {
	paths, _ := filepath.Glob(filepath.Join(s.class, "card*")) // the pattern is well-formed
	for _, path := range paths {
		number, err := strconv.Atoi(strings.TrimPrefix(filepath.Base(path), "card"))
		if err != nil {
			continue
		}
		c, there := s.card(number, wanted.device)
		if !there || c.model != wanted.model || !s.records(c) {
			continue
		}
		switch {
		case c.port == wanted.port && (c.model != "" || c.id == wanted.id):
			return c, true
		case c.id == wanted.id:
			found, ok = c, true
		}
	}
	return found, ok
}

// records says that the card's device can be opened: a card comes in parts, and
// its control, which ALSA opens first, is the last (SNDRV_DEV_CONTROL in
// include/sound/core.h).
func (s system) records(c card) bool {
	for _, node := range []string{fmt.Sprintf("pcmC%dD%dc", c.number, c.device), fmt.Sprintf("controlC%d", c.number)} {
		if _, err := os.Stat(filepath.Join(s.nodes, node)); err != nil {
			return false
		}
	}
	return true
}

// numbered is an ALSA name that holds a card's number; in others ALSA finds the
// card by its name.
var numbered = regexp.MustCompile(`^((?:plug)?hw:)(\d+)(?:,(\d+))?(,\d+)?$`)

// cardOf returns the card that name stands for, once that has been opened.
func (s system) cardOf(name string) (card, bool) {
	if parts := numbered.FindStringSubmatch(name); parts != nil {
		number, err := strconv.Atoi(parts[2])
		device, _ := strconv.Atoi(parts[3]) // ALSA's default is 0
		if err != nil {
			return card{}, false
		}
		return s.card(number, device)
	}
	// What ALSA's default is, its configuration files say; what it has opened tells.
	links, _ := filepath.Glob(filepath.Join(s.descriptors, "*")) // the pattern is well-formed
	for _, link := range links {
		var number, device int
		target, err := os.Readlink(link)
		if err != nil {
			continue
		}
		if n, _ := fmt.Sscanf(filepath.Base(target), "pcmC%dD%dc", &number, &device); n == 2 && filepath.Dir(target) == s.nodes {
			return s.card(number, device)
		}
	}
	return card{}, false
}

// renamed returns name for a card of another number.
func renamed(name string, c card) string {
	if parts := numbered.FindStringSubmatch(name); parts != nil {
		return fmt.Sprintf("%s%d,%d%s", parts[1], c.number, c.device, parts[4])
	}
	return fmt.Sprintf("hw:%d,%d", c.number, c.device)
}

// names returns what to open, in order: the microphone that was used before, or
// what cfg asks for.
func (s system) names(cfg Config) ([]string, error) {
	auto := cfg.Device == "" || cfg.Device == "auto"
	if m := cfg.Memory; m != nil && (auto || numbered.MatchString(cfg.Device)) {
		if name, err := m.find(s, cfg.Device, auto); name != "" || err != nil {
			return []string{name}, err
		}
	}
	if !auto {
		return []string{cfg.Device}, nil
	}
	names := alsa.Names(s.nodes, alsa.Recording)
	if len(names) == 0 {
		return nil, hinted{fmt.Errorf("open microphone: %w: no sound device that records", ErrNoMicrophone),
			"connect one, or choose --microphone tone or none"}
	}
	return names, nil
}

// find returns the name of the microphone that was used before; "" when any will
// do.
func (m *Memory) find(s system, device string, auto bool) (string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.used == nil || m.device != device {
		return "", nil
	}
	if c, ok := s.again(*m.used); ok {
		m.missed = 0
		if c.number == m.used.number {
			return m.name, nil
		}
		return renamed(m.name, c), nil
	}
	now := monotonic.Now()
	if m.missed == 0 {
		m.missed = now
	}
	if auto && now-m.missed >= grace {
		return "", nil
	}
	hint := "plug it in again; bril devices lists the microphones that are connected"
	if auto {
		hint = fmt.Sprintf("plug it in again; after %v another one is taken", grace)
	}
	return "", hinted{fmt.Errorf("find microphone %s (%s): %w", m.used.id, m.name, alsa.ErrGone), hint}
}

// remember keeps which microphone was opened for device.
func (m *Memory) remember(s system, device, name string) {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.device, m.name, m.used, m.missed = device, name, nil, 0
	if c, ok := s.cardOf(name); ok {
		m.used = &c
	}
}
