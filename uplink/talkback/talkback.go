// Package talkback brings the customer's voice to the advisor's ear: it listens at
// the endpoint by WHEP, smooths what the network does, decodes, and plays. What the
// customer says is a Voice, which only a speaker.Ear takes: nothing that records,
// sends or stores can have it, and no configuration changes that.
package talkback

import (
	"context"
	"log/slog"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bril-edge/bril/encoder/opus"
	"github.com/bril-edge/bril/hardware/monotonic"
	"github.com/bril-edge/bril/hardware/speaker"
	"github.com/bril-edge/bril/uplink/rtc"
	"github.com/bril-edge/bril/uplink/whip"
)

// State is what talk-back is doing.
type State string

// The states.
const (
	Off        State = "off"        // there is nobody to listen to
	Silent     State = "silent"     // the customer does not speak, or has no microphone on
	Connecting State = "connecting" // or trying to
	Hearing    State = "hearing"
	Deaf       State = "deaf" // there is no device to hear by
)

// Config configures New.
type Config struct {
	Client *whip.Client
	// Receiver says how to reach the endpoint; its Speech is not used.
	Receiver rtc.ReceiverConfig
	// Play adds a source to the speaker, as speaker.Mixer's Below does.
	Play func(hear func(*speaker.Ear)) (Output, error)
	// Holds is how long the speaker takes to play what it is given.
	Holds  time.Duration
	Volume float64      // in dB
	Log    *slog.Logger // nil discards
}

// Output is a source that plays; *speaker.Source is one.
type Output interface {
	Gone() <-chan struct{}
	Close() error
}

// Talkback listens to one customer at a time.
type Talkback struct {
	cfg    Config
	gain   float32
	player player
	soon   chan struct{} // a wish to try at once
	muted  atomic.Bool
	spoken atomic.Int64 // until when the customer is heard, on the monotonic clock

	running sync.Mutex // held by Run

	mu      sync.Mutex
	state   State
	url     string
	trouble error

	loud    float32 // gain of the last sample; belongs to the device's thread
	scratch []int16
}

// New makes a Talkback that is not muted. Close frees it.
func New(cfg Config) (*Talkback, error) {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	cfg.Receiver.Log = cfg.Log
	d, err := opus.NewDecoder()
	if err != nil {
		return nil, err
	}
	t := &Talkback{cfg: cfg, gain: float32(math.Pow(10, cfg.Volume/20)), soon: make(chan struct{}, 1), state: Off}
	t.player.decoder = d
	t.cfg.Receiver.Speech = t.player.put
	return t, nil
}

// Close is to be called after Run has returned.
func (t *Talkback) Close() error { return t.player.decoder.(*opus.Decoder).Close() }

// SetMuted has the customer heard no longer, or again.
func (t *Talkback) SetMuted(on bool) { t.muted.Store(on) }

// Muted says whether the customer is not to be heard.
func (t *Talkback) Muted() bool { return t.muted.Load() }

// Speaking says whether the customer is heard to speak at this moment.
func (t *Talkback) Speaking() bool { return monotonic.Now() < time.Duration(t.spoken.Load()) }

// Soon has Run try at once, where it waits for the customer to speak.
func (t *Talkback) Soon() {
	select {
	case t.soon <- struct{}{}:
	default:
	}
}

// Status is what talk-back says of itself.
type Status struct {
	State   State
	URL     string
	Trouble error // why the customer is not heard; nil when that is no trouble
	Muted   bool
	Stats   Stats
}

// Status returns at once.
func (t *Talkback) Status() Status {
	t.mu.Lock()
	s := Status{State: t.state, URL: t.url, Trouble: t.trouble, Muted: t.Muted()}
	t.mu.Unlock()
	s.Stats = t.player.stats()
	if s.State != Hearing {
		s.Stats.Delay, s.Stats.Jitter = 0, 0
	} else {
		s.Stats.Delay += t.cfg.Holds
	}
	return s
}

func (t *Talkback) show(s State, trouble error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.state, t.trouble = s, trouble
}

// hear is called by the device.
func (t *Talkback) hear(ear *speaker.Ear) {
	if len(t.scratch) < ear.Len() {
		t.scratch = make([]int16, ear.Len())
	}
	out := t.scratch[:ear.Len()]
	t.render(out)
	ear.Put(0, out)
}

// render writes what is to be heard next.
func (t *Talkback) render(out []int16) {
	now := monotonic.Now()
	speech := t.player.fill(out, now)
	goal := t.gain
	if t.Muted() {
		goal, speech = 0, false
	}
	t.amplify(out, goal)
	if speech {
		t.spoken.Store(int64(now + t.cfg.Holds + time.Duration(len(out))*time.Second/sampleRate))
	}
}

// amplify brings the gain to goal within out, so that nothing clicks.
func (t *Talkback) amplify(out []int16, goal float32) {
	step := (goal - t.loud) / float32(len(out))
	gain := t.loud
	for i, s := range out {
		gain += step
		out[i] = int16(min(max(float32(s)*gain, math.MinInt16), math.MaxInt16))
	}
	t.loud = goal
}

// Run listens at address until ctx ends, however often the customer comes and
// goes. Of two calls at once the second waits.
func (t *Talkback) Run(ctx context.Context, address string) {
	t.running.Lock()
	defer t.running.Unlock()
	t.mu.Lock()
	t.url = address
	t.mu.Unlock()
	l := listener{Talkback: t, address: address, since: monotonic.Now()}
	for ctx.Err() == nil {
		l.once(ctx)
	}
	l.end()
	t.player.forget()
	clear(t.scratch)
	t.show(Off, nil)
}
