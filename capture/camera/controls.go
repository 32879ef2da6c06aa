package camera

import (
	"errors"
	"fmt"

	"github.com/blackjack/webcam"
	"golang.org/x/sys/unix"
)

// The controls, from include/uapi/linux/v4l2-controls.h.
const (
	cidAutoWhiteBalance webcam.ControlID = 0x0098090c
	cidPowerLine        webcam.ControlID = 0x00980918
	cidWhiteBalance     webcam.ControlID = 0x0098091a
	cidAutoExposure     webcam.ControlID = 0x009a0901
	cidExposure         webcam.ControlID = 0x009a0902 // in units of 100 µs
	cidFocus            webcam.ControlID = 0x009a090a
	cidAutoFocus        webcam.ControlID = 0x009a090c
)

// The values of V4L2_CID_EXPOSURE_AUTO. A USB camera calls its automatic mode
// aperture priority, as its aperture is fixed, and refuses exposureAuto.
const (
	exposureAuto             = 0
	exposureManual           = 1
	exposureAperturePriority = 3
)

// control is one that can be set: its name here and its unit for messages.
type control struct {
	id   webcam.ControlID
	name string
	unit string // follows the number; "00 µs" stands for units of 100 µs
}

// apply sets the controls, automatic ones first: a camera refuses a value while
// it chooses by itself. What the camera does not have or does differently comes
// back as warnings, a value that it can never have as an error.
func (c Controls) apply(cam webCamera) (warnings []error, err error) {
	a := applier{cam: cam, has: cam.GetControls()}
	if c.PowerLine != PowerLineKeep {
		a.set(control{cidPowerLine, "power line frequency", ""}, int32(c.PowerLine)-1)
	}
	switch c.Exposure.Mode {
	case Auto:
		a.setFirst(control{cidAutoExposure, "automatic exposure", ""}, exposureAuto, exposureAperturePriority)
	case Manual:
		a.setIfAny(control{cidAutoExposure, "automatic exposure", ""}, exposureManual)
		a.set(control{cidExposure, "exposure", "00 µs"}, int32(max(1, (c.Exposure.Value+50)/100)))
	}
	a.automatic(c.Focus, control{cidAutoFocus, "automatic focus", ""}, control{cidFocus, "focus", ""})
	a.automatic(c.WhiteBalance, control{cidAutoWhiteBalance, "automatic white balance", ""},
		control{cidWhiteBalance, "white balance", " K"})
	return a.warnings, errors.Join(a.errs...)
}

type applier struct {
	cam      webCamera
	has      map[webcam.ControlID]webcam.Control
	warnings []error
	errs     []error
}

// automatic sets a pair of a switch and a value.
func (a *applier) automatic(s Setting, auto, value control) {
	switch s.Mode {
	case Auto:
		a.set(auto, 1)
	case Manual:
		a.setIfAny(auto, 0)
		a.set(value, int32(s.Value))
	}
}

// setIfAny sets a switch; a camera that never chooses by itself has none.
func (a *applier) setIfAny(c control, value int32) {
	if _, ok := a.has[c.id]; ok {
		a.set(c, value)
	}
}

// setFirst sets the first value that the camera takes.
func (a *applier) setFirst(c control, values ...int32) {
	for _, v := range values[:len(values)-1] {
		if retry(func() error { return a.cam.SetControl(c.id, v) }) == nil {
			return
		}
	}
	a.set(c, values[len(values)-1])
}

func (a *applier) set(c control, value int32) {
	limits, ok := a.has[c.id]
	if !ok {
		a.warn("the camera has no %s", c.name)
		return
	}
	if value < limits.Min || value > limits.Max {
		a.errs = append(a.errs, fmt.Errorf("%s %d%s: %w: the camera takes %d%s to %d%s",
			c.name, value, c.unit, ErrOutOfRange, limits.Min, c.unit, limits.Max, c.unit))
		return
	}
	if err := retry(func() error { return a.cam.SetControl(c.id, value) }); err != nil {
		a.warn("set %s to %d%s: %w", c.name, value, c.unit, err)
		return
	}
	a.readBack(c, value)
}

func (a *applier) readBack(c control, value int32) {
	var got int32
	err := retry(func() (err error) {
		got, err = a.cam.GetControl(c.id)
		return err
	})
	switch {
	case err != nil:
		a.warn("read %s back: %w", c.name, err)
	case got != value:
		a.warn("%s: asked for %d%s, the camera made it %d%s", c.name, value, c.unit, got, c.unit)
	}
}

func (a *applier) warn(format string, args ...any) {
	a.warnings = append(a.warnings, fmt.Errorf(format, args...))
}

// retry repeats an ioctl that a signal interrupted; blackjack/webcam does not.
func retry(call func() error) error {
	for {
		if err := call(); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}
