package session

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bril-edge/bril/cmd/internal/control"
	"github.com/bril-edge/bril/encoder"
	"github.com/bril-edge/bril/hardware/monotonic"
	"github.com/bril-edge/bril/uplink/rtc"
)

const (
	// viewersEvery is between two questions to the endpoint who is watching.
	viewersEvery = 15 * time.Second
	// eventQueue takes what goroutines report while the loop acts. Each running
	// goroutine reports at most once or waits for the loop, and a press may come
	// at any time.
	eventQueue = 16
)

// Session is the daemon's heart. Run owns everything that it starts.
type Session struct {
	cfg    Config
	events chan message
	done   chan struct{} // closed when Run has returned
	meter  meter
	faults faults

	started time.Duration
	shown   atomic.Pointer[shown] // what Status may show; replaced whole
}

// message is an event, and who waits for the state after it.
type message struct {
	event     Event
	publisher Publisher // of Connected
	err       error     // of Failed and Refused
	reply     chan<- Phase
}

// shown is the part of the loop's state that others may look at.
type shown struct {
	state     State
	media     *media    // nil while there is none
	publisher Publisher // nil while not connected
	viewers   *int
	warning   string
	target    encoder.BitRate
	sent      encoder.BitRate
}

// New makes a session; Run starts it.
func New(cfg Config) *Session {
	s := &Session{cfg: cfg, events: make(chan message, eventQueue), done: make(chan struct{}), started: monotonic.Now()}
	s.faults.log = cfg.Log
	s.shown.Store(&shown{state: State{Phase: Off}})
	return s
}

// loop is what only Run's goroutine touches.
type loop struct {
	*Session
	ctx       context.Context // ends when Run is to return, after everything else
	state     State
	media     *media
	publisher Publisher
	viewers   *int
	warning   string
	rates     rateController
	sent      throughput

	conversation context.Context // of the sources and calls of one conversation
	end          context.CancelFunc
	running      sync.WaitGroup // its goroutines
	background   sync.WaitGroup // what outlives a conversation: farewells, the network watch
	quit         bool
}

// Run goes live when live is set, and serves until ctx ends; then it ends the
// conversation properly and returns after everything that it started.
func (s *Session) Run(ctx context.Context, live bool) error {
	defer close(s.done)
	own, cancel := context.WithCancel(context.WithoutCancel(ctx))
	l := &loop{Session: s, ctx: own, state: State{Phase: Ready}}
	defer l.background.Wait()
	defer cancel()
	l.watchNetwork()
	l.show()
	if live {
		l.handle(message{event: On{}})
	}
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	stop := ctx.Done()
	for !l.quit {
		l.arm(timer)
		select {
		case m := <-s.events:
			l.handle(m)
		case <-timer.C:
			l.handle(message{event: Tick{}})
		case <-stop:
			stop = nil
			l.handle(message{event: End{Shutdown}})
		}
	}
	return nil
}

// arm sets the timer for the policy's next deadline.
func (l *loop) arm(timer *time.Timer) {
	wait := time.Hour // nothing is due; looking once an hour costs nothing
	if at := l.state.Deadline(l.cfg.Limits); at != 0 {
		wait = max(0, at-monotonic.Now())
	}
	timer.Reset(wait)
}

func (l *loop) handle(m message) {
	if m.err != nil {
		l.faults.report(component(m.event), m.err)
	}
	switch e := m.event.(type) {
	case heard:
		l.adapt(e)
	case Connected:
		l.takePublisher(e, m.publisher)
	case Watched:
		l.viewers = &e.Viewers
	}
	before := l.state.Phase
	var actions []Action
	l.state, actions = Step(l.state, m.event, monotonic.Now(), l.cfg.Limits)
	for _, a := range actions {
		l.act(a)
	}
	if l.state.Phase != before {
		l.cfg.Log.Info("session is "+string(l.state.Phase), "was", string(before))
	}
	l.show()
	if m.reply != nil {
		m.reply <- l.state.Phase
	}
}

func component(e Event) string {
	if _, ok := e.(Failed); ok {
		return "camera"
	}
	return "uplink"
}

// takePublisher uses a new connection, unless it comes too late to be wanted.
func (l *loop) takePublisher(c Connected, p Publisher) {
	if c.Generation != l.state.Generation || !l.state.Wanted || l.state.Phase == Stopping {
		l.farewell(p)
		return
	}
	l.publisher = p
	l.faults.clear("uplink")
	l.cfg.ConnectBackoff.Reset()
	l.media.out.set(p)
	l.watchPublisher(c.Generation, p)
}

func (l *loop) act(a Action) {
	switch a := a.(type) {
	case Open:
		l.open(a.Generation)
	case Dial:
		l.dial(a.Generation)
	case Detach:
		l.detach()
	case Blank:
		l.media.mute(a.On)
	case Warn:
		l.warning = fmt.Sprintf("live ends in %v: %s", a.Left.Round(time.Second), a.Reason)
		l.cfg.Log.Warn(l.warning)
	case HangUp:
		l.hangUp(a.Reason)
	case Quit:
		l.quit = true
	}
}

// tell hands an event to the loop, from a goroutine of its own.
func (s *Session) tell(ctx context.Context, m message) {
	select {
	case s.events <- m:
	case <-ctx.Done():
		if m.publisher != nil {
			_ = m.publisher.Close(context.WithoutCancel(ctx)) // nobody will use it; its loss is the endpoint's to notice
		}
	}
}

func (l *loop) open(generation int) {
	if l.media == nil {
		l.conversation, l.end = context.WithCancel(l.ctx)
		l.rates = newRateController(l.cfg.MaxBitRate)
		l.media = newMedia(&l.cfg, &l.meter, &l.faults, l.rates.target)
		l.media.mute(l.state.Muted)
	}
	ctx, m := l.conversation, l.media
	l.running.Go(func() {
		if err := m.open(ctx); err != nil {
			if ctx.Err() == nil {
				l.tell(ctx, message{event: Failed{generation, m.backoff.next()}, err: err})
			}
			return
		}
		l.tell(ctx, message{event: Opened{generation}})
		if err := m.run(ctx); errors.Is(err, io.EOF) {
			l.tell(ctx, message{event: End{EndOfFile}})
		}
	})
}

func (l *loop) dial(generation int) {
	ctx, down := l.conversation, l.state.DownSince
	offer := l.media.offer()
	offer.Estimate = func(e rtc.Estimate) { l.estimate(ctx, generation, e) }
	l.running.Go(func() {
		publisher, err := l.cfg.Connect(ctx, offer)
		switch {
		case err == nil:
			l.tell(ctx, message{event: Connected{generation}, publisher: publisher})
		case ctx.Err() == nil:
			wait := l.cfg.ConnectBackoff.Next(monotonic.Now()-down, err)
			l.tell(ctx, message{event: Refused{generation, wait}, err: err})
		}
	})
}

// watchPublisher reports the end of a connection, and who is watching.
func (l *loop) watchPublisher(generation int, p Publisher) {
	ctx := l.conversation
	l.running.Go(func() {
		select {
		case <-p.Lost():
			l.tell(ctx, message{event: Lost{generation}, err: p.Err()})
		case <-ctx.Done():
		}
	})
	l.running.Go(func() { l.watchViewers(ctx, p) })
}

// watchViewers asks until the connection ends or the endpoint does not tell.
func (l *loop) watchViewers(ctx context.Context, p Publisher) {
	ticker := time.NewTicker(viewersEvery)
	defer ticker.Stop()
	for {
		n, known, err := p.Viewers(ctx)
		if !known {
			return
		}
		if err == nil {
			l.tell(ctx, message{event: Watched{n}})
		}
		select {
		case <-ticker.C:
		case <-p.Lost():
			return
		case <-ctx.Done():
			return
		}
	}
}

func (l *loop) detach() {
	p := l.publisher
	l.publisher, l.viewers = nil, nil
	l.media.out.set(nil)
	l.farewell(p)
}

// farewell closes a connection without anybody waiting for it.
func (l *loop) farewell(p Publisher) {
	if p == nil {
		return
	}
	l.background.Go(func() {
		if err := p.Close(context.WithoutCancel(l.ctx)); err != nil {
			l.cfg.Log.Debug("farewell to the endpoint", "error", err)
		}
	})
}

// hangUp closes sources first, so that nothing is captured while the endpoint is
// being told.
func (l *loop) hangUp(reason Reason) {
	l.cfg.Log.Info("conversation " + string(reason))
	end, m, p := l.end, l.media, l.publisher
	l.media, l.publisher, l.viewers, l.warning = nil, nil, nil, ""
	m.out.set(nil)
	end()
	l.background.Go(func() {
		l.running.Wait()
		if p != nil {
			if err := p.Close(context.WithoutCancel(l.ctx)); err != nil {
				l.cfg.Log.Debug("farewell to the endpoint", "error", err)
			}
		}
		l.faults.clearAll()
		l.tell(l.ctx, message{event: Hung{}})
	})
}

// watchNetwork restarts ICE when an address that is in use goes.
func (l *loop) watchNetwork() {
	if l.cfg.Network == nil {
		return
	}
	l.background.Go(func() {
		err := l.cfg.Network(l.ctx, func() {
			if p := l.shown.Load().publisher; p != nil {
				if err := p.NetworkChanged(l.ctx); err != nil {
					l.cfg.Log.Info("network changed", "error", err)
				}
			}
		})
		if err != nil && l.ctx.Err() == nil {
			l.cfg.Log.Warn("network changes are not seen, only their effects", "error", err)
		}
	})
}

func (l *loop) show() {
	l.shown.Store(&shown{
		state: l.state, media: l.media, publisher: l.publisher,
		viewers: l.viewers, warning: l.warning, target: l.rates.target, sent: l.sent.rate,
	})
}

// Live does what `bril live` asks for and returns the state after it.
func (s *Session) Live(ctx context.Context, action control.Action) (string, error) {
	var event Event = On{}
	switch action {
	case control.Off:
		event = End{ByAdvisor}
	case control.Pause:
		event = Mute{}
	}
	reply := make(chan Phase, 1)
	select {
	case s.events <- message{event: event, reply: reply}:
	case <-s.done:
		return string(Off), nil
	case <-ctx.Done():
		return "", ctx.Err()
	}
	select {
	case phase := <-reply:
		return string(phase), nil
	case <-s.done:
		return string(Off), nil
	case <-ctx.Done():
		return "", ctx.Err()
	}
}
