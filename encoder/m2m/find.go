package m2m

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/bril-edge/bril/capture"
	"github.com/bril-edge/bril/hardware/v4l2"
)

// Device describes an encoder, for people and as JSON.
type Device struct {
	Path      string   `json:"path"`
	Driver    string   `json:"driver"`
	Card      string   `json:"card"`
	Bus       string   `json:"bus"`
	Formats   []string `json:"formats"`              // of the pictures that it takes, those that the agent can give
	MaxWidth  int      `json:"max_width,omitempty"`  // in pixels; 0: not told
	MaxHeight int      `json:"max_height,omitempty"` // likewise

	kind queues
}

// queues are the two queues of a device, in whichever API it speaks.
type queues struct{ raw, coded v4l2.BufType }

// Takes says whether the device encodes pictures of this format as they are.
func (d Device) Takes(format capture.PixelFormat) bool {
	return slices.Contains(d.Formats, format.String())
}

// Fits says whether pictures of this size are within what the device told of.
func (d Device) Fits(width, height int) bool {
	return d.MaxWidth == 0 || width <= d.MaxWidth && height <= d.MaxHeight
}

// system is where this package meets the machine; tests put others there.
type system struct {
	kernel v4l2.Kernel
	nodes  string // glob of the device nodes
}

func machine() system { return system{v4l2.Linux(), "/dev/video*"} }

// List returns the H.264 encoders of this machine, by the numbers of their nodes,
// the one that Open takes by itself first. A node that may not be opened is left
// out: what it is cannot be known.
func List() []Device { return machine().list() }

func (s system) list() []Device {
	paths, _ := filepath.Glob(s.nodes) // the pattern is well-formed
	slices.SortFunc(paths, func(a, b string) int { return cmp.Compare(number(a), number(b)) })
	devices := []Device{}
	for _, path := range paths {
		node, err := v4l2.OpenOn(s.kernel, path)
		if err != nil {
			continue
		}
		if d, err := describe(node); err == nil {
			devices = append(devices, d)
		}
		node.Close()
	}
	return devices
}

// number returns the digits at the end of a path.
func number(path string) int {
	n, err := strconv.Atoi(path[len(strings.TrimRight(path, "0123456789")):])
	if err != nil {
		return -1
	}
	return n
}

// errNotEncoder says of a V4L2 node that it is something else.
var errNotEncoder = errors.New("not an H.264 encoder")

// describe finds out by what a node says that it can do whether it is an
// encoder. Neither its path nor its name tells.
func describe(node *v4l2.Device) (Device, error) {
	c, err := node.QueryCap()
	if err != nil {
		return Device{}, err
	}
	d := Device{Path: node.Path(), Driver: c.Driver(), Card: c.Card(), Bus: c.BusInfo()}
	const both = v4l2.CapVideoCaptureMplane | v4l2.CapVideoOutputMplane // of before CapVideoM2MMplane
	switch caps := c.Node(); {
	case caps&v4l2.CapStreaming == 0:
		return d, errNotEncoder
	case caps&v4l2.CapVideoM2MMplane != 0, caps&both == both:
		d.kind = queues{v4l2.VideoOutputMplane, v4l2.VideoCaptureMplane}
	case caps&v4l2.CapVideoM2M != 0:
		d.kind = queues{v4l2.VideoOutput, v4l2.VideoCapture}
	default:
		return d, errNotEncoder
	}
	if codes, err := formats(node, d.kind.coded); err != nil || !slices.Contains(codes, v4l2.PixFmtH264) {
		return d, cmp.Or(err, errNotEncoder)
	}
	codes, err := formats(node, d.kind.raw)
	for _, f := range rawFormats() {
		if slices.Contains(codes, fourCC(f)) {
			d.Formats = append(d.Formats, f.String())
		}
	}
	if err != nil || len(d.Formats) == 0 {
		return d, cmp.Or(err, errNotEncoder)
	}
	d.MaxWidth, d.MaxHeight, err = maxSize(node)
	return d, err
}

// rawFormats returns the formats that can be given to an encoder, best first.
func rawFormats() []capture.PixelFormat {
	return []capture.PixelFormat{capture.NV12, capture.I420, capture.YUYV}
}

func fourCC(f capture.PixelFormat) v4l2.FourCC {
	switch f {
	case capture.NV12:
		return v4l2.PixFmtNV12
	case capture.I420:
		return v4l2.PixFmtYUV420
	}
	return v4l2.PixFmtYUYV
}

// most bounds a list that a driver never ends.
const most = 256

func formats(node *v4l2.Device, t v4l2.BufType) (codes []v4l2.FourCC, err error) {
	for i := range uint32(most) {
		f, err := node.EnumFmt(t, i)
		if errors.Is(err, unix.EINVAL) {
			break
		}
		if err != nil {
			return nil, err
		}
		codes = append(codes, f.PixelFormat)
	}
	return codes, nil
}

// maxSize asks for the sizes of the coded picture, as the kernel's dev-encoder
// document has it, "Querying Capabilities".
func maxSize(node *v4l2.Device) (width, height int, err error) {
	for i := range uint32(most) {
		f, err := node.EnumFrameSizes(v4l2.PixFmtH264, i)
		if v4l2.Unsupported(err) {
			break
		}
		if err != nil {
			return 0, 0, err
		}
		w, h := f.MaxWidth, f.MaxHeight
		if f.Type == v4l2.Discrete {
			w, h = f.Discrete()
		}
		if int(w)*int(h) > width*height {
			width, height = int(w), int(h)
		}
	}
	return width, height, nil
}

// find returns the first encoder that fits the configuration.
func (s system) find(cfg Config) (Device, error) {
	devices := s.list()
	for _, d := range devices {
		if d.Fits(cfg.Width, cfg.Height) {
			return d, nil
		}
	}
	if len(devices) > 0 {
		return Device{}, fmt.Errorf("find an H.264 encoder for %dx%d: %w: %s does at most %dx%d",
			cfg.Width, cfg.Height, os.ErrNotExist, devices[0].Path, devices[0].MaxWidth, devices[0].MaxHeight)
	}
	return Device{}, fmt.Errorf("find an H.264 encoder: %w: no device of this machine is one", os.ErrNotExist)
}
