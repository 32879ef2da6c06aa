package session

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/bril-edge/bril/capture"
	"github.com/bril-edge/bril/encoder"
	"github.com/bril-edge/bril/hardware"
	"github.com/bril-edge/bril/hardware/monotonic"
)

// Heated tells the session how hot the board is.
func (s *Session) Heated(ctx context.Context, level hardware.HeatLevel) {
	s.tell(ctx, message{event: Heat{level}})
}

// Charged tells the session how full the battery is.
func (s *Session) Charged(ctx context.Context, level hardware.BatteryLevel) {
	s.tell(ctx, message{event: Battery{level}})
}

// charge is the policy for a battery: a conversation ends while there is still
// the charge to end it properly.
func charge(s State, level hardware.BatteryLevel) (State, []Action) {
	var cues []Action
	if level.Worse(s.Battery) {
		cues = []Action{CueBattery}
	}
	s.Battery = level
	if level != hardware.BatteryEmpty {
		return s, cues
	}
	s, actions := end(s, NoCharge)
	return s, append(actions, cues...)
}

// warm is the policy for heat: it eases the work, and the advisor hears why the
// picture is worse.
func warm(s State, level hardware.HeatLevel) (State, []Action) {
	if level == s.Heat {
		return s, nil
	}
	actions := []Action{Ease{level}}
	if level.Worse(s.Heat) && level.Worse(hardware.HeatWarm) {
		actions = append(actions, CueHeat)
	}
	s.Heat = level
	return s, actions
}

// errNoCharge is why a conversation cannot begin.
type errNoCharge struct{}

func (errNoCharge) Error() string { return "go live: " + string(NoCharge) }
func (errNoCharge) Hint() string  { return "charge it first; bril status shows how full it is" }

// easing is what is left of the work, as shares of one.
type easing struct{ pictures, rate float64 }

// easingOf: of 30 pictures a second 20 are left when hot, and 15 when very hot.
// The bit rate falls further than the pictures do: the radio heats, too.
func easingOf(level hardware.HeatLevel) easing {
	switch level {
	case hardware.HeatHot:
		return easing{2.0 / 3, 0.6}
	case hardware.HeatVeryHot:
		return easing{1.0 / 2, 0.35}
	}
	return easing{1, 1}
}

// limit returns what is left of a bit rate, which is enough for some picture.
func (e easing) limit(rate encoder.BitRate) encoder.BitRate {
	return min(rate, max(minBitRate, encoder.BitRate(e.rate*float64(rate))))
}

// ease does less work, or more again. The bit rate comes back as it does after a
// loss: slowly.
func (l *loop) ease(level hardware.HeatLevel) {
	e := easingOf(level)
	l.rates.setLimit(e.limit(l.cfg.MaxBitRate), monotonic.Now())
	if l.media != nil {
		l.media.setRate(l.rates.target)
		l.media.thin(e)
	}
}

// thinner leaves out pictures evenly, before they are encoded.
type thinner struct {
	keep atomic.Pointer[easing]
	due  time.Duration // PTS of the next picture to keep; of the stage's goroutine
}

// drop says that the picture is to be left out. fps is the source's nominal rate:
// a camera that is slower already, as in the dark, loses none.
func (t *thinner) drop(pts time.Duration, fps float64) bool {
	e := t.keep.Load()
	if e == nil || e.pictures >= 1 {
		return false
	}
	if fps <= 0 {
		fps = 30
	}
	frame := time.Duration(float64(time.Second) / fps)
	step := time.Duration(float64(frame) / e.pictures)
	early := t.due - pts
	switch {
	case early > step || early < -step: // the first one, or after a gap
		t.due = pts + step
	case early > frame/4: // a quarter is left for a camera's jitter
		return true
	default:
		t.due += step
	}
	return false
}

// thinnable says whether pictures can be left out: of what is encoded already
// each needs the one before.
func thinnable(v Video) bool { return v.Format.Format != capture.H264 }

// thin takes a picture that is to be left out.
func (v *videoStage) thin(f capture.Frame) bool {
	if !thinnable(v.video) || !v.thinner.drop(f.PTS, v.video.Format.FPS) {
		return false
	}
	v.count(f)
	v.meter.droppedHeat.Add(1)
	f.Release()
	return true
}

// powerWarnings says what battery and heat mean for the conversation.
func powerWarnings(s State, m *media) (warnings []string) {
	switch s.Battery {
	case hardware.BatteryLow:
		warnings = append(warnings, "the battery is low")
	case hardware.BatteryVeryLow:
		warnings = append(warnings, "the battery is very low: live ends when it is nearly empty")
	case hardware.BatteryEmpty:
		warnings = append(warnings, string(NoCharge)+": live is off until it is charged")
	}
	e := easingOf(s.Heat)
	switch {
	case e.pictures >= 1:
	case m != nil && m.video != nil && m.video.fixed.Load():
		warnings = append(warnings, "the board is too hot, and pictures that come encoded cannot be made less: let it cool")
	default:
		warnings = append(warnings, fmt.Sprintf("the board is too hot: %.0f %% of the pictures leave, at %.0f %% of the bit rate", 100*e.pictures, 100*e.rate))
	}
	return warnings
}
