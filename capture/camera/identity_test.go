package camera

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"github.com/bril-edge/bril/hardware/v4l2"
	"github.com/bril-edge/bril/hardware/v4l2/v4l2test"
)

// glasses are a camera as a machine sees it.
type glasses struct{ id, path, card, bus string }

// mine is what the tests plug and unplug; other is another camera.
var (
	mine  = glasses{"usb-Bril_Glasses_0042-video-index0", "pci-0000:00:14.0-usb-0:1:1.0-video-index0", "Glasses", "usb-0000:00:14.0-1"}
	other = glasses{"usb-Acme_Webcam-video-index0", "pci-0000:00:14.0-usb-0:2:1.0-video-index0", "Webcam", "usb-0000:00:14.0-2"}
)

// with returns g changed.
func (g glasses) with(change func(*glasses)) glasses {
	change(&g)
	return g
}

// plug makes a camera appear as video<number>, with udev's links.
func (b *bench) plug(t *testing.T, number int, g glasses) *v4l2test.Camera {
	t.Helper()
	path := filepath.Join(filepath.Dir(b.path), fmt.Sprintf("video%d", number))
	camera := &v4l2test.Camera{Format: v4l2.PixFmtYUYV, Width: 16, Height: 8, BytesPerLine: 48, Card: g.card, Bus: g.bus}
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	b.kernel.Add(path, camera)
	for dir, name := range map[string]string{"by-id": g.id, "by-path": g.path} {
		if name == "" {
			continue
		}
		dir = filepath.Join(b.links, dir)
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		link := filepath.Join(dir, name)
		if err := os.Symlink(path, link); err != nil {
			t.Fatal(err)
		}
		b.kernel.Add(link, camera)
	}
	return camera
}

// unplug takes it away, and udev's links with it.
func (b *bench) unplug(t *testing.T, number int, g glasses, camera *v4l2test.Camera) {
	t.Helper()
	camera.Unplug()
	for _, path := range []string{
		filepath.Join(filepath.Dir(b.path), fmt.Sprintf("video%d", number)),
		filepath.Join(b.links, "by-id", g.id), filepath.Join(b.links, "by-path", g.path),
	} {
		if info, err := os.Lstat(path); err == nil && !info.IsDir() {
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// opens opens and closes a camera and returns the number of its node.
func (b *bench) opens(device string, m *Memory) (int, error) {
	cfg := b.config()
	cfg.Device, cfg.Memory = device, m
	c, err := b.open(cfg)
	if err != nil {
		return -1, err
	}
	return number(c.Path()), c.Close()
}

// empty is a bench without a camera.
func empty(t *testing.T) *bench {
	t.Helper()
	b := newBench(t, v4l2.PixFmtYUYV)
	b.unplug(t, 0, glasses{}, b.camera)
	return b
}

// A camera that comes back is found under whatever number it has then, and no
// other is taken for it.
func TestFoundAgain(t *testing.T) {
	none := func(g *glasses) { g.id, g.path = "", "" }
	for _, test := range []struct {
		name        string
		first, then glasses
		found       bool
	}{
		{"in its socket", mine, mine, true},
		{"in another socket", mine, mine.with(func(g *glasses) { g.path, g.bus = other.path, other.bus }), true},
		{"another in its socket", mine, other.with(func(g *glasses) { g.path, g.bus = mine.path, mine.bus }), false},
		{"without a serial number, in its socket", mine.with(func(g *glasses) { g.id = "" }), mine.with(func(g *glasses) { g.id = "" }), true},
		{"without udev", mine.with(none), mine.with(none), true},
		{"before udev has seen it", mine, mine.with(none), true},
		{"another, without udev", mine.with(none), other.with(none), false},
	} {
		for _, device := range []string{"auto", "", "video1"} {
			t.Run(test.name+", as "+device, func(t *testing.T) {
				b := empty(t)
				if device == "video1" {
					device = filepath.Join(filepath.Dir(b.path), device)
				}
				m := &Memory{}
				camera := b.plug(t, 1, test.first)
				if n, err := b.opens(device, m); n != 1 || err != nil {
					t.Fatal(n, err)
				}
				b.unplug(t, 1, test.first, camera)
				if n, err := b.opens(device, m); !errors.Is(err, ErrGone) {
					t.Errorf("while it is away: %d, %v", n, err)
				}
				b.plug(t, 1, glasses{"", "", "In between", "usb-9"}) // takes its number
				b.plug(t, 4, test.then)
				n, err := b.opens(device, m)
				switch {
				case test.found && (n != 4 || err != nil):
					t.Errorf("camera %d, %v, want 4", n, err)
				case !test.found && !errors.Is(err, ErrGone):
					t.Errorf("camera %d, %v, want none", n, err)
				}
				var advice interface{ Hint() string }
				if err != nil && (!errors.As(err, &advice) || advice.Hint() == "") {
					t.Errorf("no hint: %v", err)
				}
				if leaks := b.kernel.Leaks(); leaks != "" {
					t.Error(leaks)
				}
			})
		}
	}
}

// With "auto", another camera is taken once the one that was used has been away
// for a while; by a number it is not.
func TestGrace(t *testing.T) {
	for _, byNumber := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			b := empty(t)
			device := "auto"
			if byNumber {
				device = b.path
			}
			m := &Memory{}
			camera := b.plug(t, 0, mine)
			b.plug(t, 1, other)
			if n, err := b.opens(device, m); n != 0 || err != nil {
				t.Fatal(n, err)
			}
			b.unplug(t, 0, mine, camera)
			for wait := range 5 {
				if n, err := b.opens(device, m); !errors.Is(err, ErrGone) {
					t.Fatalf("after %d s: %d, %v", wait, n, err)
				}
				time.Sleep(grace / 5)
			}
			n, err := b.opens(device, m)
			if byNumber {
				if !errors.Is(err, ErrGone) {
					t.Errorf("another camera is taken for the one asked for: %d, %v", n, err)
				}
				return
			}
			if n != 1 || err != nil {
				t.Errorf("after %v: %d, %v", grace, n, err)
			}
			b.plug(t, 0, mine)
			if n, err := b.opens(device, m); n != 1 || err != nil {
				t.Errorf("the one that is used now stays: %d, %v", n, err)
			}
		})
	}
}

// A link is followed to wherever it leads, and another device is not remembered.
func TestLinksLead(t *testing.T) {
	b := empty(t)
	m := &Memory{}
	camera := b.plug(t, 1, mine)
	link := filepath.Join(b.links, "by-id", mine.id)
	if _, err := b.opens(link, m); err != nil {
		t.Fatal(err)
	}
	b.unplug(t, 1, mine, camera)
	if _, err := b.opens(link, m); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a link that is gone: %v", err)
	}
	b.plug(t, 3, mine)
	cfg := b.config()
	cfg.Device, cfg.Memory = link, m
	c, err := b.open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	b.plug(t, 0, other)
	if n, err := b.opens(b.path, m); n != 0 || err != nil {
		t.Errorf("asked for another device: %d, %v", n, err)
	}
}

// A camera that is pulled while it is read is found again after its close, and its
// frames in hand keep their memory until then.
func TestPulledWhileRead(t *testing.T) {
	b := empty(t)
	m := &Memory{}
	cfg := b.config()
	cfg.Device, cfg.Memory = "auto", m
	for i := range 5 {
		node := b.plug(t, i, mine)
		c, err := b.open(cfg)
		if err != nil || number(c.Path()) != i {
			t.Fatalf("round %d: %v", i, err)
		}
		node.Deliver(whole(c, 3))
		f := next(t, c)
		b.unplug(t, i, mine, node)
		if _, err := c.Next(t.Context()); !errors.Is(err, ErrGone) || !errors.Is(err, unix.ENODEV) {
			t.Errorf("round %d: %v", i, err)
		}
		if err := c.Close(); err != nil {
			t.Logf("round %d: close: %v", i, err)
		}
		if f.Planes[0].Data[0] != 3 {
			t.Error("the frame in hand has changed")
		}
		f.Release()
		if leaks := b.kernel.Leaks(); leaks != "" {
			t.Fatalf("round %d: %s", i, leaks)
		}
	}
}
