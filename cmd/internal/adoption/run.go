package adoption

import (
	"context"
	"errors"
	"fmt"
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
	// againAfter is until a dry run that could not tell is made again.
	againAfter = time.Minute
)

// Run tries what is offered, applies what has passed at a safe time, and has what is on
// probation prove itself, until ctx ends. It is to be run beside each agent that was
// made after Begin.
func (a *Adoption) Run(ctx context.Context, board Board) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	proving := make(chan struct{})
	if a.onProbation() {
		go func() {
			defer close(proving)
			a.prove(ctx, board)
		}()
	} else {
		close(proving)
	}
	a.loop(ctx, board)
	cancel()
	<-proving
	a.rest()
	return nil
}

func (a *Adoption) onProbation() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.state.Trial != nil
}

func (a *Adoption) loop(ctx context.Context, board Board) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		a.tryNext(ctx, board)
		a.applyNext(board)
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
	defer a.mu.Unlock()
	if c := a.early; c != nil && !errors.Is(a.check(c.bundle), fleet.ErrNotYet) {
		a.early, a.candidate = nil, c
	}
	c := a.candidate
	if c == nil || a.cfg.Now().Before(c.again) {
		return nil
	}
	if err := a.check(c.bundle); err != nil { // it waited
		a.candidate = nil
		a.turnDown(c, c.hash, err)
		return nil
	}
	return c
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
	defer a.mu.Unlock()
	if a.candidate != c {
		return // a newer one came
	}
	if errors.Is(err, ErrNotNow) {
		c.again = a.cfg.Now().Add(againAfter)
		a.note(fleet.Attempt{Serial: c.bundle.Serial, Content: c.bundle.Content(), Phase: fleet.DryRun, Waits: err.Error(), At: a.cfg.Now()})
		return
	}
	if err != nil {
		a.candidate, a.refused = nil, nil
		a.refuse(c, during, err)
		return
	}
	a.stage(c)
}

// try says in which phase a candidate fails, and why.
func (a *Adoption) try(ctx context.Context, board Board, c *candidate) (fleet.Phase, error) {
	var cfg configs.Config
	cfg, err := board.Configure(c.bundle, a.files.secretsDir(c.bundle.Content()))
	if err != nil {
		return fleet.Schema, err
	}
	if err := a.files.writeBundle(c); err != nil { // the dry run reads its secrets
		return fleet.DryRun, fmt.Errorf("%w: %w", ErrNotNow, err)
	}
	return fleet.DryRun, board.DryRun(ctx, cfg)
}

func (a *Adoption) refuse(c *candidate, during fleet.Phase, err error) {
	at := fleet.Attempt{
		Serial: c.bundle.Serial, Content: c.bundle.Content(), During: during,
		Element: fleet.Element(err, string(during)), Error: err.Error(), Hint: fleet.Hint(err), At: a.cfg.Now(),
	}
	a.cfg.Log.Warn("a configuration is refused", "bundle", at.Serial, "phase", during, "element", at.Element, "error", err)
	if _, err := a.step(fleet.Refuse{Attempt: at, Quarantine: true}); err != nil {
		a.cfg.Log.Error(err.Error())
	}
}

func (a *Adoption) stage(c *candidate) {
	k := fleet.Kept{Serial: c.bundle.Serial, Content: c.bundle.Content(), Envelope: c.hash, Key: c.key, Successor: c.bundle.Successor}
	if _, err := a.step(fleet.Stage{Kept: k, Retry: c.bundle.Retry, At: a.cfg.Now()}); err != nil {
		a.cfg.Log.Error("a configuration is not taken, as it cannot be kept", "bundle", k.Serial, "error", err)
		c.again = a.cfg.Now().Add(againAfter)
		return
	}
	a.candidate, a.refused = nil, nil
	a.cfg.Log.Info("a configuration of the fleet waits for its turn", "bundle", k.Serial)
}

// applyNext applies what is staged, once nothing is under way.
func (a *Adoption) applyNext(board Board) {
	busy := board.Busy()
	a.mu.Lock()
	apply := a.state.Staged != nil && a.state.Trial == nil
	if !apply {
		a.mu.Unlock()
		return
	}
	if busy != "" {
		a.waitFor(busy)
		a.mu.Unlock()
		return
	}
	serial := a.state.Staged.Serial
	actions, err := a.apply()
	a.mu.Unlock()
	if err != nil {
		a.cfg.Log.Error("a configuration is not applied, as that cannot be kept", "bundle", serial, "error", err)
		return
	}
	a.cfg.Log.Info("a configuration of the fleet is applied, on probation", "bundle", serial)
	act(board, actions)
}

// apply is safe on the disk before it is done, the floor first.
func (a *Adoption) apply() ([]fleet.Action, error) {
	if err := a.raise(); err != nil {
		return nil, err
	}
	return a.step(fleet.Apply{At: a.cfg.Now()})
}

// waitFor shows what is waited for. It is not worth a write.
func (a *Adoption) waitFor(what string) {
	if at := a.state.Attempt; at != nil && at.Waits == what {
		return
	}
	a.state, _ = fleet.Step(a.state, fleet.Wait{For: what, At: a.cfg.Now()})
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
	a.mu.Lock()
	serial := uint64(0)
	if a.state.Trial != nil {
		serial = a.state.Trial.Serial
	}
	var actions []fleet.Action
	var failed error
	if err == nil {
		actions, failed = a.confirm()
	} else {
		actions, failed = a.step(fleet.Fail{Element: fleet.Element(err, "probation"), Error: err.Error(), Hint: fleet.Hint(err), Log: a.cfg.Tail(), At: a.cfg.Now()})
	}
	a.mu.Unlock()
	switch {
	case failed != nil:
		a.cfg.Log.Error("what came of a configuration cannot be kept", "bundle", serial, "error", failed)
	case err == nil:
		a.cfg.Log.Info("a configuration of the fleet is confirmed", "bundle", serial)
	default:
		a.cfg.Log.Error("a configuration of the fleet does not work: the last one that did runs again", "bundle", serial, "element", fleet.Element(err, "probation"), "error", err)
	}
	act(board, actions)
	a.poke() // what waits behind it
}

// confirm keeps what has proved itself. A new key signs from now on, also where the
// state is lost.
func (a *Adoption) confirm() ([]fleet.Action, error) {
	if k := a.state.Trial; k != nil && k.Successor != "" {
		p := a.pins
		p.Keys = []string{k.Successor}
		if err := a.files.writePins(p); err != nil {
			return nil, err
		}
		a.pins = p
	}
	return a.step(fleet.Prove{At: a.cfg.Now()})
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

// rest takes back the start of an agent that has ended as it should: only those that a
// configuration may have ended count.
func (a *Adoption) rest() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.state.Trial == nil || a.state.Starts == 0 {
		return
	}
	if _, err := a.step(fleet.Rest{}); err != nil {
		a.cfg.Log.Error(err.Error())
	}
}
