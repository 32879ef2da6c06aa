package camera

import (
	"github.com/blackjack/webcam"

	"github.com/bril-edge/bril/hardware/v4l2"
)

// queueOf returns the queue that a camera delivers from. One that has both kinds
// is used by the older one, which blackjack/webcam knows too.
func queueOf(c v4l2.Capability) v4l2.BufType {
	if c.Node()&v4l2.CapVideoCapture == 0 {
		return v4l2.VideoCaptureMplane
	}
	return v4l2.VideoCapture
}

// ask returns who knows the camera's formats and controls.
func (s system) ask(node *v4l2.Device, kind v4l2.BufType) (webCamera, error) {
	if kind == v4l2.VideoCapture {
		return s.webcam(node.Path())
	}
	return multiplanar{node}, nil
}

// multiplanar does for a multi-planar camera what blackjack/webcam, which opens
// single-planar ones only, does for those. The node stays its caller's.
type multiplanar struct{ node *v4l2.Device }

// more bounds what a driver that never says that a list ends could make of it.
const more = 1000

func (m multiplanar) GetSupportedFormats() map[webcam.PixelFormat]string {
	formats := map[webcam.PixelFormat]string{}
	for i := range uint32(more) {
		f, err := m.node.EnumFmt(v4l2.VideoCaptureMplane, i)
		if err != nil {
			break
		}
		formats[webcam.PixelFormat(f.PixelFormat)] = f.Description()
	}
	return formats
}

func (m multiplanar) GetSupportedFrameSizes(code webcam.PixelFormat) (sizes []webcam.FrameSize) {
	for i := range uint32(more) {
		f, err := m.node.EnumFrameSizes(v4l2.FourCC(code), i)
		if err != nil {
			break
		}
		s := webcam.FrameSize{
			MinWidth: f.MinWidth, MaxWidth: f.MaxWidth, StepWidth: f.StepWidth,
			MinHeight: f.MinHeight, MaxHeight: f.MaxHeight, StepHeight: f.StepHeight,
		}
		if f.Type == v4l2.Discrete {
			w, h := f.Discrete()
			s = webcam.FrameSize{MinWidth: w, MaxWidth: w, MinHeight: h, MaxHeight: h}
		}
		sizes = append(sizes, s)
	}
	return sizes
}

func (m multiplanar) GetSupportedFramerates(code webcam.PixelFormat, width, height uint32) (rates []webcam.FrameRate) {
	for i := range uint32(more) {
		f, err := m.node.EnumFrameIntervals(v4l2.FourCC(code), width, height, i)
		if err != nil {
			break
		}
		if f.Type == v4l2.Discrete {
			f.Max = f.Min
		}
		rates = append(rates, webcam.FrameRate{
			MinNumerator: f.Min.Numerator, MinDenominator: f.Min.Denominator,
			MaxNumerator: f.Max.Numerator, MaxDenominator: f.Max.Denominator,
		})
	}
	return rates
}

func (m multiplanar) GetControls() map[webcam.ControlID]webcam.Control {
	controls := map[webcam.ControlID]webcam.Control{}
	for id := uint32(0); ; {
		q, err := m.node.QueryCtrl(id | v4l2.CtrlFlagNextCtrl)
		if err != nil || q.ID <= id {
			return controls
		}
		id = q.ID
		if q.Flags&v4l2.CtrlFlagDisabled == 0 {
			controls[webcam.ControlID(id)] = webcam.Control{Name: q.Name(), Min: q.Minimum, Max: q.Maximum, Step: q.Step}
		}
	}
}

func (m multiplanar) GetControl(id webcam.ControlID) (int32, error) {
	return m.node.GetCtrl(uint32(id))
}

func (m multiplanar) SetControl(id webcam.ControlID, value int32) error {
	_, err := m.node.SetCtrl(uint32(id), value)
	return err
}

func (multiplanar) Close() error { return nil }
