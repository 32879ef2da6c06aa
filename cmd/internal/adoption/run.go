package adoption

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/bril-edge/bril/configs"
	"github.com/bril-edge/bril/configs/fleet"
)

const (
	// proveTime is how long what is on probation has to show that it works, not counting
	// the time in which a conversation keeps it from that.
	proveTime = 45 * time.Second
	// lookEvery is how often what waits is looked at without a reason: not all that keeps
	// a board busy tells when it ends.
	lookEvery = time.Second
	// againAfter is until a dry run that could not tell, or a write that the disk has
	// refused, is made again.
	againAfter = time.Minute
)

// Run tries what is offered, applies what has passed at a safe time, and has what is on
// probation prove itself, until ctx ends. It is to be run beside each agent that was
// made after Begin; ctx ends when that one is told to.
func (a *Adoption) Run(ctx context.Context, board Board) error {
	proving := make(chan struct{})
	probation := a.onProbation()
	if probation {
		go func() {
			defer close(proving)
			a.prove(ctx, board)
		}()
	} else {
		close(proving)
	}
	a.loop(ctx, board)
	<-proving
	if probation {
		a.rest()
	}
	return nil
}

// onProbation says whether the agent was made with what is on probation.
func (a *Adoption) onProbation() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.state.Trial != nil && a.runs == a.state.Trial
}

func (a *Adoption) loop(ctx context.Context, board Board) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		a.tryNext(ctx, board)
		a.applyNext(board)
		a.mend(board)
		select {
		case <-a.wake:
		case <-board.Moved():
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// next takes the candidate that is to be tried now; nil for none.
func (a *Adoption) next() *candidate {
	a.mu.Lock()
	defer a.unlock()
	a.lookEarly()
	c := a.candidate
	if now := time.Now(); c == nil || now.Before(c.again) || now.Before(a.again) {
		return nil
	}
	if err := a.check(c); err != nil { // it waited
		a.candidate = nil
		a.turnDown(c, c.hash, err)
		return nil
	}
	return c
}

// lookEarly takes up what has become valid.
func (a *Adoption) lookEarly() {
	c := a.early
	if c == nil {
		return
	}
	err := a.check(c)
	if errors.Is(err, fleet.ErrNotYet) {
		return
	}
	a.early = nil
	if err != nil {
		a.turnDown(c, c.hash, err)
		return
	}
	a.candidate = c
}

// tryNext takes what was verified through schema and dry run, and stages it.
func (a *Adoption) tryNext(ctx context.Context, board Board) {
	c := a.next()
	if c == nil {
		return
	}
	during, err := a.try(ctx, board, c)
	if ctx.Err() != nil {
		return // another agent will try
	}
	a.mu.Lock()
	defer a.unlock()
	switch {
	case a.candidate != c: // a newer one came
	case errors.Is(err, errDisk):
		a.waitForDisk(c, err)
	case errors.Is(err, ErrNotNow):
		c.again = time.Now().Add(againAfter)
		a.note(fleet.Attempt{Serial: c.bundle.Serial, Content: c.bundle.Content(), Phase: fleet.DryRun, Waits: err.Error(), At: a.cfg.Now()})
	case err != nil:
		a.refuse(c, during, err)
	default:
		a.stage(c)
	}
}

// errDisk says that what a candidate brings cannot be kept.
var errDisk = errors.New("it cannot be kept")

// try says in which phase a candidate fails, and why. A panic is such a failure: nobody
// counts the starts before probation, and the service offers it again at each.
func (a *Adoption) try(ctx context.Context, board Board, c *candidate) (during fleet.Phase, err error) {
	var cfg configs.Config
	err = a.survive(func() (err error) {
		cfg, err = board.Configure(c.bundle, a.files.secretsDir(c.bundle.Content()))
		return err
	})
	if err != nil {
		return fleet.Schema, err
	}
	during = fleet.DryRun
	if err := a.writeBundle(c); err != nil { // the dry run reads its secrets
		return during, fmt.Errorf("%w: %w", errDisk, err)
	}
	return during, a.dryRun(ctx, board, cfg)
}

// dryRunTime is how long the board has to say what it can do.
const dryRunTime = 15 * time.Second

// dryRun asks the board, which may hang in a driver: that is no reason to refuse a
// configuration for good, and none to take no other. While this agent runs the driver is
// not asked again before it has let go.
func (a *Adoption) dryRun(ctx context.Context, board Board, cfg configs.Config) error {
	select {
	case a.asking <- struct{}{}:
	default:
		return fmt.Errorf("the board has not answered an earlier dry run: %w", ErrNotNow)
	}
	own, cancel := context.WithTimeout(ctx, dryRunTime)
	defer cancel()
	answered := make(chan error, 1)
	go func() {
		defer func() { <-a.asking }()
		answered <- a.survive(func() error { return board.DryRun(own, cfg) })
	}()
	select {
	case err := <-answered:
		return err
	case <-own.Done():
		return fmt.Errorf("the board has not said within %v whether it can do that: %w", dryRunTime, ErrNotNow)
	}
}

// survive turns a panic into an error.
func (a *Adoption) survive(what func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			a.cfg.Log.Error("a panic, while a configuration was tried", "panic", p, "stack", string(debug.Stack()))
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	return what()
}

// writeBundle holds the lock, so that nothing is swept meanwhile.
func (a *Adoption) writeBundle(c *candidate) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.files.writeBundle(c)
}

// waitForDisk has a candidate tried again.
func (a *Adoption) waitForDisk(c *candidate, err error) {
	c.again, a.trouble = time.Now().Add(againAfter), err
	a.cfg.Log.Error("a configuration is not taken", "bundle", c.bundle.Serial, "error", err)
	a.note(fleet.Attempt{Serial: c.bundle.Serial, Content: c.bundle.Content(), Phase: fleet.DryRun, Waits: err.Error(), At: a.cfg.Now()})
}

func (a *Adoption) refuse(c *candidate, during fleet.Phase, err error) {
	at := fleet.Attempt{
		Serial: c.bundle.Serial, Content: c.bundle.Content(), During: during,
		Element: elementOf(err, during), Error: err.Error(), Hint: fleet.Hint(err), At: a.cfg.Now(),
	}
	a.cfg.Log.Warn("a configuration is refused", "bundle", at.Serial, "phase", during, "element", at.Element, "error", err)
	a.candidate = nil // what it has written goes
	if _, err := a.step(fleet.Refuse{Attempt: at, Quarantine: true}); err != nil {
		a.candidate = c
		a.waitForDisk(c, fmt.Errorf("%w: %w", errDisk, err))
		return
	}
	a.refused = nil
}

// elementOf is the key of the configuration that is wrong, or what the error says.
func elementOf(err error, during fleet.Phase) string {
	var problems configs.Problems
	if errors.As(err, &problems) && len(problems) > 0 && problems[0].Key != "" {
		return problems[0].Key
	}
	return fleet.Element(err, string(during))
}

func (a *Adoption) stage(c *candidate) {
	k := fleet.Kept{Serial: c.bundle.Serial, Content: c.bundle.Content(), Envelope: c.hash, Key: c.key, Successor: c.bundle.Successor}
	if _, err := a.step(fleet.Stage{Kept: k, Retry: c.bundle.Retry, At: a.cfg.Now()}); err != nil {
		a.waitForDisk(c, fmt.Errorf("%w: %w", errDisk, err))
		return
	}
	a.candidate, a.refused = nil, nil
	a.cfg.Log.Info("a configuration of the fleet waits for its turn", "bundle", k.Serial)
}

// applyNext applies what is staged, once nothing is under way.
func (a *Adoption) applyNext(board Board) {
	busy := board.Busy()
	a.mu.Lock()
	actions := a.apply(busy)
	a.unlock()
	act(board, actions)
}

// apply is safe on the disk before it is done, the floor first.
func (a *Adoption) apply(busy string) []fleet.Action {
	k := a.state.Staged
	switch {
	case k == nil || a.state.Trial != nil || time.Now().Before(a.again):
		return nil
	case busy != "":
		a.waitFor(busy)
		return nil
	case !a.raise():
		return nil
	}
	actions, err := a.step(fleet.Apply{At: a.cfg.Now()})
	if err != nil {
		a.cfg.Log.Error("a configuration is not applied, as that cannot be kept", "bundle", k.Serial, "error", err)
		return nil
	}
	a.cfg.Log.Info("a configuration of the fleet is applied, on probation", "bundle", k.Serial)
	return actions
}

// mend writes what the disk has refused before. The start that Begin could not count is
// made then.
func (a *Adoption) mend(board Board) {
	a.mu.Lock()
	behind := a.skipped || a.unpinned || topOf(a.state).Serial > a.floor.Serial
	mended := behind && !time.Now().Before(a.again) && a.keep(a.state) == nil && a.raise()
	start := mended && a.skipped
	if mended {
		a.skipped = false
		a.tell()
	}
	a.unlock()
	if start {
		board.Anew()
	}
}

// waitFor shows what is waited for. It is not worth a write.
func (a *Adoption) waitFor(what string) {
	next, _ := fleet.Step(a.state, fleet.Wait{For: what, At: a.cfg.Now()})
	was, is := a.state.Attempt, next.Attempt
	if is == nil || was != nil && was.Waits == is.Waits {
		return
	}
	a.state = next
	a.tell()
}

// act does what follows from a step, without the lock.
func act(board Board, actions []fleet.Action) {
	for _, action := range actions {
		if action == fleet.Anew {
			board.Anew()
		}
	}
}

// prove has what is on probation show that it works, or returns to what did.
func (a *Adoption) prove(ctx context.Context, board Board) {
	late := fleet.Refusal{Of: "probation", Err: fmt.Errorf("it has not shown within %v that it works", proveTime)}
	own, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		deadline(own, board, func() { cancel(late) })
	}()
	err := board.Prove(own)
	if cause := context.Cause(own); err != nil && errors.Is(cause, late.Err) && errors.Is(err, context.Canceled) {
		err = late
	}
	cancel(nil)
	<-watched
	if ctx.Err() != nil && err != nil {
		return // the daemon ends: nothing is shown either way
	}
	if err == nil {
		a.confirm(ctx)
	} else {
		act(board, a.fail(err))
	}
	a.poke() // what waits behind it
}

// confirm keeps what has proved itself, as soon as the disk can.
func (a *Adoption) confirm(ctx context.Context) {
	again := time.NewTicker(againAfter)
	defer again.Stop()
	for !a.confirmed() {
		select {
		case <-again.C:
		case <-ctx.Done():
			return
		}
	}
}

// confirmed says that it is kept. A new key signs from now on, also where the state is
// lost.
func (a *Adoption) confirmed() bool {
	a.mu.Lock()
	defer a.unlock()
	if a.state.Trial == nil {
		return true
	}
	serial := a.state.Trial.Serial
	if _, err := a.step(fleet.Prove{At: a.cfg.Now()}); err != nil {
		a.cfg.Log.Error("what has proved itself cannot be kept", "bundle", serial, "error", err)
		return false
	}
	a.succeed()
	a.cfg.Log.Info("a configuration of the fleet is confirmed", "bundle", serial)
	return true
}

// fail returns to what worked. Where that cannot be kept, the agent is made anew all the
// same: Begin does not start what it cannot count.
func (a *Adoption) fail(cause error) []fleet.Action {
	a.mu.Lock()
	defer a.unlock()
	if a.state.Trial == nil {
		return nil
	}
	serial, element := a.state.Trial.Serial, fleet.Element(cause, "probation")
	a.cfg.Log.Error("a configuration of the fleet does not work: the last one that did runs again", "bundle", serial, "element", element, "error", cause)
	actions, err := a.step(fleet.Fail{Element: element, Error: cause.Error(), Hint: fleet.Hint(cause), Log: a.cfg.Tail(), At: a.cfg.Now()})
	if err != nil {
		a.cfg.Log.Error("that it does not work cannot be kept", "bundle", serial, "error", err)
		return []fleet.Action{fleet.Anew}
	}
	return actions
}

// deadline calls late once proveTime has passed in which the board was not busy.
func deadline(ctx context.Context, board Board, late func()) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for free := time.Duration(0); free < proveTime; {
		select {
		case <-tick.C:
			if board.Busy() == "" {
				free += lookEvery
			}
		case <-ctx.Done():
			return
		}
	}
	late()
}

// rest takes back the start of an agent that has ended as it was told to: only those
// that a configuration may have ended count.
func (a *Adoption) rest() {
	a.mu.Lock()
	defer a.unlock()
	if a.state.Trial == nil || a.runs != a.state.Trial { // it has been shown
		return
	}
	if _, err := a.step(fleet.Rest{}); err != nil {
		a.cfg.Log.Error("take back a start", "error", err)
	}
}
