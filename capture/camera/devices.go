package camera

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/blackjack/webcam"

	"github.com/bril-edge/bril/capture"
	"github.com/bril-edge/bril/hardware/v4l2"
)

// Device describes a camera, for people and as JSON.
type Device struct {
	Path     string    `json:"path"`
	Name     string    `json:"name,omitempty"`
	Driver   string    `json:"driver,omitempty"`
	Bus      string    `json:"bus,omitempty"` // where it is attached
	Formats  []Format  `json:"formats,omitempty"`
	Controls []Control `json:"controls,omitempty"`
	Error    string    `json:"error,omitempty"` // why nothing more is known of it
}

// Format is a picture format of a camera. Only those that the agent can use
// have their sizes listed.
type Format struct {
	Format      string `json:"format"` // as PixelFormat.String, or the kernel's four characters
	Description string `json:"description"`
	Usable      bool   `json:"usable"`
	Sizes       []Size `json:"sizes,omitempty"`

	code webcam.PixelFormat
	kind capture.PixelFormat
}

// Size is a picture size, or a range of sizes when MaxWidth is set, with its
// frame rates.
type Size struct {
	Width      int `json:"width"`
	Height     int `json:"height"`
	MaxWidth   int `json:"max_width,omitempty"`
	MaxHeight  int `json:"max_height,omitempty"`
	StepWidth  int `json:"step_width,omitempty"`
	StepHeight int `json:"step_height,omitempty"`

	FPS      []float64 `json:"fps"`                 // highest first; empty: not told
	FPSRange bool      `json:"fps_range,omitempty"` // FPS holds the ends of a range
}

// Control is one of the camera's settings in the camera's own units.
type Control struct {
	ID    uint32 `json:"id"`
	Name  string `json:"name"`
	Min   int32  `json:"min"`
	Max   int32  `json:"max"`
	Step  int32  `json:"step"`
	Value int32  `json:"value"`
}

// webCamera is what is used of *webcam.Webcam.
type webCamera interface {
	GetSupportedFormats() map[webcam.PixelFormat]string
	GetSupportedFrameSizes(webcam.PixelFormat) []webcam.FrameSize
	GetSupportedFramerates(f webcam.PixelFormat, width, height uint32) []webcam.FrameRate
	GetControls() map[webcam.ControlID]webcam.Control
	GetControl(webcam.ControlID) (int32, error)
	SetControl(webcam.ControlID, int32) error
	Close() error
}

// system is where this package meets the machine; tests put others there.
type system struct {
	kernel v4l2.Kernel
	webcam func(path string) (webCamera, error)
	nodes  string // glob of the device nodes
	links  string // where udev puts links to them
	class  string // of sysfs
	proc   string
}

func machine() system {
	return system{
		kernel: v4l2.Linux(),
		webcam: func(path string) (webCamera, error) { return webcam.Open(path) },
		nodes:  "/dev/video*",
		links:  "/dev/v4l",
		class:  "/sys/class/video4linux",
		proc:   "/proc",
	}
}

// List describes the machine's cameras in the order in which "auto" tries them.
// A camera that cannot be opened is in the list with its Error.
func List() []Device { return machine().list(1280, 720) }

// list asks for the frame rates at width x height where a camera has a range of
// sizes.
func (s system) list(width, height int) []Device {
	paths, _ := filepath.Glob(s.nodes) // the pattern is well-formed
	devices := []Device{}
	for _, path := range paths {
		device, err := s.describe(path, width, height)
		if errors.Is(err, ErrNotCamera) || errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			device.Error = err.Error()
		}
		devices = append(devices, device)
	}
	slices.SortFunc(devices, stableOrder)
	return devices
}

// stableOrder puts real cameras first and sorts by where they are attached: the
// numbers of the nodes change with the order of their discovery.
func stableOrder(a, b Device) int {
	return cmp.Or(
		cmp.Compare(rank(a), rank(b)),
		strings.Compare(a.Bus, b.Bus),
		cmp.Compare(number(a.Path), number(b.Path)),
	)
}

func rank(d Device) int {
	switch d.Driver {
	case "vivid", "v4l2 loopback", "vimc":
		return 1
	}
	return 0
}

// number returns the digits at the end of a path.
func number(path string) int {
	digits := path[len(strings.TrimRight(path, "0123456789")):]
	n, err := strconv.Atoi(digits)
	if err != nil {
		return -1
	}
	return n
}

func (s system) describe(path string, width, height int) (Device, error) {
	device := Device{Path: path}
	node, err := v4l2.OpenOn(s.kernel, path)
	if err != nil {
		return device, s.explain("open", path, err)
	}
	defer node.Close()
	capability, err := s.capability(node)
	if err != nil {
		return device, err
	}
	device.Name, device.Driver, device.Bus = capability.Card(), capability.Driver(), capability.BusInfo()
	cam, err := s.ask(node, queueOf(capability))
	if err != nil {
		return device, s.explain("open", path, err)
	}
	defer cam.Close()
	device.Formats = formats(cam, width, height)
	device.Controls = controls(cam)
	return device, nil
}

// capability fails with ErrNotCamera unless the node itself takes pictures: the
// metadata node of a USB camera has the camera's capabilities, but not as its own.
func (s system) capability(node *v4l2.Device) (v4l2.Capability, error) {
	c, err := node.QueryCap()
	if err != nil {
		return c, s.explain("open", node.Path(), err)
	}
	caps := c.Node()
	switch {
	case isProcessor(c.Driver()):
		err = fmt.Errorf("%w but a stage of the driver %s", ErrNotCamera, c.Driver())
	case caps&(v4l2.CapVideoCapture|v4l2.CapVideoCaptureMplane) == 0:
		err = fmt.Errorf("%w: the node takes no pictures (capabilities %#x)", ErrNotCamera, uint32(caps))
	case caps&v4l2.CapStreaming == 0:
		err = fmt.Errorf("%w: the driver cannot stream (capabilities %#x)", ErrNotCamera, uint32(caps))
	}
	if err != nil {
		return c, hinted{fmt.Errorf("open camera %s: %w", node.Path(), err), hintList}
	}
	return c, nil
}

// isProcessor knows the drivers whose capture nodes hand back pictures that a
// program gave them.
func isProcessor(driver string) bool {
	switch driver {
	case "bcm2835-isp", "bcm2835-codec", "pispbe", "rpivid", "vim2m", "vicodec":
		return true
	}
	return false
}

// find returns the path of the first camera that has a format in wanted.
func (s system) find(cfg Config) (string, error) {
	devices := s.list(cfg.Width, cfg.Height)
	var trouble []string
	for _, d := range devices {
		if d.Error != "" {
			trouble = append(trouble, d.Error)
			continue
		}
		if _, err := choose(d.Formats, cfg); err == nil {
			return d.Path, nil
		}
		trouble = append(trouble, fmt.Sprintf("%s (%s) has no format of %v", d.Path, d.Name, cfg.Formats))
	}
	if len(trouble) > 0 {
		return "", fmt.Errorf("find a camera: %w: %s", os.ErrNotExist, strings.Join(trouble, "; "))
	}
	return "", hinted{fmt.Errorf("find a camera: %w: no capture device is connected", os.ErrNotExist),
		"connect one, or choose --camera pattern"}
}

func formats(cam webCamera, width, height int) []Format {
	var list []Format
	for code, description := range cam.GetSupportedFormats() {
		f := Format{Format: v4l2.FourCC(code).String(), Description: description, code: code}
		if f.kind, f.Usable = pixelFormat(v4l2.FourCC(code)); f.Usable {
			f.Format = f.kind.String()
			f.Sizes = sizes(cam, code, width, height)
		}
		list = append(list, f)
	}
	slices.SortFunc(list, func(a, b Format) int { // the map has no order
		return cmp.Or(-compareBool(a.Usable, b.Usable), cmp.Compare(a.kind, b.kind), cmp.Compare(a.code, b.code))
	})
	return list
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}

// sizes leaves out what blackjack/webcam cannot read: it reports a continuous
// range as all zero.
func sizes(cam webCamera, code webcam.PixelFormat, width, height int) []Size {
	var list []Size
	for _, f := range cam.GetSupportedFrameSizes(code) {
		if f.MaxWidth == 0 || f.MaxHeight == 0 {
			continue
		}
		s := Size{Width: int(f.MinWidth), Height: int(f.MinHeight)}
		if f.MinWidth != f.MaxWidth || f.MinHeight != f.MaxHeight {
			s.MaxWidth, s.MaxHeight = int(f.MaxWidth), int(f.MaxHeight)
			s.StepWidth, s.StepHeight = int(f.StepWidth), int(f.StepHeight)
		}
		w, h := s.nearest(width, height)
		s.FPS, s.FPSRange = rates(cam.GetSupportedFramerates(code, uint32(w), uint32(h)))
		list = append(list, s)
	}
	slices.SortFunc(list, func(a, b Size) int { return cmp.Compare(b.Width*b.Height, a.Width*a.Height) })
	return list
}

func rates(intervals []webcam.FrameRate) (fps []float64, isRange bool) {
	for _, r := range intervals {
		if r.MinNumerator == 0 || r.MaxNumerator == 0 {
			continue
		}
		highest := float64(r.MinDenominator) / float64(r.MinNumerator)
		lowest := float64(r.MaxDenominator) / float64(r.MaxNumerator)
		fps = append(fps, highest)
		if lowest != highest {
			fps, isRange = append(fps, lowest), true
		}
	}
	slices.SortFunc(fps, func(a, b float64) int { return cmp.Compare(b, a) })
	return fps, isRange
}

func controls(cam webCamera) []Control {
	var list []Control
	for id, c := range cam.GetControls() {
		value, err := cam.GetControl(id)
		if err != nil {
			continue // a button, or write-only
		}
		list = append(list, Control{ID: uint32(id), Name: c.Name, Min: c.Min, Max: c.Max, Step: c.Step, Value: value})
	}
	slices.SortFunc(list, func(a, b Control) int { return cmp.Compare(a.ID, b.ID) })
	return list
}
