package camera

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/blackjack/webcam"
	"golang.org/x/sys/unix"

	"github.com/bril-edge/bril/hardware/v4l2"
)

// usbControls are those of a usual USB camera.
func usbControls() map[webcam.ControlID]webcam.Control {
	return map[webcam.ControlID]webcam.Control{
		cidPowerLine:        {Max: 2},
		cidAutoExposure:     {Max: 3},
		cidExposure:         {Min: 3, Max: 2047},
		cidAutoFocus:        {Max: 1},
		cidFocus:            {Max: 250, Step: 5},
		cidAutoWhiteBalance: {Max: 1},
		cidWhiteBalance:     {Min: 2000, Max: 6500},
	}
}

func TestControls(t *testing.T) {
	all := Controls{
		PowerLine: PowerLine50Hz, Exposure: Setting{Manual, 10000},
		Focus: Setting{Manual, 30}, WhiteBalance: Setting{Manual, 4600},
	}
	automatic := Controls{Exposure: Setting{Mode: Auto}, Focus: Setting{Mode: Auto}, WhiteBalance: Setting{Mode: Auto}}
	tests := []struct {
		name     string
		controls Controls
		change   func(f *fakeWebcam)
		values   map[webcam.ControlID]int32
		warnings []string
		err      string
	}{
		{name: "nothing"},
		{name: "by hand", controls: all, values: map[webcam.ControlID]int32{
			cidPowerLine: 1, cidAutoExposure: exposureManual, cidExposure: 100,
			cidAutoFocus: 0, cidFocus: 30, cidAutoWhiteBalance: 0, cidWhiteBalance: 4600,
		}},
		{name: "automatic", controls: automatic, values: map[webcam.ControlID]int32{
			cidAutoExposure: exposureAuto, cidAutoFocus: 1, cidAutoWhiteBalance: 1,
		}},
		{name: "off", controls: Controls{PowerLine: PowerLineOff}, values: map[webcam.ControlID]int32{cidPowerLine: 0}},
		{
			name: "the camera has none", controls: all, change: func(f *fakeWebcam) { f.controls = nil },
			warnings: []string{"no power line frequency", "no exposure", "no focus", "no white balance"},
		},
		{
			name: "rounded", controls: Controls{Focus: Setting{Manual, 33}}, change: func(f *fakeWebcam) { f.round = 5 },
			values:   map[webcam.ControlID]int32{cidAutoFocus: 0, cidFocus: 30},
			warnings: []string{"focus: asked for 33, the camera made it 30"},
		},
		{
			name: "refused", controls: Controls{WhiteBalance: Setting{Manual, 5000}},
			change:   func(f *fakeWebcam) { f.refuse = map[webcam.ControlID]error{cidWhiteBalance: unix.EACCES} },
			values:   map[webcam.ControlID]int32{cidAutoWhiteBalance: 0},
			warnings: []string{"set white balance to 5000 K: permission denied"},
		},
		{
			name: "no such choice", controls: Controls{PowerLine: PowerLineAuto},
			err: "power line frequency 3: value out of range: the camera takes 0 to 2",
		},
		{
			name: "too long", controls: Controls{Exposure: Setting{Manual, 1000000}},
			values: map[webcam.ControlID]int32{cidAutoExposure: exposureManual},
			err:    "exposure 1000000 µs: value out of range: the camera takes 300 µs to 204700 µs",
		},
		{
			name: "too cold", controls: Controls{WhiteBalance: Setting{Manual, 1000}},
			values: map[webcam.ControlID]int32{cidAutoWhiteBalance: 0},
			err:    "white balance 1000 K: value out of range: the camera takes 2000 K to 6500 K",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			f := &fakeWebcam{controls: usbControls()}
			if test.change != nil {
				test.change(f)
			}
			warnings, err := test.controls.apply(f)
			if len(f.values) != len(test.values) {
				t.Errorf("set %v, want %v", f.values, test.values)
			}
			for id, want := range test.values {
				if f.values[id] != want {
					t.Errorf("control %#x is %d, want %d", id, f.values[id], want)
				}
			}
			if len(warnings) != len(test.warnings) {
				t.Fatalf("warnings %v, want %v", warnings, test.warnings)
			}
			for i, w := range warnings {
				if !strings.Contains(w.Error(), test.warnings[i]) {
					t.Errorf("warning %q, want %q", w, test.warnings[i])
				}
			}
			if (err != nil) != (test.err != "") || err != nil && (err.Error() != test.err || !errors.Is(err, ErrOutOfRange)) {
				t.Errorf("got %v, want %q", err, test.err)
			}
		})
	}
}

func TestAutomaticIsSwitchedOffFirst(t *testing.T) {
	f := &fakeWebcam{controls: usbControls()}
	if _, err := (Controls{Focus: Setting{Manual, 5}}).apply(f); err != nil {
		t.Fatal(err)
	}
	if want := []webcam.ControlID{cidAutoFocus, cidFocus}; !slices.Equal(f.set, want) {
		t.Errorf("set %#x, want %#x", f.set, want)
	}
}

// A USB camera refuses the mode that the others call automatic.
func TestAperturePriorityIsAutomaticToo(t *testing.T) {
	f := &onlyAperture{fakeWebcam{controls: usbControls()}}
	warnings, err := Controls{Exposure: Setting{Mode: Auto}}.apply(f)
	if err != nil || len(warnings) > 0 || f.values[cidAutoExposure] != exposureAperturePriority {
		t.Errorf("%v, %v, value %d", warnings, err, f.values[cidAutoExposure])
	}
}

type onlyAperture struct{ fakeWebcam }

func (o *onlyAperture) SetControl(id webcam.ControlID, value int32) error {
	if id == cidAutoExposure && value == exposureAuto {
		return unix.EINVAL
	}
	return o.fakeWebcam.SetControl(id, value)
}

func TestInterruptedControlsAreRetried(t *testing.T) {
	calls := 0
	err := retry(func() error {
		if calls++; calls < 3 {
			return unix.EINTR
		}
		return unix.EACCES
	})
	if calls != 3 || !errors.Is(err, unix.EACCES) {
		t.Errorf("%d calls, %v", calls, err)
	}
}

func TestValueOutOfRangeStopsOpen(t *testing.T) {
	b := newBench(t, v4l2.PixFmtYUYV)
	b.webcam.controls = usbControls()
	cfg := b.config()
	cfg.Controls.Focus = Setting{Manual, 999}
	_, err := b.open(cfg)
	if !errors.Is(err, ErrOutOfRange) || !strings.Contains(err.Error(), b.path) || !strings.Contains(err.Error(), "0 to 250") {
		t.Errorf("got %v", err)
	}
	if leaks := b.kernel.Leaks(); leaks != "" {
		t.Errorf("left behind: %s", leaks)
	}
}
