package m2m

import (
	"time"

	"github.com/bril-edge/bril/capture"
	"github.com/bril-edge/bril/encoder"
	"github.com/bril-edge/bril/hardware/monotonic"
	"github.com/bril-edge/bril/hardware/v4l2"
)

const (
	// restartPause is the least time between two starts of the device: a storm of
	// requests must not turn the stream into key frames.
	restartPause = time.Second
	// worthIt is how much the bitrate must change, in percent, for a start anew.
	worthIt = 10
	// patience is how many pictures a key frame may take that was asked for.
	patience = 5
)

// adjust lets bitrate and key frames take effect that were asked for, before f is
// encoded.
func (e *Encoder) adjust(f *capture.Frame) error {
	now := monotonic.Now()
	mayRestart := now-e.restarted >= restartPause
	if err := e.adjustRate(f, now, mayRestart); err != nil {
		return err
	}
	if !e.force.Load() {
		return nil
	}
	if e.controls.forceKey && !e.quirks.restartForKey {
		e.force.Store(false)
		e.awaited = max(e.awaited, 1)
		_, err := e.node.SetCtrl(cidForceKeyFrame, 1)
		return err
	}
	if mayRestart {
		return e.restart(f)
	}
	return nil // later: force stands
}

func (e *Encoder) adjustRate(f *capture.Frame, now time.Duration, mayRestart bool) error {
	if e.rates.over(now, e.applied) && e.controls.rate && !e.quirks.restartForRate {
		e.config.Log.Info("encoder exceeds its bitrate, and is started anew for another from now on",
			"encoder", e.config.Device, "bitrate", int64(e.applied))
		e.quirks.restartForRate = true
		return e.restart(f)
	}
	rate := encoder.BitRate(e.rate.Load())
	if rate == e.applied || !e.controls.rate {
		return nil
	}
	if !e.quirks.restartForRate {
		e.applied = rate
		_, err := e.node.SetCtrl(cidBitRate, int32(rate))
		if v4l2.Unsupported(err) || err == nil {
			e.rates.reset(now)
			return nil // out of its range; Open has said so
		}
		return err
	}
	if diff := max(rate-e.applied, e.applied-rate); diff*100 < e.applied*worthIt || !mayRestart {
		return nil
	}
	return e.restart(f)
}

// seen notes a picture that comes out. A device that takes the request for a key
// frame and makes none is started anew for it from then on.
func (e *Encoder) seen(key bool, p *picture) {
	e.rates.bits += 8 * int64(len(p.data))
	switch {
	case key:
		e.began, e.awaited = true, 0
	case e.awaited > patience:
		e.config.Log.Info("encoder makes no key frame when asked, and is started anew for one from now on", "encoder", e.config.Device)
		e.quirks.restartForKey, e.awaited = true, 0
		e.force.Store(true)
	case e.awaited > 0:
		e.awaited++
	}
}

// overshoot notices a device that does not keep to its bitrate, by far and for
// long: most likely it did not take the last change.
type overshoot struct {
	since time.Duration
	bits  int64
}

const (
	overshootTime  = 3 * time.Second
	overshootShare = 175 // percent; an IDR picture at a low bitrate is no overshoot
)

func (o *overshoot) reset(now time.Duration) { *o = overshoot{since: now} }

// over looks at a whole span of time, and begins the next one.
func (o *overshoot) over(now time.Duration, rate encoder.BitRate) bool {
	span := now - o.since
	if span < overshootTime {
		return false
	}
	most := float64(rate) * span.Seconds() * overshootShare / 100
	is := float64(o.bits) > most
	o.reset(now)
	return is
}
