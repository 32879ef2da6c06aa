package session

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bril-edge/bril/capture"
	"github.com/bril-edge/bril/encoder"
	"github.com/bril-edge/bril/hardware/monotonic"
	"github.com/bril-edge/bril/uplink/rtc"
)

// over is in place of a number of viewers.
const over = -2

// endpoint takes or refuses calls.
type endpoint struct {
	takes   time.Duration // a call
	encoder atomic.Pointer[videoEncoder]
	viewers atomic.Int32 // -1: it does not tell; over: the conversation is

	room atomic.Pointer[string] // of connections to come; nil: it does not tell

	mu         sync.Mutex
	refuses    error
	calls      []time.Duration
	offers     []Offer
	publishers []*publisher
	farewell   time.Duration // how long Close takes
}

func (e *endpoint) connect(ctx context.Context, offer Offer) (Publisher, error) {
	called := monotonic.Now()
	sleep(ctx, e.takes)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.calls = append(e.calls, called)
	if e.refuses != nil {
		return nil, e.refuses
	}
	p := &publisher{endpoint: e, lost: make(chan struct{}), at: monotonic.Now(), farewell: e.farewell}
	e.publishers = append(e.publishers, p)
	e.offers = append(e.offers, offer)
	return p, nil
}

// refuse makes it refuse calls; nil ends that.
func (e *endpoint) refuse(err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.refuses = err
}

func (e *endpoint) all() []*publisher {
	e.mu.Lock()
	defer e.mu.Unlock()
	return append([]*publisher(nil), e.publishers...)
}

// last returns the last connection with what was offered for it.
func (e *endpoint) last() (*publisher, Offer) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.publishers[len(e.publishers)-1], e.offers[len(e.offers)-1]
}

// written is what arrived at the endpoint.
type written struct {
	what byte // 'c' captured; 16 black; 'n' a notice; 0 silence
	key  bool
	pts  time.Duration
	at   time.Duration
}

// publisher is a connection to the endpoint.
type publisher struct {
	*endpoint
	at       time.Duration
	farewell time.Duration
	closed   atomic.Bool
	paused   atomic.Bool
	changes  atomic.Int32 // of the network
	lost     chan struct{}
	once     sync.Once
	counts   [256]atomic.Int64 // of pictures
	heard    atomic.Int64      // captured sounds

	mu    sync.Mutex
	video []written
	audio []written
}

func (p *publisher) WriteVideo(au encoder.AccessUnit) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.counts[au.Data[0]].Add(1)
	p.video = append(p.video, written{au.Data[0], au.Key, au.PTS, monotonic.Now()})
	return p.Err()
}

func (p *publisher) WriteAudio(a encoder.Packet) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if a.Data[0] == 'c' {
		p.heard.Add(1)
	}
	p.audio = append(p.audio, written{a.Data[0], false, a.PTS, monotonic.Now()})
	return p.Err()
}

// count returns how many pictures of a kind have arrived, ever.
func (p *publisher) count(what byte) int64 { return p.counts[what].Load() }

// pictures and sounds return what has arrived since they were asked last.
func (p *publisher) pictures() []written { return p.taken(&p.video) }
func (p *publisher) sounds() []written   { return p.taken(&p.audio) }

func (p *publisher) taken(list *[]written) []written {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := *list
	*list = nil
	return all
}

func (p *publisher) lose()                 { p.once.Do(func() { close(p.lost) }) }
func (p *publisher) Lost() <-chan struct{} { return p.lost }

func (p *publisher) Err() error {
	select {
	case <-p.lost:
		return rtc.ErrLost
	default:
		return nil
	}
}

func (p *publisher) NetworkChanged(context.Context) error {
	p.changes.Add(1)
	return nil
}

func (p *publisher) SetPaused(_ context.Context, paused bool) error {
	p.paused.Store(paused)
	return nil
}

func (p *publisher) Viewers(context.Context) (int, bool, error) {
	n := int(p.viewers.Load())
	if n == over {
		return 0, true, rtc.ErrOver
	}
	return n, n >= 0, nil
}

func (p *publisher) Room() string {
	if room := p.room.Load(); room != nil {
		return *room
	}
	return ""
}

func (p *publisher) Stats() rtc.Stats { return rtc.Stats{} }

func (p *publisher) Close(context.Context) error {
	time.Sleep(p.farewell)
	if p.closed.Swap(true) {
		return errors.New("closed twice")
	}
	p.lose()
	return nil
}

var errTest = errors.New("broken by the test")

// hintedError is one that knows what to do.
type hintedError struct{ error }

func (hintedError) Hint() string { return "mend it" }

// converting returns open with a converter.
func (r *rig) converting(convert func(capture.Frame) (capture.Frame, error)) {
	open := r.cfg.OpenVideo
	r.cfg.OpenVideo = func(ctx context.Context) (Video, error) {
		v, err := open(ctx)
		v.Convert = convert
		return v, err
	}
}

// flapping makes each opened camera fail after some pictures.
func (r *rig) flapping(pictures int) {
	open := r.cfg.OpenVideo
	r.cfg.OpenVideo = func(ctx context.Context) (Video, error) {
		v, err := open(ctx)
		v.Source = &flap{v.Source, pictures}
		return v, err
	}
}

type flap struct {
	VideoSource
	left int
}

func (f *flap) Next(ctx context.Context) (capture.Frame, error) {
	if f.left--; f.left < 0 {
		return capture.Frame{}, errTest
	}
	return f.VideoSource.Next(ctx)
}

// deaf makes calls that end when they end, whatever ctx says.
func (r *rig) deaf() {
	connect := r.cfg.Connect
	r.cfg.Connect = func(ctx context.Context, o Offer) (Publisher, error) { return connect(context.WithoutCancel(ctx), o) }
}
