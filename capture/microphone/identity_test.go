package microphone

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bril-edge/bril/hardware/alsa"
)

// sound is a machine whose cards the tests plug and unplug.
type sound struct {
	system
	t *testing.T
}

// glasses are a card as a machine sees it.
type glasses struct{ id, port, model string }

var (
	mine  = glasses{"Glasses", "usb1-1", "0042:0001"}
	other = glasses{"Webcam", "usb1-2", "0007:0001"}
)

func newSound(t *testing.T) *sound {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	s := &sound{t: t}
	for name, path := range map[string]*string{"snd": &s.nodes, "class": &s.class, "proc": &s.proc, "fd": &s.descriptors, "ports": new(string)} {
		*path = filepath.Join(dir, name)
		if err := os.Mkdir(*path, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// plug makes a card appear that records on its device 0.
func (s *sound) plug(number int, g glasses) {
	s.t.Helper()
	name := fmt.Sprintf("card%d", number)
	port := filepath.Join(filepath.Dir(s.class), "ports", g.port)
	for _, dir := range []string{filepath.Join(s.class, name), filepath.Join(s.proc, name), port} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			s.t.Fatal(err)
		}
	}
	if err := os.Symlink(port, filepath.Join(s.class, name, "device")); err != nil {
		s.t.Fatal(err)
	}
	s.write(filepath.Join(s.class, name, "id"), g.id+"\n")
	if g.model != "" {
		s.write(filepath.Join(s.proc, name, "usbid"), g.model+"\n")
	}
	s.write(filepath.Join(s.nodes, fmt.Sprintf("pcmC%dD0c", number)), "")
	s.write(filepath.Join(s.nodes, fmt.Sprintf("controlC%d", number)), "")
}

func (s *sound) write(path, text string) {
	s.t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

func (s *sound) unplug(number int) {
	s.t.Helper()
	for _, path := range []string{
		filepath.Join(s.class, fmt.Sprintf("card%d", number)), filepath.Join(s.proc, fmt.Sprintf("card%d", number)),
		filepath.Join(s.nodes, fmt.Sprintf("pcmC%dD0c", number)), filepath.Join(s.nodes, fmt.Sprintf("controlC%d", number)),
	} {
		if err := os.RemoveAll(path); err != nil {
			s.t.Fatal(err)
		}
	}
}

// A card that comes back is found under whatever number it has then, and no other
// is taken for it.
func TestFoundAgain(t *testing.T) {
	plain := func(g glasses) glasses { return glasses{g.id, g.port, ""} }
	for _, test := range []struct {
		name        string
		first, then glasses
		found       bool
	}{
		{"in its socket", mine, mine, true},
		{"in another socket", mine, glasses{mine.id, "usb1-7", mine.model}, true},
		{"in its socket, where another has its name", mine, glasses{mine.id + "_1", mine.port, mine.model}, true},
		{"another in its socket", mine, glasses{other.id, mine.port, other.model}, false},
		{"not on USB", plain(mine), plain(mine), true},
		{"another, not on USB", plain(mine), glasses{other.id, mine.port, ""}, false},
	} {
		for _, opened := range []struct{ device, name, again string }{
			{"auto", "hw:1,0", "hw:3,0"}, {"hw:1,0", "hw:1,0", "hw:3,0"}, {"hw:1", "hw:1", "hw:3,0"}, {"plughw:1,0", "plughw:1,0", "plughw:3,0"},
		} {
			t.Run(test.name+", as "+opened.device, func(t *testing.T) {
				s, m := newSound(t), &Memory{}
				cfg := Config{Device: opened.device, Memory: m}
				s.plug(1, test.first)
				m.remember(s.system, cfg.Device, opened.name)
				if names, err := s.names(cfg); err != nil || !slices.Equal(names, []string{opened.name}) {
					t.Errorf("where it was: %q, %v", names, err)
				}
				s.unplug(1)
				if names, err := s.names(cfg); !errors.Is(err, alsa.ErrGone) {
					t.Errorf("while it is away: %q, %v", names, err)
				}
				s.plug(1, glasses{"Other", "usb1-9", "0009:0009"}) // takes its number
				s.plug(3, test.then)
				names, err := s.names(cfg)
				switch {
				case test.found && (err != nil || !slices.Equal(names, []string{opened.again})):
					t.Errorf("%q, %v, want %s", names, err, opened.again)
				case !test.found && !errors.Is(err, alsa.ErrGone):
					t.Errorf("%q, %v, want none", names, err)
				}
				var advice interface{ Hint() string }
				if err != nil && (!errors.As(err, &advice) || advice.Hint() == "") {
					t.Errorf("no hint: %v", err)
				}
			})
		}
	}
}

// A card comes in parts, the control last.
func TestNotYetComplete(t *testing.T) {
	s, m := newSound(t), &Memory{}
	cfg := Config{Memory: m}
	s.plug(1, mine)
	m.remember(s.system, "", "hw:1,0")
	control := filepath.Join(s.nodes, "controlC1")
	if err := os.Remove(control); err != nil {
		t.Fatal(err)
	}
	if _, err := s.names(cfg); !errors.Is(err, alsa.ErrGone) {
		t.Errorf("without its control: %v", err)
	}
	s.write(control, "")
	if names, err := s.names(cfg); err != nil || names[0] != "hw:1,0" {
		t.Errorf("complete: %q, %v", names, err)
	}
}

// Which card ALSA's default is shows in what it has opened.
func TestDefaultIsFoundAgain(t *testing.T) {
	s, m := newSound(t), &Memory{}
	cfg := Config{Device: "auto", Memory: m}
	s.plug(0, mine)
	for i, target := range []string{"/dev/null", "pcmC0D0p", "pcmC0D0c"} {
		if err := os.Symlink(filepath.Join(s.nodes, target), filepath.Join(s.descriptors, fmt.Sprint(i))); err != nil {
			t.Fatal(err)
		}
	}
	m.remember(s.system, "auto", alsa.Default)
	if names, err := s.names(cfg); err != nil || !slices.Equal(names, []string{alsa.Default}) {
		t.Errorf("where it was: %q, %v", names, err)
	}
	s.unplug(0)
	s.plug(2, mine)
	if names, err := s.names(cfg); err != nil || !slices.Equal(names, []string{"hw:2,0"}) {
		t.Errorf("under another number: %q, %v", names, err)
	}
}

// With "auto", another microphone is taken once the one that was used has been
// away for a while; by a number it is not.
func TestGrace(t *testing.T) {
	for _, device := range []string{"auto", "hw:0,0"} {
		synctest.Test(t, func(t *testing.T) {
			s, m := newSound(t), &Memory{}
			cfg := Config{Device: device, Memory: m}
			s.plug(0, mine)
			s.plug(1, other)
			m.remember(s.system, device, "hw:0,0")
			s.unplug(0)
			for wait := range 5 {
				if names, err := s.names(cfg); !errors.Is(err, alsa.ErrGone) {
					t.Fatalf("after %d s: %q, %v", wait, names, err)
				}
				time.Sleep(grace / 5)
			}
			names, err := s.names(cfg)
			if device != "auto" {
				if !errors.Is(err, alsa.ErrGone) {
					t.Errorf("another is taken for the one asked for: %q, %v", names, err)
				}
				return
			}
			if err != nil || !slices.Equal(names, []string{alsa.Default, "hw:1,0"}) {
				t.Errorf("after %v: %q, %v", grace, names, err)
			}
		})
	}
}

// What ALSA finds by a name of its own is left to it, and so is what no card is
// known of.
func TestNamesAreLeftAlone(t *testing.T) {
	s, m := newSound(t), &Memory{}
	for _, device := range []string{"hw:CARD=Glasses,DEV=0", "hw:Glasses,0", "default", "pulse"} {
		cfg := Config{Device: device, Memory: m}
		m.remember(s.system, device, device)
		if names, err := s.names(cfg); err != nil || !slices.Equal(names, []string{device}) {
			t.Errorf("%s: %q, %v", device, names, err)
		}
	}
	if _, err := s.names(Config{Memory: m}); !errors.Is(err, ErrNoMicrophone) {
		t.Errorf("auto without a card: %v", err)
	}
	s.plug(1, mine)
	m.remember(s.system, "", alsa.Default) // of a sound server: it opened no card here
	s.unplug(1)
	s.plug(2, other)
	if names, err := s.names(Config{Memory: m}); err != nil || !slices.Equal(names, []string{alsa.Default, "hw:2,0"}) {
		t.Errorf("auto: %q, %v", names, err)
	}
}
