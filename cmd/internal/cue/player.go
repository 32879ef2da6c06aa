package cue

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/bril-edge/bril/cmd/internal/session"
	"github.com/bril-edge/bril/hardware/alsa"
	"github.com/bril-edge/bril/hardware/speaker"
)

const (
	// lag is how much longer than it lasts a cue may take to play, until the device
	// counts as stuck.
	lag = 2 * time.Second
	// farewell is how long cues may go on once Run is to end: the advisor hears that
	// it is over.
	farewell = 3 * time.Second
	// between is from the end of one cue to the next, of those that are played to be
	// compared; what the device still holds is heard in it.
	between = max(speaker.Latency, 500*time.Millisecond)
)

var errStuck = errors.New("the device takes no sound")

// Output is a device that is open. It may be one voice of several on a device.
type Output interface {
	Gone() <-chan struct{}
	Close() error
}

// Config configures NewPlayer.
type Config struct {
	Device   string   // as speaker.Config has it
	Language Language // Silent, or in which the cues are spoken
	Volume   float64  // in dB; 0 leaves them as they are
	Log      *slog.Logger

	// Open opens where the cues are played; nil opens the device.
	Open func(fill func(out []int16)) (Output, error)
}

// Player plays cues, one at a time. A device is open only while there is
// something to play: the rest of the time nothing runs.
type Player struct {
	cfg  Config
	wake chan struct{} // a cue waits

	mu      sync.Mutex
	queue   queue
	cut     bool   // what is next said was made pointless
	trouble string // why nothing was heard last; "" for nothing

	voice voice
}

// NewPlayer makes a player; Run plays.
func NewPlayer(cfg Config) *Player {
	p := &Player{cfg: cfg, wake: make(chan struct{}, 1)}
	if cfg.Open == nil {
		p.cfg.Open = p.openDevice
	}
	return p
}

func (p *Player) openDevice(fill func(out []int16)) (Output, error) {
	return speaker.Open(speaker.Config{Device: p.cfg.Device, Log: p.cfg.Log}, fill)
}

// Play plays cues one after the other, now, and returns once they were heard. It
// is for a Player that does not Run.
func (p *Player) Play(ctx context.Context, cues ...session.Cue) error {
	out, err := p.open()
	if err != nil {
		return err
	}
	defer p.close(out)
	for _, c := range cues {
		if err := p.one(ctx, out, c); err != nil {
			return err
		}
		select {
		case <-time.After(between):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

func (p *Player) open() (Output, error) { return p.cfg.Open(p.voice.fill) }

func (p *Player) close(out Output) {
	_ = out.Close() // nothing is to be saved
	p.voice.silence()
}

// Cue has a cue played, behind those that matter more, and in place of those that
// it makes pointless. It returns at once.
func (p *Player) Cue(c session.Cue) {
	p.mu.Lock()
	if p.queue.push(c) {
		p.cut = true
		p.voice.cut()
	}
	p.mu.Unlock()
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// Warning says why cues are not heard; "" when they are.
func (p *Player) Warning() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.trouble
}

// Run plays until ctx ends, and what waits then for a moment longer.
func (p *Player) Run(ctx context.Context) error {
	hard, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(farewell, cancel) })()
	for {
		select {
		case <-p.wake:
			p.play(hard)
		case <-ctx.Done():
			p.play(hard)
			return nil
		}
	}
}

// play plays all that waits.
func (p *Player) play(ctx context.Context) {
	p.mu.Lock()
	waits := len(p.queue.waiting) > 0
	p.mu.Unlock()
	if waits {
		p.result(p.perform(ctx))
	}
}

// perform chooses what to play once the device is open: that may take a while.
func (p *Player) perform(ctx context.Context) error {
	out, err := p.open()
	if err != nil {
		return err
	}
	defer p.close(out)
	for c, ok := p.next(); ok; c, ok = p.following(ctx) {
		if err := p.one(ctx, out, c); err != nil {
			return err
		}
	}
	return nil
}

func (p *Player) next() (session.Cue, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut = false
	return p.queue.next()
}

// following returns what comes next, waiting for as long as the device still has
// to play of the last.
func (p *Player) following(ctx context.Context) (session.Cue, bool) {
	heard := time.NewTimer(speaker.Latency)
	defer heard.Stop()
	for {
		if c, ok := p.next(); ok {
			return c, true
		}
		select {
		case <-p.wake:
		case <-heard.C:
			return "", false
		case <-ctx.Done():
			return "", false
		}
	}
}

func (p *Player) one(ctx context.Context, out Output, c session.Cue) error {
	pcm, err := PCM(c, p.cfg.Language, p.cfg.Volume)
	if err != nil {
		return err
	}
	stuck := time.NewTimer(length(pcm) + lag)
	defer stuck.Stop()
	select {
	case <-p.say(pcm):
		return nil
	case <-out.Gone():
		return alsa.ErrGone
	case <-stuck.C:
		return errStuck
	case <-ctx.Done():
		return nil
	}
}

// say begins a cue, unless it was made pointless meanwhile.
func (p *Player) say(pcm []int16) <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cut {
		pcm = nil
	}
	return p.voice.say(pcm)
}

func length(pcm []int16) time.Duration {
	return time.Duration(len(pcm)) * time.Second / alsa.SampleRate
}

// result shows why a cue was not heard, in the log the first time. What waits is
// dropped then: it would come too late. That a machine has no sound output is
// nothing to show, unless one was configured.
func (p *Player) result(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err == nil {
		p.trouble = ""
		return
	}
	p.queue = queue{}
	if p.auto() && errors.Is(err, speaker.ErrNoSpeaker) {
		p.cfg.Log.Debug("cues are not heard", "error", err)
		return
	}
	trouble := fmt.Sprintf("cues are not heard: %v", err)
	if p.trouble == "" {
		p.cfg.Log.Warn("cues are not heard, each is tried again", "error", err)
	}
	p.trouble = trouble
}

func (p *Player) auto() bool { return p.cfg.Device == "" || p.cfg.Device == "auto" }
