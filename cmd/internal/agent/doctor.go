package agent

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/bril-edge/bril/cmd/internal/call"
	"github.com/bril-edge/bril/cmd/internal/control"
	"github.com/bril-edge/bril/cmd/internal/doctor"
	"github.com/bril-edge/bril/cmd/internal/session"
	"github.com/bril-edge/bril/configs"
	"github.com/bril-edge/bril/hardware"
)

// Doctor examines the daemon, its board and its way to the endpoint. It changes
// nothing. A conversation is left alone, and ends it where one begins.
func (a *Agent) Doctor(ctx context.Context, request control.DoctorRequest, tell func(control.DoctorLine)) (doctor.Report, error) {
	ctx, end, err := a.exams.begin(ctx)
	if err != nil {
		return doctor.Report{}, err
	}
	defer end()
	if err := a.refusedByProvisioning(); err != nil { // it has the camera
		return doctor.Report{}, err
	}
	return newExam(a, request, tell).run(ctx, a.inConversation())
}

// Examine does what Doctor does where no daemon runs. broken is why the configuration
// could not be read; it is then the default one, and tells nothing.
func Examine(ctx context.Context, cfg configs.Config, broken error, opts Options, request control.DoctorRequest, tell func(control.DoctorLine)) (doctor.Report, error) {
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	a := &Agent{cfg: cfg, opts: opts}
	if err := a.useBoard(); err != nil {
		return doctor.Report{}, err
	}
	defer a.board.close() //nolint:errcheck // the check of the light has told
	a.ear = newEar(cfg, opts.Log)
	a.openIdentity()
	e := newExam(a, request, tell)
	e.alone, e.broken = true, broken
	return e.run(ctx, false)
}

// inConversation says that one runs, or is called for: or that something is captured
// for another reason.
func (a *Agent) inConversation() bool {
	s := a.Session.Status()
	quiet := s.State == string(session.Off) || s.State == string(session.Ready) || s.State == string(session.Fault)
	return !quiet || s.Camera != "" || s.Microphone != "" || a.call.State().Phase != call.Idle
}

// exams holds the examination that runs, if one does.
type exams struct {
	mu     sync.Mutex
	cancel context.CancelCauseFunc // nil without
	done   chan struct{}
	press  func(hardware.Press) bool // takes a press that was asked for
}

var errExamined = hinted{errors.New("the glasses are being examined already"), "wait for the other bril doctor to end"}

func (x *exams) begin(ctx context.Context) (context.Context, func(), error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.cancel != nil {
		return nil, nil, errExamined
	}
	ctx, x.cancel = context.WithCancelCause(ctx)
	done := make(chan struct{})
	x.done = done
	return ctx, func() {
		x.mu.Lock()
		defer x.mu.Unlock()
		x.cancel(nil)
		x.cancel, x.press = nil, nil
		close(done)
	}, nil
}

func (x *exams) running() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.cancel != nil
}

// examEnds bounds the wait for an examination that is told to end: a camera that does
// not let go is the session's to find busy.
const examEnds = 3 * time.Second

// yield ends an examination, as a conversation begins, and returns once it has let go
// of its devices.
func (x *exams) yield(ctx context.Context) {
	x.mu.Lock()
	cancel, done := x.cancel, x.done
	x.mu.Unlock()
	if cancel == nil {
		return
	}
	cancel(doctor.ErrConversation)
	timer := time.NewTimer(examEnds)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
	case <-ctx.Done():
	}
}

// takes says whether a press was asked for by an examination, which has it then.
func (x *exams) takes(p hardware.Press) bool {
	x.mu.Lock()
	take := x.press
	x.mu.Unlock()
	return take != nil && take(p)
}

func (x *exams) wait(take func(hardware.Press) bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.press = take
}

// exam is one examination.
type exam struct {
	*Agent
	request control.DoctorRequest
	line    func(control.DoctorLine)
	alone   bool  // no daemon runs
	broken  error // why there is no configuration
	secrets error // of the files that it names
	live    bool
	probes  probes

	published func(ctx context.Context) *published // the one test of publishing
	looks     func(ctx context.Context) []look     // at each endpoint
}

// probes are what tests put faults into.
type probes struct {
	resolver *net.Resolver
	sync     func(file interface{ Sync() error }) error
	now      func() time.Time
	devices  []string // that are needed, for the check of permissions; nil are the board's
}

func newExam(a *Agent, request control.DoctorRequest, tell func(control.DoctorLine)) *exam {
	e := &exam{Agent: a, request: request, line: tell, probes: a.opts.probes}
	if e.probes.resolver == nil {
		e.probes.resolver = net.DefaultResolver
	}
	if e.probes.sync == nil {
		e.probes.sync = func(f interface{ Sync() error }) error { return f.Sync() }
	}
	if e.probes.now == nil {
		e.probes.now = time.Now
	}
	e.published = once(e.publish)
	e.looks = once(e.look)
	return e
}

// once does what is asked for by several checks for the first of them.
func once[T any](f func(context.Context) T) func(context.Context) T {
	var done sync.Once
	var result T
	return func(ctx context.Context) T {
		done.Do(func() { result = f(ctx) })
		return result
	}
}

func (e *exam) run(ctx context.Context, live bool) (doctor.Report, error) {
	e.live = live
	e.secrets = e.readSecrets()
	tell := func(r doctor.Result) { e.line(control.DoctorLine{Result: &r}) }
	return doctor.Run(ctx, e.checks(), doctor.Options{Only: e.request.Only, Live: live}, tell)
}

func (e *exam) wants(id doctor.ID) bool {
	return len(e.request.Only) == 0 || slices.Contains(e.request.Only, id)
}

// checks are all there are, with what each depends on. What is known of board and
// endpoint comes from the configuration: where that cannot be read, they are nobody's.
func (e *exam) checks() []doctor.Check {
	const disturbs = true
	list := []doctor.Check{
		{ID: doctor.Kernel, Run: e.kernel},
		{ID: doctor.Permissions, Run: e.permissions},
		{ID: doctor.Camera, Needs: []doctor.ID{doctor.Permissions}, Lane: doctor.Board, Disturbs: disturbs, Run: e.checkCamera},
		{ID: doctor.Encoder, Lane: doctor.Board, Disturbs: disturbs, Run: e.checkEncoder},
		{ID: doctor.Microphone, Needs: []doctor.ID{doctor.Permissions}, Disturbs: disturbs, Run: e.checkMicrophone},
		{ID: doctor.Output, Needs: []doctor.ID{doctor.Permissions}, Disturbs: disturbs, Run: e.checkOutput},
		{ID: doctor.Buttons, Needs: []doctor.ID{doctor.Permissions}, Disturbs: disturbs, Run: e.checkButtons},
		{ID: doctor.Light, Needs: []doctor.ID{doctor.Permissions}, Run: e.checkLight},
		{ID: doctor.Battery, Run: func(context.Context) doctor.Verdict { return doctor.JudgeBattery(e.powerNow()) }},
		{ID: doctor.Temperature, Run: func(context.Context) doctor.Verdict { return doctor.JudgeTemperature(e.powerNow()) }},
		{ID: doctor.Disk, Run: e.checkDisk},
		{ID: doctor.Clock, Run: e.checkClock},
		{ID: doctor.DNS, Run: e.checkDNS},
		{ID: doctor.TCP, Needs: []doctor.ID{doctor.DNS}, Run: e.checkTCP},
		{ID: doctor.TLS, Needs: []doctor.ID{doctor.Clock, doctor.TCP}, Run: e.checkTLS},
		{ID: doctor.UDP, Needs: []doctor.ID{doctor.TLS, doctor.Enrolment, doctor.Configuration}, Run: e.checkUDP},
		{ID: doctor.TURN, Needs: []doctor.ID{doctor.DNS, doctor.Configuration}, Run: e.checkTURN},
		{ID: doctor.Uplink, Needs: []doctor.ID{doctor.WHIP, doctor.UDP}, Disturbs: disturbs, Run: e.checkUplink},
		{ID: doctor.WHIP, Needs: []doctor.ID{doctor.TLS, doctor.Enrolment, doctor.Configuration}, Disturbs: disturbs, Run: e.checkWHIP},
		{ID: doctor.Enrolment, Needs: []doctor.ID{doctor.TLS}, Run: e.checkEnrolment},
		{ID: doctor.Configuration, Run: e.checkConfiguration},
		{ID: doctor.Spool, Run: e.checkSpool},
	}
	if e.live {
		e.asTheSessionHasIt(list)
	}
	if e.broken != nil {
		for i, c := range list {
			if c.ID != doctor.Kernel && c.ID != doctor.Configuration {
				list[i].Needs = append(list[i].Needs, doctor.Configuration)
			}
		}
	}
	return list
}

// asTheSessionHasIt puts the session's own words for what fails in the place of checks
// that would disturb it.
func (e *exam) asTheSessionHasIt(list []doctor.Check) {
	for _, fault := range e.Status().Errors {
		i := slices.IndexFunc(list, func(c doctor.Check) bool { return string(c.ID) == fault.Component && c.Disturbs })
		if i < 0 {
			continue
		}
		list[i].Disturbs = false
		list[i].Run = func(context.Context) doctor.Verdict {
			return doctor.Verdict{Status: doctor.Fail, Message: fault.Message, Hint: fault.Hint}
		}
	}
}
