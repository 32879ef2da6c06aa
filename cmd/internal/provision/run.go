package provision

import (
	"cmp"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/bril-edge/bril/capture"
	"github.com/bril-edge/bril/uplink/enrol/ticket"
	"github.com/bril-edge/bril/uplink/enrol/token"
)

const (
	// lookEvery is how often a picture is looked at: on a slow board each takes some
	// 50 ms.
	lookEvery = 200 * time.Millisecond
	// again is when a code that was refused, and is still held in front of the camera,
	// is tried again: its Wi-Fi may be there by then.
	again = 15 * time.Second
	// joinTime is how long a Wi-Fi may take, and askTime a time server.
	joinTime = 60 * time.Second
	askTime  = 10 * time.Second
	// keepTime is how long the network may take to be kept, also when the mode ends: a
	// NetworkManager that hangs must not hold the daemon's end up.
	keepTime = 10 * time.Second
)

// ErrStopped is why the mode ended as it was asked to; it is the cause that the
// context of Run is ended with.
var ErrStopped = errors.New("stopped")

// ErrLate says that no code has served within the time.
var ErrLate = errors.New("the time is over, and no code has served")

// Camera delivers pictures with a plane of luma, upright or not.
type Camera interface {
	Next(ctx context.Context) (capture.Frame, error)
	Close() error
}

// Network is a Wi-Fi that was joined on trial.
type Network interface {
	Keep(ctx context.Context) error
	Remove(ctx context.Context) error
}

// Config is what Run works with.
type Config struct {
	Keys  []ed25519.PublicKey // that sign codes
	Limit time.Duration       // default and at most MaxTime

	Open func(ctx context.Context) (Camera, error)
	Join func(ctx context.Context, w ticket.WiFi) (Network, error)
	// Time has the board use a time server. Its note says how; an error does not end
	// anything, as the clock may be right.
	Time  func(ctx context.Context, server string) (note string, err error)
	Enrol func(ctx context.Context, server string, t token.Token) error

	Say  func(Action)   // SayBegun, SayDone, SayNo
	Show func(Progress) // how it goes; returns at once
	Log  *slog.Logger
}

// Progress is how it goes.
type Progress struct {
	Phase   Phase
	Message string // for people
	Problem error  // why the last code was refused, or why it ended; nil for neither
	Until   time.Time
}

// run is one run of the mode. One goroutine has it.
type run struct {
	Config
	phase  Phase
	until  time.Time
	camera Camera
	reader *reader
	next   time.Time // of the next look

	code    string // that was refused last
	codeAt  time.Time
	ticket  ticket.Ticket
	network Network
	problem error
}

// Run looks for a code that serves until there is one, until the time is over or ctx
// ends. What was joined for a code that does not serve is forgotten again.
func Run(ctx context.Context, cfg Config) error {
	limit := min(cmp.Or(cfg.Limit, MaxTime), MaxTime)
	ctx, cancel := context.WithTimeoutCause(ctx, limit, ErrLate)
	defer cancel()
	r := &run{Config: cfg, phase: Off, until: time.Now().Add(limit), reader: &reader{}}
	defer r.blind()
	for event := Start; ; {
		var actions []Action
		r.phase, actions = Step(r.phase, event)
		r.show()
		event = ""
		for _, a := range actions {
			if e := r.act(ctx, a); e != "" {
				event = e
			}
		}
		switch {
		case r.phase == Done:
			return nil
		case r.phase == Off, r.phase == Failed:
			return r.problem
		case event == "":
			event = r.look(ctx)
		}
		if ctx.Err() != nil && event != Enrolled {
			event = r.ended(ctx)
		}
	}
}

func (r *run) ended(ctx context.Context) Event {
	cause := context.Cause(ctx)
	if errors.Is(cause, ErrLate) {
		r.problem = cause
		return Late
	}
	r.problem = cause
	return Stop
}

// act returns what comes of it; "" for nothing.
func (r *run) act(ctx context.Context, a Action) Event {
	switch a {
	case Look:
		return r.open(ctx)
	case Blind:
		r.blind()
	case Join:
		return r.join(ctx)
	case AskTime:
		return r.askTime(ctx)
	case Enrol:
		return r.enrol(ctx)
	case Keep:
		r.keep(ctx)
	case Forget:
		r.forget(ctx)
	default:
		r.Say(a)
	}
	return ""
}

func (r *run) open(ctx context.Context) Event {
	camera, err := r.Open(ctx)
	if err != nil {
		r.problem = fmt.Errorf("look for a code: %w", err)
		return Broken
	}
	r.camera = camera
	return ""
}

func (r *run) blind() {
	if r.camera == nil {
		return
	}
	if err := r.camera.Close(); err != nil {
		r.Log.Debug("close the camera", "error", err)
	}
	r.camera = nil
	r.reader = &reader{} // without the last picture
}

// look looks at pictures until there is a code, or none can be had.
func (r *run) look(ctx context.Context) Event {
	for {
		f, err := r.camera.Next(ctx)
		if err != nil {
			r.problem = fmt.Errorf("look for a code: %w", err)
			return Broken
		}
		now := time.Now()
		if now.Before(r.next) {
			f.Release() // a camera delivers more than are looked at
			continue
		}
		text, err := r.reader.read(f)
		f.Release()
		r.next = time.Now().Add(lookEvery)
		switch {
		case err != nil:
			r.problem = fmt.Errorf("look for a code: %w", err)
			return Broken
		case text == "", text == r.code && now.Sub(r.codeAt) < again:
			continue
		}
		if event := r.take(text, now); event != "" {
			return event
		}
	}
}

// take checks the signature of a code before anything else. One that is none of
// Bril's lies around, and is nobody's mistake.
func (r *run) take(text string, now time.Time) Event {
	t, err := ticket.Read(text, r.Keys)
	if errors.Is(err, ticket.ErrForeign) {
		return ""
	}
	r.code, r.codeAt = text, now
	if err != nil {
		return r.refuse(hintFor(err))
	}
	r.ticket, r.problem = t, nil
	r.Log.Info("a code was read", "ticket", t)
	return Seen
}

func (r *run) refuse(err error) Event {
	r.problem, r.codeAt = err, time.Now()
	r.Log.Warn("a code was refused", "error", err)
	return Refused
}

func (r *run) join(ctx context.Context) Event {
	if r.ticket.WiFi == (ticket.WiFi{}) {
		return Joined
	}
	ctx, cancel := context.WithTimeoutCause(ctx, joinTime, fmt.Errorf("it takes longer than %v", joinTime))
	defer cancel()
	network, err := r.Join(ctx, r.ticket.WiFi)
	if err != nil {
		return r.refuse(err)
	}
	r.network = network
	return Joined
}

func (r *run) askTime(ctx context.Context) Event {
	if r.ticket.NTP == "" {
		return Told
	}
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	note, err := r.Time(ctx, r.ticket.NTP)
	if err != nil {
		r.Log.Warn("no time from the server of the code", "error", err)
	} else {
		r.Log.Info("time", "server", r.ticket.NTP, "how", note)
	}
	return Told
}

func (r *run) enrol(ctx context.Context) Event {
	if err := r.Enrol(ctx, r.ticket.Server.String(), r.ticket.Token); err != nil {
		return r.refuse(err)
	}
	return Enrolled
}

// keep does not undo an enrolment for a network that cannot be kept: it is joined.
func (r *run) keep(ctx context.Context) {
	if r.network == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), keepTime)
	defer cancel()
	if err := r.network.Keep(ctx); err != nil {
		r.Log.Error("the Wi-Fi will be forgotten at the next start", "error", err)
	}
	r.network = nil
}

func (r *run) forget(ctx context.Context) {
	if r.network == nil {
		return
	}
	if err := r.network.Remove(ctx); err != nil {
		r.problem = errors.Join(r.problem, err)
		r.Log.Error("the Wi-Fi of a refused code is still there", "error", err)
	}
	r.network = nil
}

func (r *run) show() {
	message := map[Phase]string{
		Looking: "hold the code in front of the camera", Joining: "joining the Wi-Fi " + r.ticket.WiFi.SSID,
		Clock: "asking for the time", Enrolling: "enrolling", Done: "enrolled", Off: "stopped", Failed: "ended",
	}[r.phase]
	if r.phase == Joining && r.ticket.WiFi.SSID == "" {
		message = "the code has no Wi-Fi"
	}
	r.Show(Progress{Phase: r.phase, Message: message, Problem: r.problem, Until: r.until})
}

type hinted struct {
	error
	hint string
}

func (h hinted) Unwrap() error { return h.error }
func (h hinted) Hint() string  { return h.hint }

func hintFor(err error) error {
	if errors.Is(err, ticket.ErrSignature) {
		return hinted{err, "make the code with the key whose public half is on the glasses: showroom qr --key FILE"}
	}
	return err
}
