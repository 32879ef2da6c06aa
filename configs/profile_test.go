package configs

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"
)

func TestBoardProfile(t *testing.T) {
	virtual, pc := []string{"bril,virtual-board", "linux,dummy-virt"}, []string(nil)
	tests := []struct {
		name       string
		asked      string
		compatible []string
		want       string // "" is refused
	}{
		{"auto, known", ProfileAuto, virtual, "virtual"},
		{"named, known", "virtual", virtual, "virtual"},
		{"auto, no device tree", ProfileAuto, pc, ProfileGeneric},
		{"auto, unknown board", ProfileAuto, []string{"acme,board"}, ProfileGeneric},
		{"generic where it is right", ProfileGeneric, pc, ProfileGeneric},
		{"generic on a known board", ProfileGeneric, virtual, ""},
		{"named on an unknown board", "virtual", pc, "virtual"},
		{"not a profile", "nothing", pc, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			cfg := Default()
			cfg.Board.Profile = test.asked
			got, err := cfg.BoardProfile(test.compatible)
			if got.Name != test.want || (err == nil) != (test.want != "") || err != nil && !errors.Is(err, ErrInvalid) {
				t.Errorf("got %+v, %v", got, err)
			}
		})
	}
}

// The roots of device trees as Linux 6.1 has them (Debian's linux-image-arm64).
func TestDetectBoard(t *testing.T) {
	tests := []struct {
		compatible  []string
		profile, by string
	}{
		{[]string{"raspberrypi,model-zero-2-w", "brcm,bcm2837"}, "raspberry-pi-zero-2w", "raspberrypi,model-zero-2-w"},
		{[]string{"raspberrypi,3-model-b", "brcm,bcm2837"}, "raspberry-pi-3", "raspberrypi,3-model-b"},
		{[]string{"raspberrypi,3-model-b-plus", "brcm,bcm2837"}, "raspberry-pi-3", "raspberrypi,3-model-b-plus"},
		{[]string{"raspberrypi,3-model-a-plus", "brcm,bcm2837"}, "raspberry-pi-3", "raspberrypi,3-model-a-plus"},
		{[]string{"raspberrypi,4-model-b", "brcm,bcm2711"}, "raspberry-pi-4", "raspberrypi,4-model-b"},
		{[]string{"raspberrypi,400", "brcm,bcm2711"}, "raspberry-pi-4", "raspberrypi,400"},
		{[]string{"raspberrypi,4-compute-module", "brcm,bcm2711"}, "raspberry-pi-cm4", "raspberrypi,4-compute-module"},
		{[]string{"fsl,imx8mp-evk", "fsl,imx8mp"}, "imx8mp", "fsl,imx8mp"},
		{[]string{"toradex,verdin-imx8mp-wifi-dev", "toradex,verdin-imx8mp", "fsl,imx8mp"}, "imx8mp", "fsl,imx8mp"},
		{[]string{"ti,am62a7-sk", "ti,am62a7"}, "am62a", "ti,am62a7"},
		{[]string{"bril,virtual-board", "linux,dummy-virt"}, "virtual", "bril,virtual-board"},
		{[]string{"raspberrypi,5-model-b", "brcm,bcm2712"}, ProfileGeneric, ""},
		{[]string{"bril,virtual-boards"}, ProfileGeneric, ""},
		{[]string{""}, ProfileGeneric, ""},
		{nil, ProfileGeneric, ""},
	}
	for _, test := range tests {
		p, by := DetectBoard(test.compatible)
		if p.Name != test.profile || by != test.by {
			t.Errorf("%q: %s by %q, want %s by %q", test.compatible, p.Name, by, test.profile, test.by)
		}
	}
}

// No profile but its own is taken on a board that is known: the light would be
// another line, or none.
func TestNoOtherProfileOnAKnownBoard(t *testing.T) {
	for _, own := range Profiles() {
		for _, compatible := range own.Compatible {
			for _, asked := range profileNames() {
				cfg := Default()
				cfg.Board.Profile = asked
				p, err := cfg.BoardProfile([]string{"vendor,product", compatible})
				if allowed := asked == ProfileAuto || asked == own.Name; allowed != (err == nil) || allowed && p.Name != own.Name {
					t.Errorf("%s on %s: %s, %v", asked, compatible, p.Name, err)
				}
			}
		}
	}
}

// Only a board that is not known has no capture light, and what a profile names
// is what the configuration has keys for.
func TestProfiles(t *testing.T) {
	buttons := keys(reflect.TypeFor[Buttons]())
	names, known := map[string]bool{ProfileAuto: true}, map[string]string{}
	for _, p := range Profiles() {
		if names[p.Name] {
			t.Errorf("%s: there are two", p.Name)
		}
		names[p.Name] = true
		for _, c := range p.Compatible {
			if known[c] != "" {
				t.Errorf("%s is %s and %s", c, known[c], p.Name)
			}
			known[c] = p.Name
		}
		if p.Title == "" || p.Name != ProfileGeneric && len(p.Buttons) != 2 {
			t.Errorf("%s is not described: %+v", p.Name, p)
		}
		if generic := p.Name == ProfileGeneric; generic != (p.Light == Lamp{}) || generic && len(p.Compatible) > 0 {
			t.Errorf("%s: light %+v", p.Name, p.Light)
		}
		for _, lamp := range []Lamp{p.Light, p.Status} {
			if lamp.Line != "" && lamp.LED != "" || (lamp.Wiring == "") != (p.Name == ProfileGeneric) {
				t.Errorf("%s: a lamp is a line or an LED, and wired somewhere: %+v", p.Name, lamp)
			}
		}
		if p.Status.Line != "" && p.Status.Line == p.Light.Line {
			t.Errorf("%s: the status light is the capture light", p.Name)
		}
		for _, b := range p.Buttons {
			if !slices.Contains(buttons, b.Name) || (b.Line == "") == (b.Key == 0) || b.Wiring == "" || !slices.Contains([]string{"", "none", "up", "down"}, b.Pull) {
				t.Errorf("%s: button %+v", p.Name, b)
			}
		}
	}
}

// Only a machine that shows that it has no device tree has none.
func TestDeviceTree(t *testing.T) {
	version := func(t *testing.T, root string) { write(t, filepath.Join(root, "proc/version"), "Linux") }
	link := func(t *testing.T, root string) {
		version(t, root)
		if err := os.Symlink(filepath.Join(root, "sys/firmware/devicetree/base"), filepath.Join(root, "proc/device-tree")); err != nil {
			t.Fatal(err)
		}
	}
	tests := []struct {
		name string
		make func(t *testing.T, root string)
		want []string
		told bool
	}{
		{"a board", func(t *testing.T, root string) {
			link(t, root)
			write(t, filepath.Join(root, "sys/firmware/devicetree/base/compatible"), "bril,virtual-board\x00linux,dummy-virt\x00")
		}, []string{"bril,virtual-board", "linux,dummy-virt"}, true},
		{"a PC", version, nil, true},
		{"a PC with an empty tree", func(t *testing.T, root string) {
			link(t, root)
			write(t, filepath.Join(root, "sys/firmware/devicetree/base/name"), "")
		}, nil, true},
		{"sysfs is hidden", link, nil, false},
		{"proc shows processes only", func(t *testing.T, root string) { write(t, filepath.Join(root, "proc/1/stat"), "") }, nil, false},
		{"proc is not mounted", func(*testing.T, string) {}, nil, false},
		{"it cannot be read", func(t *testing.T, root string) {
			link(t, root)
			write(t, filepath.Join(root, "sys/firmware/devicetree/base/compatible/is"), "a directory")
		}, nil, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			root := t.TempDir()
			test.make(t, root)
			got, err := deviceTree(root)
			if !slices.Equal(got, test.want) || (err == nil) != test.told {
				t.Errorf("got %q, %v", got, err)
			}
		})
	}
}

func write(t *testing.T, name, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}
