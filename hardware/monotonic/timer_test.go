package monotonic

import (
	"context"
	"errors"
	"os"
	"testing"
	"time"
)

func TestTimerWaitsUntilTheMoment(t *testing.T) {
	timer := newTimer(t)
	at := Now() + 5*time.Millisecond
	if err := timer.SleepUntil(t.Context(), at); err != nil {
		t.Fatal(err)
	}
	if now := Now(); now < at {
		t.Errorf("woke %v early", at-now)
	}
	if err := timer.SleepUntil(t.Context(), Now()-time.Hour); err != nil {
		t.Errorf("a moment that has passed: %v", err)
	}
}

func TestTimerEndsWithItsContext(t *testing.T) {
	timer := newTimer(t)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- timer.SleepUntil(ctx, Now()+time.Hour) }()
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
	if err := timer.SleepUntil(t.Context(), Now()+time.Millisecond); err != nil {
		t.Errorf("with a new context: %v", err)
	}
}

func TestTimerCloseEndsTheWait(t *testing.T) {
	timer := newTimer(t)
	done := make(chan error, 1)
	go func() { done <- timer.SleepUntil(context.Background(), Now()+time.Hour) }()
	timer.Close()
	if err := <-done; !errors.Is(err, os.ErrClosed) {
		t.Errorf("got %v, want os.ErrClosed", err)
	}
	if err := timer.Close(); err != nil {
		t.Errorf("second close: %v", err)
	}
}

func TestTimerWaitAllocatesNothing(t *testing.T) {
	timer := newTimer(t)
	ctx := t.Context()
	if n := testing.AllocsPerRun(20, func() {
		if err := timer.SleepUntil(ctx, Now()+time.Microsecond); err != nil {
			t.Fatal(err)
		}
	}); n > 0 {
		t.Errorf("%v allocations a wait", n)
	}
}

func newTimer(t *testing.T) *Timer {
	t.Helper()
	timer, err := NewTimer()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { timer.Close() })
	return timer
}

func TestNowIsTheKernelsClock(t *testing.T) {
	for range 100 {
		before, now, after := read(), Now(), read()
		if early, late := before-now, now-after; early > 100*time.Microsecond || late > 100*time.Microsecond {
			t.Fatalf("Now is %v, and the kernel's clock went from %v to %v", now, before, after)
		}
	}
}
