package spool

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestTurns: oldest first, who fails steps back, and nobody holds up others.
func TestTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		var ids []string
		for n := range 3 {
			ids = append(ids, b.put(t, photo(), noise(n+1)))
			time.Sleep(time.Second)
		}
		expect := func(want string) {
			t.Helper()
			e, err := b.Next(t.Context())
			if err != nil || e.ID != want {
				t.Errorf("next is %s, %v, want %s", e.ID, err, want)
			}
		}
		try := func(err error) {
			t.Helper()
			if err != nil {
				t.Error(err)
			}
		}
		expect(ids[0])
		try(b.Defer(ids[0], time.Now().Add(time.Minute), "423 locked"))
		expect(ids[1])
		try(b.Refuse(ids[1], "422 not a picture"))
		expect(ids[2])
		try(b.Defer(ids[2], time.Now(), "cut"))
		expect(ids[2])
		time.Sleep(time.Minute)
		expect(ids[0]) // it stepped back first
		try(b.Defer(ids[0], time.Now().Add(time.Hour), "503"))
		try(b.Defer(ids[2], time.Now().Add(2*time.Hour), "503"))
		begun := time.Now()
		expect(ids[0]) // blocks for the hour
		if waited := time.Since(begun); waited != time.Hour {
			t.Errorf("it was waited for %s", waited)
		}
		try(b.Retry(ids[1]))
		expect(ids[1])
		try(b.Retry(""))
		expect(ids[0])
		for _, e := range b.List() {
			if e.Problem != "" || e.State != Ready {
				t.Errorf("after Retry of all there is %+v", e)
			}
		}
	})
}

func TestNextWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		got := make(chan string)
		go func() {
			e, err := b.Next(t.Context())
			if err != nil {
				t.Error(err)
			}
			got <- e.ID
		}()
		synctest.Wait()
		id := b.put(t, photo(), noise(10))
		if next := <-got; next != id {
			t.Errorf("next is %s, want %s", next, id)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := b.Next(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("after the end: %v", err)
		}
	})
}

// TestRefusedStays: a refusal outlives a restart, and what the item was before
// comes back with Retry.
func TestRefusedStays(t *testing.T) {
	dir := t.TempDir()
	b := newBenchOn(t, newBench(t).fsys, dir)
	id := b.put(t, photo(), noise(10))
	if err := b.Refuse(id, "no"); err != nil {
		t.Fatal(err)
	}
	b.open(t, dir)
	e := b.List()[0]
	if e.State != Refused || e.Problem == "" || e.Kind != "" {
		t.Errorf("after a restart it is %+v", e)
	}
	if err := b.Retry(id); err != nil {
		t.Fatal(err)
	}
	if e := b.List()[0]; e.State != Ready {
		t.Errorf("after Retry it is %+v", e)
	}
	b.get(t, b.List()[0])
	if err := b.Drop(id); err != nil || len(b.List()) != 0 {
		t.Errorf("Drop: %v, %v", err, b.List())
	}
	if err := b.Drop(id); !errors.Is(err, ErrUnknown) {
		t.Errorf("a second Drop: %v", err)
	}
}

// TestQuota walks up to the quota, mark by mark.
func TestQuota(t *testing.T) {
	b := newBench(t, func(c *Config) { c.Quota = 10 << 20 })
	b.put(t, photo(), noise(8<<20))
	if st := b.Status(); st.Full != nil || !st.FullSince.IsZero() {
		t.Errorf("it is full of 8 MiB since %s: %v", st.FullSince, st.Full)
	}
	full := new(FullError)
	running, err := b.Create(b.key.Recipient(), clip())
	if err != nil {
		t.Fatal(err)
	}
	part, parts := noise(100_000), 0
	for err == nil {
		if _, err = running.Write(part); err == nil {
			parts++
		}
	}
	if !errors.As(err, &full) || full.Kind != Clip || b.used() > 10<<20-(1<<20)/2 {
		t.Errorf("the clip ends at %d bytes in the spool with %v", b.used(), err)
	}
	if _, err := b.Create(b.key.Recipient(), clip()); !errors.As(err, &full) || !strings.Contains(full.Hint(), "photos still fit") {
		t.Errorf("another clip: %v", err)
	}
	if st := b.Status(); !errors.As(st.Full, &full) || full.Kind != Clip || st.FullSince.IsZero() {
		t.Errorf("Status says since %s: %v", st.FullSince, st.Full)
	}
	photos := 0
	for ; ; photos++ {
		i, err := b.Create(b.key.Recipient(), photo())
		if err == nil {
			_, err = i.Write(noise(100_000))
		}
		if err != nil {
			if !errors.As(err, &full) || full.Kind != Photo || full.Hint() == "" {
				t.Errorf("a photo: %v", err)
			}
			if i != nil {
				_ = i.Abort()
			}
			break
		}
		if err := i.Finish(); err != nil {
			t.Fatal(err)
		}
	}
	if st := b.Status(); !errors.As(st.Full, &full) || full.Kind != Photo {
		t.Errorf("Status says: %v", st.Full)
	}
	if photos < 3 || b.used() > 10<<20 {
		t.Errorf("%d photos fit, %d bytes are used", photos, b.used())
	}
	if err := running.Finish(); err != nil {
		t.Fatalf("finish the clip that met the bound: %v", err)
	}
	for _, e := range b.List() {
		if _, data := b.get(t, e); e.ID == running.ID() && len(data) != parts*len(part) {
			t.Errorf("the clip has %d bytes, want %d parts of %d", len(data), parts, len(part))
		}
	}
	if err := b.Status().Fault; err != nil {
		t.Errorf("a full spool is no fault of the disk: %v", err)
	}
}
