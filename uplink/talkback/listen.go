package talkback

import (
	"context"
	"errors"
	"time"

	"github.com/bril-edge/bril/hardware/monotonic"
	"github.com/bril-edge/bril/uplink/rtc"
	"github.com/bril-edge/bril/uplink/whip"
)

const (
	// steady is how long a connection has to stand for its end to be the customer's
	// doing, after which the endpoint is asked at once.
	steady = 5 * time.Second
	// quietTime is after how much silence of the network the device is closed: a
	// customer who has turned the microphone off sends nothing.
	quietTime = 3 * time.Second
	// deafTime is until a device that could not be opened is tried again.
	deafTime = 10 * time.Second
	// leastWait is between two questions to the endpoint in any case; and for
	// eagerTime after news that the customer has turned on a microphone, whose
	// connection takes a moment yet.
	leastWait = time.Second / 2
	eagerTime = 5 * time.Second
	// unknownTime is the least time between questions to an endpoint that does not
	// know the address any more: this conversation is over.
	unknownTime = 15 * time.Second
)

// listener is one Run.
type listener struct {
	*Talkback
	address  string
	receiver *rtc.Receiver // made, and not connected; nil when there is none
	backoff  whip.Backoff
	since    time.Duration // that nobody is heard
	eager    time.Duration // until when the customer is about to speak
}

// once connects and hears, or waits until that can be tried again.
func (l *listener) once(ctx context.Context) {
	l.show(l.trying(), nil)
	err := l.connect(ctx)
	if err != nil {
		l.refused(ctx, err)
		return
	}
	began := monotonic.Now()
	err = l.play(ctx)
	l.end()
	l.since = monotonic.Now()
	switch {
	case ctx.Err() != nil:
	case errors.As(err, &deafError{}):
		l.cfg.Log.Debug("the customer is not heard", "error", err)
		l.show(Deaf, err)
		l.wait(ctx, deafTime)
	case l.since-began > steady:
		l.backoff.Reset()
	default:
		l.wait(ctx, l.backoff.Next(0, err))
	}
}

// trying is shown while the endpoint is asked: of one who is silent it is no news.
func (l *listener) trying() State {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.state == Silent {
		return Silent
	}
	return Connecting
}

// connect asks the endpoint. Its offer stays the same while the customer is silent.
func (l *listener) connect(ctx context.Context) (err error) {
	if l.receiver == nil {
		if l.receiver, err = rtc.NewReceiver(l.cfg.Receiver); err != nil {
			return err
		}
	}
	return l.receiver.Connect(ctx, l.cfg.Client, l.address)
}

// refused waits for as long as an error asks for.
func (l *listener) refused(ctx context.Context, err error) {
	wait := l.backoff.Next(monotonic.Now()-l.since, err)
	if errors.Is(err, whip.ErrSilent) {
		l.show(Silent, nil)
		if monotonic.Now() < l.eager {
			wait = leastWait
		}
	} else {
		l.cfg.Log.Debug("listen to the customer", "error", err)
		l.show(Connecting, err)
		l.end()
	}
	if errors.Is(err, whip.ErrNotFound) {
		wait = max(wait, unknownTime)
	}
	l.wait(ctx, wait)
}

// wait returns earlier when somebody knows that it is time.
func (l *listener) wait(ctx context.Context, d time.Duration) {
	least := time.NewTimer(min(d, leastWait))
	defer least.Stop()
	select {
	case <-least.C:
	case <-ctx.Done():
		return
	}
	rest := time.NewTimer(max(d-leastWait, 0))
	defer rest.Stop()
	select {
	case <-rest.C:
	case <-l.soon:
		l.eager = monotonic.Now() + eagerTime
	case <-ctx.Done():
	}
}

// deafError is why there is no sound output for the customer's voice.
type deafError struct{ error }

func (e deafError) Unwrap() error { return e.error }

// play has the customer heard until the connection or the device has gone. The
// device is open only while something comes.
func (l *listener) play(ctx context.Context) error {
	for {
		out, err := l.cfg.Play(l.hear)
		if err != nil {
			return deafError{err}
		}
		l.show(Hearing, nil)
		err = l.hearing(ctx, out)
		_ = out.Close() // nothing is to be saved
		if !errors.Is(err, errQuiet) {
			return err
		}
		l.show(Silent, nil)
		select {
		case <-l.player.expect():
		case <-l.receiver.Lost():
			return l.receiver.Err()
		case <-ctx.Done():
			return nil
		}
	}
}

var errQuiet = errors.New("nothing has come for a while")

// hearing returns when nothing has come for quietTime, or nothing can come any more.
func (l *listener) hearing(ctx context.Context, out Output) error {
	look := time.NewTicker(quietTime)
	defer look.Stop()
	for last := l.player.stats().Packets; ; {
		select {
		case <-look.C:
			now := l.player.stats().Packets
			if now == last {
				return errQuiet
			}
			last = now
		case <-l.receiver.Lost():
			return l.receiver.Err()
		case <-out.Gone():
			return deafError{errors.New("the sound output was unplugged")}
		case <-ctx.Done():
			return nil
		}
	}
}

// end closes the connection.
func (l *listener) end() {
	if l.receiver == nil {
		return
	}
	if err := l.receiver.Close(context.Background()); err != nil {
		l.cfg.Log.Debug("farewell to the endpoint", "error", err)
	}
	l.receiver = nil
}
