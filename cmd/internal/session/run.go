package session

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bril-edge/bril/cmd/internal/control"
	"github.com/bril-edge/bril/encoder"
	"github.com/bril-edge/bril/hardware"
	"github.com/bril-edge/bril/hardware/monotonic"
)

// eventQueue takes what goroutines report while the loop acts. Who finds it full
// waits: the loop never waits for anybody.
const eventQueue = 16

// Session is the daemon's heart. Run owns everything that it starts.
type Session struct {
	cfg    Config
	events chan message
	begun  chan struct{} // closed when Run takes what is asked for
	done   chan struct{} // closed when Run has returned
	meter  meter
	pulses pulses
	faults faults

	recording record

	started time.Duration
	shown   atomic.Pointer[shown] // what Status may show; replaced whole
}

// message is an event with what the policy does not need to see.
type message struct {
	event     Event
	publisher Publisher    // of Connected
	err       error        // of Failed, Refused and Lost
	keeper    *keeper      // of Keep
	reply     chan<- Phase // gets the phase after the event
}

// shown is the part of the loop's state that others may look at.
type shown struct {
	state     State
	media     *media    // nil while there is none
	publisher Publisher // nil while not connected
	viewers   *int
	room      string
	target    encoder.BitRate
}

// New makes a session; Run starts it.
func New(cfg Config) *Session {
	if cfg.newTimer == nil {
		cfg.newTimer = newTimer
	}
	s := &Session{cfg: cfg, events: make(chan message, eventQueue), begun: make(chan struct{}), done: make(chan struct{}), started: monotonic.Now()}
	s.faults.log = cfg.Log
	s.recording.tap = cfg.Tap
	s.shown.Store(&shown{state: State{Phase: Off}})
	return s
}

// loop is what only Run's goroutine touches.
type loop struct {
	*Session
	ctx   context.Context // ends when Run is to return, after everything else
	state State
	quit  bool

	media     *media    // nil without a conversation
	publisher Publisher // nil without a connection
	viewers   *int      // nil while the endpoint does not tell
	room      string    // of the conversation; "" while that is not known
	rates     rateController
	paused    chan bool // what the endpoint is to be told next; newest wins
	keepers   map[*keeper]bool

	conversation context.Context // of the sources and calls of one conversation
	end          context.CancelFunc
	running      sync.WaitGroup // its goroutines
	background   sync.WaitGroup // what outlives a conversation: farewells, the network watch
}

// Begun is closed once Run takes what is asked for. Before, the session is off, and
// refuses.
func (s *Session) Begun() <-chan struct{} { return s.begun }

// Run goes live when live is set, and serves until ctx ends; then it ends the
// conversation properly and returns after everything that it started.
func (s *Session) Run(ctx context.Context, live bool) error {
	defer close(s.done)
	own, cancel := context.WithCancel(context.WithoutCancel(ctx))
	l := &loop{Session: s, ctx: own, state: State{Phase: Ready}, keepers: map[*keeper]bool{}}
	defer l.background.Wait()
	defer cancel()
	l.watchNetwork()
	l.watchDevices()
	l.tellPhase()
	l.show()
	close(s.begun)
	if live {
		l.handle(message{event: On{}})
	}
	timer := time.NewTimer(0)
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
	timer.Stop()
	if at, ok := l.state.Deadline(l.cfg.Limits); ok {
		timer.Reset(max(0, at-monotonic.Now()))
	}
}

// handle takes one event through the policy. What comes of an attempt that has
// been given up is thrown away.
func (l *loop) handle(m message) {
	if l.state.stale(m.event) {
		l.farewell(m.publisher)
		return
	}
	if e, ok := m.event.(heard); ok {
		m.event = l.adapt(e)
	}
	if m.keeper != nil {
		m.event = l.note(m)
	}
	before := l.state.Phase
	var actions []Action
	l.state, actions = Step(l.state, m.event, monotonic.Now(), l.cfg.Limits)
	l.take(m)
	for _, a := range actions {
		l.act(a)
	}
	l.answer(m.err)
	if l.state.Phase != before {
		l.cfg.Log.Info("session is "+string(l.state.Phase), "was", string(before))
		l.tellPhase()
	}
	l.show()
	if m.reply != nil {
		m.reply <- l.state.Phase
	}
}

func (l *loop) tellPhase() {
	if l.cfg.Phase != nil {
		l.cfg.Phase(l.state.Phase)
	}
}

// take keeps what an event brings beside what the policy looks at.
func (l *loop) take(m message) {
	switch e := m.event.(type) {
	case Connected:
		l.publisher = m.publisher
		l.enter(m.publisher.Room())
	case Refused, Lost:
		l.faults.report("uplink", m.err)
	case Watched:
		l.viewers = &e.Viewers
	case Came:
		if l.media != nil {
			l.media.plugged(e.Camera, e.Microphone)
		}
	case Hung:
		l.faults.clearAll()
	}
}

func (l *loop) act(a Action) {
	switch a := a.(type) {
	case Open:
		l.open(a.Generation)
	case Dial:
		l.dial(a.Generation)
	case Attach:
		l.attach()
	case Detach:
		l.detach()
	case Record:
		l.record(a.On)
	case Blank:
		l.media.mute(a.On)
		l.showPaused(a.On)
	case Cue:
		l.Cue(a)
	case Warn:
		l.cfg.Log.Warn(warning(a.Reason, a.Left))
	case HangUp:
		l.cfg.Log.Info("conversation " + string(a.Reason))
		l.shut()
		if l.cfg.Ended != nil {
			l.cfg.Ended(a.Reason)
		}
	case Join:
		l.media.hear(true)
	case Close:
		l.shut()
	case Ease:
		l.ease(a.Heat)
	case Quit:
		l.quit = true
	}
}

func warning(reason Reason, left time.Duration) string {
	return fmt.Sprintf("live ends in %v: %s", max(left, 0).Round(time.Second), reason)
}

// tell hands an event to the loop, from a goroutine of its own.
func (s *Session) tell(ctx context.Context, m message) {
	select {
	case s.events <- m:
	case <-ctx.Done():
		if m.publisher != nil {
			s.close(context.WithoutCancel(ctx), m.publisher)
		}
	}
}

func (l *loop) show() {
	l.shown.Store(&shown{
		state: l.state, media: l.media, publisher: l.publisher,
		viewers: l.viewers, room: l.room, target: l.rates.target,
	})
}

// Rate returns the phase and the bit rate that the connection is given, 0 without
// one. Unlike Status it costs nothing.
func (s *Session) Rate() (Phase, encoder.BitRate) {
	now := s.shown.Load()
	if now.publisher == nil {
		return now.state.Phase, 0
	}
	return now.state.Phase, now.target
}

// Paused says that what is captured is not to leave, connected or not.
func (s *Session) Paused() bool { return s.shown.Load().state.Muted }

// Live does what `bril live` asks for and returns the state after it.
func (s *Session) Live(ctx context.Context, action control.Action) (string, error) {
	var event Event = On{}
	switch action {
	case control.Off:
		event = End{ByAdvisor}
	case control.Pause:
		event = Mute{}
	}
	phase, err := s.ask(ctx, event)
	if err == nil && phase != Off { // which refuses nothing any more
		err = s.refused(action, phase)
	}
	return string(phase), err
}

// End ends what is live, for a reason that is not the advisor's; it does nothing when
// nothing is. It returns once that is decided.
func (s *Session) End(ctx context.Context, reason Reason) error {
	_, err := s.ask(ctx, End{reason})
	return err
}

// ask tells the loop of an event and returns the phase after it: Off when it runs no
// more.
func (s *Session) ask(ctx context.Context, event Event) (Phase, error) {
	reply := make(chan Phase, 1)
	select {
	case s.events <- message{event: event, reply: reply}:
	case <-s.done:
		return Off, nil
	case <-ctx.Done():
		return "", ctx.Err()
	}
	select {
	case phase := <-reply:
		return phase, nil
	case <-s.done:
		return Off, nil
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

// refused says why an action did nothing, by the phase after it.
func (s *Session) refused(action control.Action, after Phase) error {
	idle := after == Ready || after == Stopping
	switch {
	case action == control.On && s.shown.Load().state.Battery == hardware.BatteryEmpty:
		return errNoCharge{}
	case action == control.Pause && idle:
		return errNothingLive{}
	}
	return nil
}

// errNothingLive is why nothing is paused.
type errNothingLive struct{}

func (errNothingLive) Error() string { return "there is no conversation to pause" }
func (errNothingLive) Hint() string  { return "bril live on begins one" }
