package agent

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/bril-edge/bril/cmd/internal/control"
	"github.com/bril-edge/bril/cmd/internal/doctor"
	"github.com/bril-edge/bril/configs"
)

// prove shows whether the configuration that runs works: the fleet's service is reached
// by it, the encoder gives pictures, the light works, and the endpoint takes a stream.
// Pictures are the test pattern's: nothing is captured. A conversation comes first, and
// what it has cut off begins again when it is over.
func (a *Agent) prove(ctx context.Context, reached <-chan struct{}) error {
	for {
		if err := a.whenIdle(ctx); err != nil {
			return err
		}
		err := a.proveOnce(ctx, reached)
		if !errors.Is(err, errInterrupted) {
			return err
		}
	}
}

// errInterrupted says that a conversation came first.
var errInterrupted = errors.New("interrupted by a conversation")

func (a *Agent) proveOnce(ctx context.Context, reached <-chan struct{}) error {
	own, end, err := a.exams.begin(ctx)
	if err != nil { // `bril doctor` looks at the same things just now
		return a.later(ctx)
	}
	defer end()
	e := newExam(a, control.DoctorRequest{Only: []doctor.ID{doctor.WHIP}, NoInput: true}, func(control.DoctorLine) {})
	for _, gate := range []func(context.Context) error{e.encoderGate, e.lightGate, e.whipGate} {
		err := gate(own)
		if ctx.Err() != nil {
			return cmp.Or(err, ctx.Err())
		}
		if own.Err() != nil {
			return errInterrupted
		}
		if err != nil {
			return err
		}
	}
	select {
	case <-reached:
		return nil
	case <-own.Done():
	}
	if ctx.Err() == nil {
		return errInterrupted
	}
	return element{hinted{errors.New("the fleet's service was not reached by this configuration"), "is it one that the glasses reach the endpoint by?"}, "control-plane"}
}

// laterWait is until what somebody else does just now is tried again.
const laterWait = time.Second

func (a *Agent) later(ctx context.Context) error {
	timer := time.NewTimer(laterWait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return errInterrupted
	case <-ctx.Done():
		return ctx.Err()
	}
}

// encoderGate wants pictures out of the encoder that runs by this configuration, and
// the board's where there is one. How fast it is depends on what else the board does.
func (e *exam) encoderGate(ctx context.Context) error {
	if e.cfg.Camera.Source.Kind == configs.None {
		return nil
	}
	r, err := e.tryEncoder(ctx)
	switch {
	case err != nil:
	case r.Warning != "" && len(e.chips()) > 0: // the chip failed, and software took its place
		err = errors.New(r.Warning)
	case r.Came < r.Pictures*9/10:
		err = fmt.Errorf("%s made %d of %d pictures", r.Name, r.Came, r.Pictures)
	case !r.KeyAsked:
		err = fmt.Errorf("%s makes no key frame when asked", r.Name)
	}
	if err != nil {
		return element{err, "encoder"}
	}
	return nil
}

func (e *exam) lightGate(ctx context.Context) error {
	v := e.checkLight(ctx)
	if v.Status != doctor.Fail {
		return nil
	}
	return element{hinted{errors.New(v.Message), v.Hint}, "light"}
}

// whipGate publishes under a name for tests, and ends it: what is sent there, nobody
// sees. A stream that is answered and does not connect would be none.
func (e *exam) whipGate(ctx context.Context) error {
	p := e.published(ctx)
	switch {
	case !p.Posted:
		return element{p.Err, "whip"}
	case !p.Connected:
		return element{p.Err, "uplink"}
	}
	return nil
}
