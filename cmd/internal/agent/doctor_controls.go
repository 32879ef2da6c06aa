package agent

import (
	"context"
	"errors"
	"time"

	"github.com/bril-edge/bril/cmd/internal/control"
	"github.com/bril-edge/bril/cmd/internal/doctor"
	"github.com/bril-edge/bril/hardware"
	"github.com/bril-edge/bril/hardware/gpio"
	"github.com/bril-edge/bril/hardware/power"
)

// pressTime is how long the user has for each button, readTime how long a button may
// take until it is read.
const (
	pressTime = 10 * time.Second
	readTime  = time.Second
)

func (e *exam) checkButtons(ctx context.Context) doctor.Verdict {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if e.alone {
		defer e.readButtons(ctx, cancel)()
	}
	var list []doctor.ButtonReading
	for _, b := range e.board.buttons {
		of := e.settled(ctx, b)
		r := doctor.ButtonReading{Name: of.Name, Line: of.Line, Err: of.Err, Stuck: of.Stuck || of.Err == nil && of.Down}
		if r.Err == nil && !r.Stuck && !e.request.NoInput {
			r.Asked, r.Pressed = true, e.pressed(ctx, r.Name)
		}
		list = append(list, r)
	}
	return doctor.JudgeButtons(list)
}

// readButtons reads the buttons as a daemon would, until the function that it returns
// is called.
func (e *exam) readButtons(ctx context.Context, cancel func()) (end func()) {
	for _, b := range e.board.buttons {
		e.background.Go(func() { b.Run(ctx, func(p hardware.Press) { e.exams.takes(p) }) })
	}
	return func() {
		cancel()
		e.background.Wait()
	}
}

// settled returns how a button is doing once that is known.
func (e *exam) settled(ctx context.Context, b button) gpio.ButtonStatus {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for begun := time.Now(); ; {
		of := b.Status()
		if of.Err == nil || !errors.Is(of.Err, gpio.ErrNotRead) || time.Since(begun) > readTime {
			return of
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return of
		}
	}
}

// pressed asks for a press of one button, and takes that one. Every other button does
// what it is for, as between two questions.
func (e *exam) pressed(ctx context.Context, name string) bool {
	press := make(chan struct{}, 1)
	defer e.exams.wait(nil)
	e.exams.wait(func(p hardware.Press) bool {
		if p.Button != name {
			return false
		}
		select {
		case press <- struct{}{}:
		default: // a second one
		}
		return true
	})
	e.line(control.DoctorLine{Ask: "press " + name})
	timer := time.NewTimer(pressTime)
	defer timer.Stop()
	select {
	case <-press:
		return true
	case <-timer.C:
	case <-ctx.Done():
	}
	return false
}

// checkLight drives the light as a capture does, and reads it back.
func (e *exam) checkLight(context.Context) doctor.Verdict {
	light := e.board.light
	now := light.Status()
	r := doctor.LightReading{Line: now.Line, Absent: now.State == hardware.LightNone, Held: now.Holds > 0}
	if r.Absent || r.Held {
		return doctor.JudgeLight(r, now.Err)
	}
	begun := time.Now()
	hold, err := light.Hold()
	if err == nil {
		err = hold.Check()
		hold.Release()
	}
	if err == nil {
		err = light.Status().Err // of putting it out
	}
	r.Took = time.Since(begun)
	return doctor.JudgeLight(r, err)
}

func (e *exam) powerNow() doctor.PowerReading {
	var now power.Reading
	if e.alone {
		now = power.Look(e.powerConfig())
	} else {
		now = e.power.Reading()
	}
	return doctor.PowerReading{Battery: now.Battery, Temperature: now.Temperature}
}
