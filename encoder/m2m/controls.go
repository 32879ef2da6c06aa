package m2m

import (
	"fmt"
	"math"

	"github.com/bril-edge/bril/encoder"
	"github.com/bril-edge/bril/encoder/h264"
	"github.com/bril-edge/bril/hardware/v4l2"
)

// The controls of an encoder, V4L2_CID_MPEG_VIDEO_* (include/uapi/linux/v4l2-controls.h).
const (
	cidBFrames         = 0x9909ca
	cidGOPSize         = 0x9909cb // pictures
	cidBitRateMode     = 0x9909ce
	cidBitRate         = 0x9909cf
	cidFrameRCEnable   = 0x9909d7
	cidHeaderMode      = 0x9909d8
	cidRepeatSeqHeader = 0x9909e2
	cidForceKeyFrame   = 0x9909e5
	cidIPeriod         = 0x990a66 // pictures
	cidLevel           = 0x990a67
	cidProfile         = 0x990a6b
)

// Their values.
const (
	bitRateConstant      = 1
	headerJoined         = 1
	baseline             = 0
	constrainedBaseline  = 1
	disabledOrReadOnly   = v4l2.CtrlFlagDisabled | v4l2.CtrlFlagReadOnly
	profileIDCBaseline   = 66
	baselineCompatible   = 0x80 // constraint_set0_flag
	compatibleWithEither = "42e0"
)

// levelMenu is enum v4l2_mpeg_video_h264_level from 3.1 on, in its order.
var levelMenu = [...]uint8{31, 32, 40, 41, 42, 50, 51, 52}

const levelMenuFirst = 9

// controls is what is known of the device's controls.
type controls struct {
	forceKey, rate bool  // there are such
	profile, level int32 // as the device says; -1: it does not
}

// setControls sets everything that is set once. What the device does not have
// is left out: its answer to QUERYCTRL.
func (e *Encoder) setControls() error {
	gop := int32(math.Round(e.config.GOP.Seconds() * e.config.FPS))
	rate := e.rate.Load()
	c := controls{profile: -1, level: -1}
	var err error
	if c.profile, err = e.setProfile(); err != nil {
		return err
	}
	if c.level, err = e.setLevel(); err != nil {
		return err
	}
	for _, s := range []struct {
		id    uint32
		value int32
	}{
		{cidBFrames, 0}, // WebRTC cannot carry them
		{cidFrameRCEnable, 1},
		{cidBitRateMode, bitRateConstant},
		{cidGOPSize, gop},
		{cidIPeriod, gop},
		{cidHeaderMode, headerJoined},
		{cidRepeatSeqHeader, 0}, // they are repeated here
	} {
		if _, err := e.set(s.id, s.value); err != nil {
			return err
		}
	}
	if c.rate, err = e.set(cidBitRate, int32(rate)); err != nil {
		return err
	}
	e.applied = encoder.BitRate(rate)
	if c.forceKey, err = e.has(cidForceKeyFrame); err != nil {
		return err
	}
	e.controls = c
	return nil
}

// has says whether a control is there and can be set.
func (e *Encoder) has(id uint32) (bool, error) {
	q, err := e.node.QueryCtrl(id)
	if v4l2.Unsupported(err) {
		return false, nil
	}
	return err == nil && q.Flags&disabledOrReadOnly == 0, err
}

// set sets a control as near to value as its range allows; false if there is none.
func (e *Encoder) set(id uint32, value int32) (bool, error) {
	q, err := e.node.QueryCtrl(id)
	switch {
	case v4l2.Unsupported(err):
		return false, nil
	case err != nil:
		return false, err
	case q.Flags&disabledOrReadOnly != 0:
		return false, nil
	}
	if q.Maximum > q.Minimum {
		value = min(max(value, q.Minimum), q.Maximum)
	}
	got, err := e.node.SetCtrl(id, value)
	switch {
	case v4l2.Unsupported(err): // a menu may lack the item
		e.config.Log.Debug("encoder refuses a setting", "encoder", e.config.Device, "control", q.Name(), "value", value, "error", err)
		return false, nil
	case err != nil:
		return false, err
	case got != value:
		e.config.Log.Debug("encoder sets otherwise", "encoder", e.config.Device, "control", q.Name(), "asked", value, "set", got)
	}
	return true, nil
}

// setProfile sets constrained baseline, or what is next to it, and returns what
// the device says it is.
func (e *Encoder) setProfile() (int32, error) {
	ok, err := e.set(cidProfile, constrainedBaseline)
	if err == nil && !ok {
		_, err = e.set(cidProfile, baseline)
	}
	if err != nil {
		return -1, err
	}
	return e.get(cidProfile)
}

func (e *Encoder) setLevel() (int32, error) {
	c := e.config
	want := h264.LevelFor(c.Width, c.Height, c.FPS, e.rate.Load())
	for i, idc := range levelMenu {
		if idc < want {
			continue
		}
		ok, err := e.set(cidLevel, int32(levelMenuFirst+i))
		if err != nil {
			return -1, err
		}
		if ok {
			break
		}
	}
	return e.get(cidLevel)
}

// get returns -1 where there is no such control.
func (e *Encoder) get(id uint32) (int32, error) {
	v, err := e.node.GetCtrl(id)
	if v4l2.Unsupported(err) {
		return -1, nil
	}
	return v, err
}

// profileLevelID returns profile-level-id as far as the controls tell; "" else.
func (c controls) profileLevelID() string {
	at := int(c.level) - levelMenuFirst
	if c.profile != baseline && c.profile != constrainedBaseline || at < 0 || at >= len(levelMenu) {
		return ""
	}
	return fmt.Sprintf("%s%02x", compatibleWithEither, levelMenu[at])
}

// verify checks the first sequence parameter set against what was offered.
func (e *Encoder) verify(sps h264.SPS) error {
	offered := e.ProfileLevelID()
	if offered == "" {
		id := sps.ProfileLevelID()
		e.profile.Store(&id)
		return nil
	}
	if sps.Profile != profileIDCBaseline && sps.Constraints&baselineCompatible == 0 {
		return fmt.Errorf("%w: it was set to profile %s, and makes %s", ErrUnsupported, offered, sps.ProfileLevelID())
	}
	return nil
}
