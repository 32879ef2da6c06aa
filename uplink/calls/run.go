package calls

import (
	"context"
	"fmt"
	"mime"
	"net/http"
	"time"

	"github.com/bril-edge/bril/uplink/origin"
)

// follower is what Run knows from one stream to the next.
type follower struct {
	*Client
	handle func(Event)

	last  string        // id of the last event
	retry time.Duration // as the endpoint wishes
	stood time.Duration // how long the last stream did; 0 when it was refused
	told  bool          // Hello came on it
}

// Run follows the stream until ctx ends, and opens it again whenever it is lost.
// It calls handle, which must return soon, from this goroutine: with Hello at first
// on each stream, and with Down once one that has said Hello is lost.
func (c *Client) Run(ctx context.Context, handle func(Event)) error {
	defer c.http.CloseIdle()
	defer c.show(Status{State: Off})
	f := &follower{Client: c, handle: handle}
	var wait backoff
	for down := time.Now(); ; {
		c.note(Connecting, nil, 0)
		err := f.listen(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if f.told {
			handle(Down{})
		}
		var pause time.Duration
		if f.stood >= held && !is(err, ErrFlood, ErrTooLarge, ErrNotEvents) {
			down = time.Now()
			wait = backoff{}
			pause = f.retry
		} else {
			pause = max(wait.next(time.Since(down), err), f.retry)
		}
		c.fail(err, pause)
		if !c.rest(ctx, pause) {
			return nil
		}
	}
}

// fail shows why there is no stream, in the log the first time.
func (c *Client) fail(err error, pause time.Duration) {
	state := Waiting
	if is(err, ErrAbsent) {
		state = Absent
	}
	first := c.Status().Count == 0
	c.note(state, err, pause)
	if first && state == Waiting {
		c.log.Info("calls are not heard of, the endpoint is asked again", "error", err)
	}
}

// note shows a state. Errors in a row are counted until the stream stands.
func (c *Client) note(state State, err error, pause time.Duration) {
	s := c.Status()
	s.State, s.Retry = state, time.Time{}
	switch {
	case err != nil:
		if s.Count++; s.Count == 1 {
			s.Since = time.Now()
		}
		s.Err, s.Retry = err, time.Now().Add(pause)
	case state == Connected:
		s = Status{State: Connected}
	}
	c.show(s)
}

func (c *Client) show(s Status) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.status = s
}

// rest waits, and says whether to go on.
func (c *Client) rest(ctx context.Context, pause time.Duration) bool {
	select { // what came while it was tried has been taken into account
	case <-c.wake:
	default:
	}
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-c.wake:
	case <-ctx.Done():
		return false
	}
	return ctx.Err() == nil
}

// listen follows one stream, and returns why it ended.
func (f *follower) listen(ctx context.Context) error {
	f.stood, f.told, f.retry = 0, false, 0
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	q := origin.Request{
		Op: "follow calls at", Method: http.MethodGet, URL: f.http.Endpoint(),
		Header: map[string]string{"Accept": "text/event-stream", "Cache-Control": "no-store", "Last-Event-ID": f.last},
	}
	r, body, err := f.http.Open(ctx, openTime, q)
	if err != nil {
		return err
	}
	if r.Status != http.StatusOK {
		if body != nil {
			body.Close()
		}
		return f.refused(q, r, ErrTaken)
	}
	defer body.Close()
	if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind != "text/event-stream" {
		return f.http.Refused(q, r, "check "+keyURL, ErrNotEvents)
	}
	hello := time.AfterFunc(openTime, func() { cancel(fmt.Errorf("%w: %w", ErrNotEvents, errNoHello)) })
	defer hello.Stop()
	watch := time.AfterFunc(silence, func() { cancel(ErrSilent) })
	defer watch.Stop()
	began := time.Now()
	in := newReader(body, f.last, func() { watch.Reset(silence) })
	err = f.read(in, func() { hello.Stop() })
	f.last, f.retry, f.stood = in.id, in.retry, time.Since(began)
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	return q.Fail(err)
}

// read hands on the events of one stream until it breaks, and tells greeted of the
// first.
func (f *follower) read(in *reader, greeted func()) error {
	warned := false
	for {
		m, err := in.next()
		if err != nil {
			return err
		}
		event, err := parse(m)
		_, hello := event.(Hello)
		switch {
		case err != nil && !f.told:
			return fmt.Errorf("%w: %w", ErrNotEvents, err)
		case err != nil:
			if !warned {
				f.log.Warn("the endpoint tells what is not understood, and is not heeded", "error", err)
			}
			warned = true
		case event == nil:
		case !f.told && !hello:
			return fmt.Errorf("%w: %w", ErrNotEvents, errNoHello)
		default:
			if !f.told {
				f.told = true
				greeted()
				f.note(Connected, nil, 0)
			}
			f.handle(event)
		}
	}
}
