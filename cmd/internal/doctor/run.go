package doctor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// limit is how long one check may take.
const limit = 20 * time.Second

// ErrConversation is the cause of a context that ends because a call or a
// conversation begins.
var ErrConversation = errors.New("a conversation has begun")

// Lane is what checks use that only one can have at a time.
type Lane string

// The lanes. A check without one disturbs no other.
const (
	Board   Lane = "board"   // the processor, and what hangs on it: it measures time
	Network Lane = "network" // the way to the endpoint, for what measures it
)

// Check is one thing to look at. It depends on those in Needs: when one of them
// fails it tells nothing, and is skipped.
type Check struct {
	ID    ID
	Needs []ID
	Lane  Lane
	// Disturbs a conversation, so that it is skipped during one.
	Disturbs bool
	Run      func(ctx context.Context) Verdict
}

// Options say which checks are run, and when not.
type Options struct {
	Only []ID // none is all of them
	// Live says that a conversation runs or is called for.
	Live bool
}

// Run runs checks beside each other, as far as they do not disturb each other, and
// tells their results in their own order, each as soon as that is possible. It returns
// when all have ended. When ctx ends by ErrConversation, the rest is skipped; by
// anything else, that is the error.
func Run(ctx context.Context, checks []Check, o Options, tell func(Result)) (Report, error) {
	r := run{ctx: ctx, o: o, lanes: map[Lane]chan struct{}{}, tasks: map[ID]*task{}}
	var chosen []*task
	for _, c := range checks {
		if len(o.Only) > 0 && !slices.Contains(o.Only, c.ID) {
			continue
		}
		t := &task{Check: c, done: make(chan struct{})}
		if c.Lane != "" && r.lanes[c.Lane] == nil {
			r.lanes[c.Lane] = make(chan struct{}, 1)
		}
		r.tasks[c.ID], chosen = t, append(chosen, t)
	}
	var running sync.WaitGroup
	for _, t := range chosen {
		running.Go(func() {
			defer close(t.done)
			t.verdict = r.verdict(t)
		})
	}
	var results []Result
	for _, t := range chosen {
		<-t.done
		result := Result{t.ID, t.verdict}
		results = append(results, result)
		if tell != nil && r.interrupted() == nil {
			tell(result)
		}
	}
	running.Wait()
	return NewReport(results), r.interrupted()
}

type run struct {
	ctx   context.Context
	o     Options
	lanes map[Lane]chan struct{} // each holds a value while it is used
	tasks map[ID]*task
}

type task struct {
	Check
	done    chan struct{}
	verdict Verdict // once it is done
}

// interrupted is why nobody wants the rest.
func (r *run) interrupted() error {
	if err := context.Cause(r.ctx); err != nil && !errors.Is(err, ErrConversation) {
		return err
	}
	return nil
}

func (r *run) verdict(t *task) Verdict {
	if r.o.Live && t.Disturbs {
		return Skip("not during a conversation, which it would disturb")
	}
	for _, need := range t.Needs {
		if on := r.failed(need, t.ID); on != "" {
			return SkipOn(on)
		}
	}
	if lane := r.lanes[t.Lane]; lane != nil {
		lane <- struct{}{}
		defer func() { <-lane }()
	}
	if r.ctx.Err() != nil {
		return r.cut()
	}
	late := fmt.Errorf("no result within %v", limit)
	ctx, cancel := context.WithTimeoutCause(r.ctx, limit, late)
	defer cancel()
	v := t.Run(ctx)
	switch {
	case r.ctx.Err() != nil:
		return r.cut()
	case ctx.Err() != nil && v.Status == Fail:
		v.Message = late.Error() + ": " + v.Message
	}
	return v
}

// cut is the verdict of a check that was not finished.
func (r *run) cut() Verdict {
	if errors.Is(context.Cause(r.ctx), ErrConversation) {
		return Skip("stopped, as " + ErrConversation.Error())
	}
	return Skip("interrupted")
}

// failed returns the check whose failure leaves nothing to be told by one that needs
// this, or "". What is not run is taken for well, and so is what was skipped for
// another reason.
func (r *run) failed(need, by ID) ID {
	t := r.tasks[need]
	if t == nil {
		return ""
	}
	<-t.done
	switch {
	case t.verdict.Status == Fail:
		return need
	case t.verdict.On != by:
		return t.verdict.On
	}
	return ""
}
