package session

import (
	"context"
	"io"
	"log/slog"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bril-edge/bril/capture"
	"github.com/bril-edge/bril/cmd/internal/control"
	"github.com/bril-edge/bril/encoder"
	"github.com/bril-edge/bril/hardware/monotonic"
	"github.com/bril-edge/bril/uplink/whip"
)

// frameTime is that of the fake camera.
const frameTime = 40 * time.Millisecond

// rig is a session between a fake camera, a fake microphone and a fake endpoint,
// in a synctest bubble: it runs on the bubble's clock.
type rig struct {
	t *testing.T
	*Session
	cfg        Config
	camera     *device
	microphone *device
	cable      cable
	endpoint   *endpoint
	cancel     context.CancelFunc
	done       chan struct{} // closed when Run has returned
}

// inBubble runs a test whose session is set up by change, live or not.
func inBubble(t *testing.T, live bool, change func(*rig), test func(*rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.cfg.newTimer = func() (timer, error) { return bubbleTimer{}, nil }
		if change != nil {
			change(r)
		}
		r.run(live)
		defer r.stop()
		test(r)
	})
}

func newRig(t *testing.T) *rig {
	r := &rig{
		t:          t,
		camera:     &device{name: "camera", interval: frameTime},
		microphone: &device{name: "microphone", interval: capture.ChunkTime},
		endpoint:   &endpoint{takes: 100 * time.Millisecond},
		done:       make(chan struct{}),
	}
	r.cfg = Config{
		OpenVideo: func(ctx context.Context) (Video, error) {
			s, err := r.camera.open(ctx)
			return Video{Source: s, Name: "fake camera", Device: true, Format: s.Format()}, err
		},
		OpenAudio: func(ctx context.Context) (Audio, error) {
			s, err := r.microphone.open(ctx)
			return Audio{Source: sound{s}, Name: "fake microphone", Device: true}, err
		},
		NewVideoEncoder: func(_ Video, rate encoder.BitRate, sink func(encoder.AccessUnit) error) (VideoEncoder, error) {
			e := &videoEncoder{sink: sink, profile: "42c01f"}
			e.rate.Store(int64(rate))
			r.endpoint.encoder.Store(e)
			return e, nil
		},
		NewAudioEncoder: func(sink func(encoder.Packet) error) (AudioEncoder, error) { return audioEncoder{sink}, nil },
		Connect:         r.endpoint.connect,
		ConnectBackoff:  &whip.Backoff{},
		MaxBitRate:      2_500_000,
		Log:             slog.New(slog.DiscardHandler),
	}
	return r
}

func (r *rig) run(live bool) {
	r.Session = New(r.cfg)
	ctx, cancel := context.WithCancel(context.Background())
	r.cancel = cancel
	go func() {
		defer close(r.done)
		if err := r.Run(ctx, live); err != nil {
			r.t.Errorf("run: %v", err)
		}
	}()
}

// stop ends Run. That no goroutine is left, synctest checks.
func (r *rig) stop() {
	r.t.Helper()
	r.cancel()
	<-r.done
	for _, d := range []*device{r.camera, r.microphone} {
		if n := d.running.Load(); n != 0 {
			r.t.Errorf("%s: %d still open after Run", d.name, n)
		}
	}
	for i, p := range r.endpoint.all() {
		if !p.closed.Load() {
			r.t.Errorf("connection %d is still open after Run", i)
		}
	}
	if state, err := r.Live(r.t.Context(), control.On); err != nil || state != string(Off) {
		r.t.Errorf("live on after Run: %q, %v, want off", state, err)
	}
}

// pass lets time pass, and what is due then happen.
func (r *rig) pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func (r *rig) press(action control.Action) string {
	r.t.Helper()
	state, err := r.Live(r.t.Context(), action)
	if err != nil {
		r.t.Fatalf("live %s: %v", action, err)
	}
	return state
}

func (r *rig) wantState(want Phase) {
	r.t.Helper()
	if got := r.Status().State; got != string(want) {
		r.t.Fatalf("state is %s, want %s: %+v", got, want, r.Status().Errors)
	}
}

// wantFault checks what does not work, "" for nothing, and returns it.
func (r *rig) wantFault(component string) control.Fault {
	r.t.Helper()
	list := r.Status().Errors
	switch {
	case component == "" && len(list) == 0:
		return control.Fault{}
	case len(list) == 1 && list[0].Component == component:
		return list[0]
	}
	r.t.Fatalf("errors are %+v, want one of %q", list, component)
	return control.Fault{}
}

// bubbleTimer waits on the bubble's clock.
type bubbleTimer struct{}

func (bubbleTimer) SleepUntil(ctx context.Context, at time.Duration) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	sleep(ctx, at-monotonic.Now())
	return ctx.Err()
}

func (bubbleTimer) Close() error { return nil }

// device is a camera or microphone that can be opened again and again.
type device struct {
	name     string
	interval time.Duration
	takes    time.Duration // of open; it cannot be interrupted

	silent  atomic.Bool  // it delivers nothing, and says nothing
	ends    atomic.Bool  // there is no more of it
	running atomic.Int32 // open now
	opened  atomic.Int32 // ever

	mu    sync.Mutex
	err   error           // of open
	fails error           // of Next
	times []time.Duration // of the calls of open
}

// breaks makes open and Next fail; nil repairs.
func (d *device) breaks(open, next error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.err, d.fails = open, next
}

func (d *device) open(context.Context) (*source, error) {
	time.Sleep(d.takes)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.times = append(d.times, monotonic.Now())
	if d.err != nil {
		return nil, d.err
	}
	d.running.Add(1)
	d.opened.Add(1)
	return &source{device: d, closed: make(chan struct{})}, nil
}

// opens returns when it was tried, from the first on.
func (d *device) opens() []time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	var since []time.Duration
	for _, at := range d.times {
		since = append(since, at-d.times[0])
	}
	return since
}

func (d *device) failure() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.fails
}

// source is an open device. Its pictures and sounds begin with a 'c'.
type source struct {
	*device
	sequence uint64
	once     sync.Once
	closed   chan struct{}
}

func (s *source) Format() capture.VideoFormat {
	return capture.VideoFormat{Format: capture.I420, Width: 16, Height: 16, FPS: 25}
}

func (s *source) Next(ctx context.Context) (capture.Frame, error) {
	select {
	case <-time.After(s.interval):
	case <-ctx.Done():
		return capture.Frame{}, ctx.Err()
	case <-s.closed:
		return capture.Frame{}, os.ErrClosed
	}
	for s.silent.Load() {
		select {
		case <-time.After(s.interval):
		case <-ctx.Done():
			return capture.Frame{}, ctx.Err()
		case <-s.closed:
			return capture.Frame{}, os.ErrClosed
		}
	}
	if s.ends.Load() {
		return capture.Frame{}, io.EOF
	}
	if err := s.failure(); err != nil {
		return capture.Frame{}, err
	}
	f := capture.Frame{Format: capture.I420, Width: 16, Height: 16, PTS: monotonic.Now(), Ready: monotonic.Now(), Sequence: s.sequence}
	f.Planes[0].Data = []byte{'c'}
	s.sequence++
	return f, nil
}

func (s *source) Close() error {
	s.once.Do(func() {
		s.running.Add(-1)
		close(s.closed)
	})
	return nil
}

// sound makes a microphone of a source.
type sound struct{ *source }

func (s sound) Next(ctx context.Context) (capture.Sound, error) {
	f, err := s.source.Next(ctx)
	return capture.Sound{Format: capture.Opus, Packet: []byte{'c'}, PTS: f.PTS - capture.ChunkTime, Length: capture.ChunkTime, Sequence: f.Sequence}, err
}

// videoEncoder hands on the first byte of a picture: 'c', or black's 16; or 'n'
// for a notice.
type videoEncoder struct {
	sink    func(encoder.AccessUnit) error
	profile string
	began   bool
	gop     int  // pictures from one key frame to the next; 0: only what is forced
	made    int  // pictures since a key frame
	deaf    bool // to what is forced
	force   atomic.Bool
	forced  atomic.Int32
	rate    atomic.Int64
	fails   atomic.Pointer[error]
}

func (e *videoEncoder) Encode(f capture.Frame) error {
	defer f.Release()
	if err := e.fails.Load(); err != nil {
		return *err
	}
	e.made++
	key := e.force.Swap(false) && !e.deaf || !e.began || e.made == e.gop
	if e.began = true; key {
		e.made = 0
	}
	what := f.Planes[0].Data[:1]
	if what[0] == black16 && slices.ContainsFunc(f.Planes[0].Data, func(v byte) bool { return v > black16 }) {
		what = []byte{'n'}
	}
	return e.sink(encoder.AccessUnit{Data: what, PTS: f.PTS, Ready: f.Ready, Key: key})
}

func (e *videoEncoder) State() EncoderState                   { return EncoderState{Name: "fake"} }
func (e *videoEncoder) ProfileLevelID() string                { return e.profile }
func (e *videoEncoder) ForceKeyFrame()                        { e.force.Store(true); e.forced.Add(1) }
func (e *videoEncoder) SetBitRate(rate encoder.BitRate) error { e.rate.Store(int64(rate)); return nil }
func (e *videoEncoder) Close() error                          { return nil }

// audioEncoder hands on the first byte of a sound: 'c', or 0 for silence.
type audioEncoder struct{ sink func(encoder.Packet) error }

func (e audioEncoder) Encode(s capture.Sound) error {
	p := encoder.Packet{Data: []byte{0}, PTS: s.PTS, Length: s.Length}
	if s.Format == capture.Opus {
		p.Data = s.Packet
	}
	return e.sink(p)
}

func (audioEncoder) Close() error { return nil }
