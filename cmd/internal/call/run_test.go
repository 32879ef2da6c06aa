package call

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bril-edge/bril/cmd/internal/session"
	"github.com/bril-edge/bril/uplink/calls"
)

// far is the endpoint, the session and the ear of a test, on the clock of a bubble.
type far struct {
	t    *testing.T
	call *Control

	mu      sync.Mutex
	list    []string // what came, in order
	refuses error    // of the endpoint
	takes   time.Duration
	dark    error // of going live
	room    string
}

func (f *far) note(format string, args ...any) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.list = append(f.list, fmt.Sprintf(format, args...))
	return f.refuses
}

func inBubble(t *testing.T, test func(*far)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		f := &far{t: t, room: one}
		f.call = New(Config{
			Answer: func(ctx context.Context, id string, accept bool) error {
				time.Sleep(f.takes)
				return f.note("answer %s %t", id[:1], accept)
			},
			End:    func(ctx context.Context, id string) error { return f.note("end %s", id[:1]) },
			LiveOn: f.liveOn,
			LiveOff: func(_ context.Context, reason session.Reason) error {
				_ = f.note("off: %s", reason)
				f.call.Tell(Left{reason})
				return nil
			},
			Cue:  func(c session.Cue) { _ = f.note("%s", c) },
			Hush: func(session.Cue) { _ = f.note("hush") },
			Log:  slog.New(slog.DiscardHandler),
		})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			if err := f.call.Run(ctx); err != nil {
				t.Error(err)
			}
		}()
		test(f)
		cancel()
		<-done
		if err := f.call.Press(t.Context(), Accept{}); err == nil {
			t.Error("a press after its end does something")
		}
	})
}

func (f *far) liveOn(context.Context) error {
	_ = f.note("on")
	if f.dark == nil {
		f.call.Tell(Entered{f.room})
	}
	return f.dark
}

// want checks what came since it was asked last, and what it is.
func (f *far) want(phase Phase, list ...string) {
	f.t.Helper()
	synctest.Wait()
	f.mu.Lock()
	defer f.mu.Unlock()
	if !slices.Equal(f.list, list) {
		f.t.Errorf("came %q, want %q", f.list, list)
	}
	f.list = nil
	if s := f.call.State(); s.Phase != phase {
		f.t.Errorf("it is %s, want %s", s.Phase, phase)
	}
}

func (f *far) press(e Event) error { return f.call.Press(f.t.Context(), e) }

// talks brings up a conversation.
func (f *far) talks() {
	f.t.Helper()
	f.call.Tell(hello("", ""))
	f.call.Tell(rings(one))
	f.want(Ringing, "ring")
	if err := f.press(Accept{}); err != nil {
		f.t.Error(err)
	}
	f.want(Talking, "hush", "answer a true", "on")
}

func TestRingsAndTalks(t *testing.T) {
	inBubble(t, func(f *far) {
		f.call.Tell(rings(one))
		f.want(Ringing, "ring")
		time.Sleep(2*ringEvery + time.Millisecond)
		f.want(Ringing, "ring", "ring")
		if err := f.press(Accept{}); err != nil {
			t.Error(err)
		}
		f.want(Talking, "hush", "answer a true", "on")
		f.call.Tell(customer("left", ""))
		time.Sleep(leftTime + time.Millisecond)
		f.want(Talking, "customer-left")
		f.call.Tell(changed(one, calls.Ended, "customer"))
		f.want(Idle, "off: "+string(session.ByCustomer))
		f.call.Tell(rating(one, "up"))
		f.want(Idle, "thumb-up")
	})
}

func TestPresses(t *testing.T) {
	inBubble(t, func(f *far) {
		wants := func(err error, text string) {
			t.Helper()
			if text == "" && err != nil || text != "" && (err == nil || !strings.Contains(err.Error(), text)) {
				t.Errorf("%v, want %q", err, text)
			}
			var hinted interface{ Hint() string }
			if text != "" && errors.As(err, &hinted) && hinted.Hint() == "" {
				t.Errorf("%v has no hint", err)
			}
		}
		wants(f.press(Accept{}), "no call rings")
		wants(f.press(Decline{}), "no call rings")
		wants(f.press(Hangup{}), "no conversation")
		f.call.Tell(rings(one))
		f.want(Ringing, "ring")
		wants(f.press(Hangup{}), "no conversation")
		wants(f.press(Decline{}), "")
		f.want(Idle, "hush", "answer a false")

		f.refuses = calls.ErrGone
		f.call.Tell(rings(one))
		wants(f.press(Accept{}), calls.ErrGone.Error())
		f.want(Idle, "ring", "hush", "answer a true", "refused")

		f.refuses = errors.New("no route to host")
		f.call.Tell(rings(one))
		wants(f.press(Accept{}), "no route to host")
		f.want(Ringing, "ring", "hush", "answer a true", "refused")
		f.refuses = nil
		wants(f.press(Accept{}), "")
		f.want(Talking, "hush", "answer a true", "on")
		wants(f.press(Hangup{}), "")
		f.want(Idle, "off: "+string(session.ByAdvisor), "end a")
	})
}

// Who has accepted and hears nothing is told when it is over, and may give up.
func TestSlowAnswer(t *testing.T) {
	inBubble(t, func(f *far) {
		f.takes = 4 * time.Second
		f.call.Tell(rings(one))
		f.want(Ringing, "ring")
		ctx, cancel := context.WithTimeout(f.t.Context(), time.Second)
		defer cancel()
		if err := f.call.Press(ctx, Accept{}); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		f.want(Accepted, "hush")
		if err := f.press(Hangup{}); err != nil {
			t.Error(err)
		}
		time.Sleep(4 * time.Second)
		f.want(Idle, "answer a true", "end a")

		f.call.Tell(rings(two))
		result := make(chan error, 1)
		go func() { result <- f.press(Accept{}) }()
		f.want(Accepted, "ring", "hush")
		f.call.Tell(hello("", "")) // it is over meanwhile
		if err := <-result; err == nil {
			t.Error("accepted what is over")
		}
		time.Sleep(5 * time.Second)
		f.want(Idle, "refused", "answer b true")
	})
}

// The endpoint is told of an end for as long as it helps.
func TestInsists(t *testing.T) {
	inBubble(t, func(f *far) {
		f.talks()
		f.refuses = errors.New("no route to host")
		f.call.Tell(Left{session.ByAdvisor})
		time.Sleep(2 * time.Second)
		f.want(Idle, "end a", "end a")
		time.Sleep(time.Hour)
		f.want(Idle, "end a", "end a", "end a")
		f.refuses = nil
		f.talks()
		f.refuses = calls.ErrGone
		f.call.Tell(Left{session.ByAdvisor})
		time.Sleep(time.Hour)
		f.want(Idle, "end a")
		f.refuses = nil
		f.talks()
		f.refuses = errors.New("no route to host")
		f.call.Tell(Left{session.ByAdvisor})
		f.want(Idle, "end a") // and the daemon stops without waiting
	})
}

func TestCannotGoLive(t *testing.T) {
	inBubble(t, func(f *far) {
		f.dark = errors.New("the battery is empty")
		f.call.Tell(rings(one))
		if err := f.press(Accept{}); err != nil {
			t.Error(err)
		}
		f.want(Idle, "ring", "hush", "answer a true", "on", "off: "+string(session.ByAdvisor), "end a")
	})
}

// The stream is cut for a minute in every state: what goes on and what ends.
func TestCutForAMinute(t *testing.T) {
	cut := func(f *far) {
		f.call.Tell(calls.Down{})
		time.Sleep(time.Minute)
	}
	t.Run("idle", func(t *testing.T) {
		inBubble(t, func(f *far) {
			cut(f)
			f.want(Idle)
			f.call.Tell(hello(one, calls.Ringing))
			f.want(Ringing, "ring")
		})
	})
	t.Run("ringing", func(t *testing.T) {
		inBubble(t, func(f *far) {
			f.call.Tell(rings(one))
			cut(f)
			f.want(Idle, "ring", "ring", "ring", "hush") // 10 s of it
			f.call.Tell(hello("", ""))
			f.want(Idle)
		})
	})
	t.Run("ringing, accepted without events", func(t *testing.T) {
		inBubble(t, func(f *far) {
			f.call.Tell(rings(one))
			f.call.Tell(calls.Down{})
			if err := f.press(Accept{}); err != nil {
				t.Error(err)
			}
			time.Sleep(time.Minute)
			f.call.Tell(hello(one, calls.Live))
			f.want(Talking, "ring", "hush", "answer a true", "on")
		})
	})
	t.Run("accepted", func(t *testing.T) {
		inBubble(t, func(f *far) {
			f.dark = nil
			f.room = "" // the endpoint does not answer the WHIP request yet
			f.call.Tell(rings(one))
			if err := f.press(Accept{}); err != nil {
				t.Error(err)
			}
			cut(f)
			f.want(Accepted, "ring", "hush", "answer a true", "on")
			f.call.Tell(hello(one, calls.Ended)) // not connected for 30 s
			f.want(Idle, "off: "+string(session.Concluded))
		})
	})
	t.Run("talking", func(t *testing.T) {
		inBubble(t, func(f *far) {
			f.talks()
			cut(f)
			f.want(Talking)
			f.call.Tell(hello(one, calls.Live))
			f.want(Talking)
			cut(f)
			f.call.Tell(Left{session.ByAdvisor}) // ends as ever
			f.want(Idle, "end a")
			f.call.Tell(hello("", ""))
			f.want(Idle)
		})
	})
	t.Run("talking, and over meanwhile", func(t *testing.T) {
		inBubble(t, func(f *far) {
			f.talks()
			cut(f)
			f.call.Tell(hello("", ""))
			f.want(Idle, "off: "+string(session.Concluded))
		})
	})
}
