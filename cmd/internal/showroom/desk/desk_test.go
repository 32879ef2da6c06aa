package desk

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bril-edge/bril/cmd/internal/showroom/records"
)

func TestTalkNow(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		anna := b.glasses("anna")
		want(t, anna.heard(), "hello")
		p := b.talkNow()
		p.is(Ringing, "")
		want(t, anna.heard(), "call")
		b.accept(anna, p)
		b.accept(anna, p) // a second time is no error
		p.is(Connecting, "")
		want(t, anna.heard(), "conversation connecting", "customer joined")
		if room := b.RoomOf("anna", owner); room != p.id {
			t.Errorf("publishes to %s", room)
		}
		b.Published(p.id, true)
		p.is(Live, "")
		check(t, b.Report(p.id, Poor, true))
		check(t, b.Report(p.id, Poor, true))
		want(t, anna.heard(), "conversation live", "customer joined poor")
		wantErr(t, b.Rate(t.Context(), records.NewID(), true), ErrUnknown)
		check(t, b.End(t.Context(), p.id))
		p.is(Ended, ByCustomer)
		check(t, b.Rate(t.Context(), p.id, true))
		wantErr(t, b.Rate(t.Context(), p.id, false), ErrRated)
		want(t, anna.heard(), "conversation ended customer", "rating up")
		b.rooms.mu.Lock()
		defer b.rooms.mu.Unlock()
		want(t, b.rooms.ended, p.id)
	})
}

func TestAPressOfLiveAcceptsTheCall(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		b.glasses("anna")
		if room := b.RoomOf("anna", owner); room != "anna" {
			t.Errorf("without a call it publishes to %s", room)
		}
		p := b.talkNow()
		if room := b.RoomOf("anna", "somebody else"); room != "anna" {
			t.Errorf("another's publishes to %s", room)
		}
		p.is(Ringing, "")
		if room := b.RoomOf("anna", owner); room != p.id {
			t.Errorf("publishes to %s", room)
		}
		p.is(Connecting, "")
	})
}

func TestClosedAndBusy(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		_, err := b.TalkNow(t.Context(), "antwerp", "nl", home)
		busy := (*BusyError)(nil)
		if !errors.As(err, &busy) || !busy.Next.Equal(time.Now().Add(30*time.Minute)) {
			t.Errorf("no glasses: %v, %+v", err, busy)
		}
		time.Sleep(23 * time.Hour) // to Sunday, by the clock of Brussels
		_, err = b.TalkNow(t.Context(), "antwerp", "nl", home)
		closed := (*ClosedError)(nil)
		if !errors.As(err, &closed) || !closed.OpensAt.Equal(time.Date(2000, 1, 2, 23, 0, 0, 0, time.UTC)) {
			t.Errorf("on Sunday: %v, %+v", err, closed)
		}
		_, err = b.TalkNow(t.Context(), "paris", "nl", home)
		wantErr(t, err, ErrNoShowroom)
	})
}

func TestPassedOn(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		anna, ben := b.glasses("anna"), b.glasses("ben")
		anna.heard()
		ben.heard()
		p := b.talkNow()
		time.Sleep(30 * time.Second)
		want(t, anna.heard(), "call", "call_gone unanswered")
		want(t, ben.heard(), "call")
		wantErr(t, b.Answer(t.Context(), "anna", owner, p.id, true), ErrGone)
		check(t, b.Answer(t.Context(), "ben", owner, p.id, false))
		p.is(Ended, Declined)
		wantErr(t, b.Answer(t.Context(), "ben", owner, p.id, true), ErrGone)
		want(t, ben.heard(), "call_gone declined")
	})
}

func TestTwoAccept(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		b.glasses("anna")
		b.glasses("ben")
		p := b.talkNow()
		var wg sync.WaitGroup
		var mu sync.Mutex
		accepted := 0
		for _, name := range []string{"anna", "ben", "anna", "ben"} {
			wg.Go(func() {
				if err := b.Answer(t.Context(), name, owner, p.id, true); err == nil {
					mu.Lock()
					accepted++
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		p.is(Connecting, "")
		if c, _ := b.Lookup(t.Context(), p.id); accepted != 2 || c.Glasses != "anna" {
			t.Errorf("%d accepts on %s", accepted, c.Glasses)
		}
	})
}

func TestTwoCustomersOnTwoPairs(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		anna, ben := b.glasses("anna"), b.glasses("ben")
		p, q := b.talkNow(), b.talkNow()
		if _, err := b.TalkNow(t.Context(), "antwerp", "nl", home); err == nil {
			t.Error("a third found glasses")
		}
		wantErr(t, b.Answer(t.Context(), "anna", owner, q.id, true), ErrGone)
		b.accept(anna, p)
		b.accept(ben, q)
		wantErr(t, b.EndByGlasses(t.Context(), "anna", owner, q.id), ErrGone)
		check(t, b.EndByGlasses(t.Context(), "anna", owner, p.id))
		check(t, b.EndByGlasses(t.Context(), "anna", owner, p.id))
		p.is(Ended, ByAdvisor)
		q.is(Connecting, "")
		want(t, ben.heard(), "hello", "call", "conversation connecting", "customer joined")
	})
}

func TestEndWhileItRings(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		anna := b.glasses("anna")
		p := b.talkNow()
		check(t, b.End(t.Context(), p.id))
		p.is(Ended, ByCustomer)
		want(t, anna.heard(), "hello", "call", "call_gone customer")
		wantErr(t, b.Answer(t.Context(), "anna", owner, p.id, true), ErrGone)
		b.talkNow().is(Ringing, "") // anna is free again
	})
}

func TestHeldNames(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		anna := b.glasses("anna")
		_, err := b.Desk.Glasses("anna", "another", "")
		wantErr(t, err, ErrHeld)
		p := b.talkNow()
		anna.stream.Close()
		anna.stream.Close()
		_, err = b.Desk.Glasses("anna", "another", "")
		wantErr(t, err, ErrHeld) // a call is on it
		time.Sleep(10 * time.Second)
		p.is(Ended, Unanswered)
		_, err = b.Desk.Glasses("anna", "another", anna.last)
		check(t, err)
	})
}

func TestReplacedInTheMiddle(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		anna := b.glasses("anna")
		p := b.live(anna)
		old := anna.stream
		anna.heard()
		anna.connect()
		if _, err := old.Next(t.Context()); err == nil {
			t.Error("the old stream goes on")
		}
		old.Close() // late, as its handler ends
		want(t, anna.heard(), "hello live joined")
		check(t, b.End(t.Context(), p.id))
		want(t, anna.heard(), "conversation ended customer")
		if b.Showrooms(t.Context())[0].Free != 1 {
			t.Error("anna is not free")
		}
	})
}

func TestResumed(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		anna := b.glasses("anna")
		p := b.live(anna)
		anna.heard()
		anna.stream.Close()
		check(t, b.Report(p.id, Frozen, false))
		check(t, b.End(t.Context(), p.id))
		check(t, b.Rate(t.Context(), p.id, true))
		anna.connect()
		missed := []string{"hello", "conversation ended customer", "rating up"}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if m, err := anna.stream.Next(ctx); err != nil || m.ID != anna.last {
			t.Errorf("hello is %+v, %v", m, err) // cut off here, nothing is lost
		}
		anna.connect()
		want(t, anna.heard(), missed...)
		anna.connect()
		want(t, anna.heard(), "hello")
		anna.last = "another run-7"
		anna.connect()
		want(t, anna.heard(), "hello")
		anna.last = "nonsense"
		anna.connect()
		want(t, anna.heard(), "hello")
	})
}

func TestAStreamThatIsNotRead(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		anna := b.glasses("anna")
		p := b.live(anna)
		for i := range maxLog + 10 {
			check(t, b.Report(p.id, Good, i%2 == 0))
		}
		if got := anna.heard(); len(got) != 1 {
			t.Errorf("got %d messages before the end", len(got))
		}
		anna.last = ""
		anna.connect()
		want(t, anna.heard(), "hello live joined good")
	})
}

func TestCustomerAwayForAMoment(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		anna := b.glasses("anna")
		p := b.live(anna)
		anna.heard()
		p.leave()
		p.leave()
		time.Sleep(4 * time.Second)
		again := b.page(p.id)
		want(t, anna.heard())
		second := b.page(p.id)
		again.leave()
		time.Sleep(time.Minute)
		want(t, anna.heard()) // another page of theirs is there
		second.leave()
		time.Sleep(6 * time.Second)
		want(t, anna.heard(), "customer left")
		b.page(p.id)
		want(t, anna.heard(), "customer joined")
	})
}

// The event stream of the glasses is cut for 60 s in every phase: what comes of it
// is what the table says, and nothing hangs.
func TestStreamCutForAMinute(t *testing.T) {
	for _, test := range []struct {
		phase  Phase
		booked bool
		then   Phase
		reason Reason
	}{
		{Booked, true, Booked, ""},
		{Waiting, true, Ringing, ""}, // once they are back
		{Ringing, true, Ringing, ""}, // it waited from the tenth second on, and rings again
		{Ringing, false, Ended, Unanswered},
		{Connecting, false, Ended, Failed}, // as without the cut: no media came
		{Live, false, Live, ""},
		{Live, true, Live, ""},
		{Ended, false, Ended, ByCustomer},
	} {
		t.Run(fmt.Sprintf("%s, booked %v", test.phase, test.booked), func(t *testing.T) {
			inBubble(t, func(t *testing.T, b *bench) {
				anna := b.glasses("anna")
				p := b.bring(anna, test.phase, test.booked)
				anna.stream.Close()
				time.Sleep(time.Minute)
				anna.connect()
				p.is(test.then, test.reason)
				if got := anna.heard()[0]; test.then == Live && got != "hello live joined" {
					t.Errorf("told %q", got)
				}
				if test.then != Ended { // and there is a way out
					p.leave()
					anna.stream.Close()
					b.Published(p.id, false)
					time.Sleep(2 * time.Hour)
					synctest.Wait()
					if c, err := b.Lookup(t.Context(), p.id); err != nil || c.Phase != Ended {
						t.Errorf("it hangs: %+v, %v", c, err)
					}
				}
			})
		})
	}
}

// Live by the button works without the event stream.
func TestLiveWithoutTheStream(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		anna := b.glasses("anna")
		p := b.talkNow()
		anna.stream.Close()
		if room := b.RoomOf("anna", owner); room != p.id {
			t.Errorf("publishes to %s", room)
		}
		b.Published(p.id, true)
		time.Sleep(time.Hour)
		p.is(Live, "")
		b.Published(p.id, false)
		time.Sleep(2 * time.Minute)
		p.is(Ended, AdvisorLost)
	})
}

// Nothing rings on glasses that hear nothing: who goes live on them is there for the
// customer with an appointment who waits. Others are not.
func TestLiveForWhoWaits(t *testing.T) {
	for _, test := range []struct {
		name, glasses string
		before        func(*bench, *glasses, *page)
		want          bool
	}{
		{"without a stream", "anna", nil, true},
		{"never connected", "ben", nil, true},
		{"of another showroom", "carl", nil, false},
		{"who is away", "anna", func(_ *bench, _ *glasses, p *page) { p.leave() }, false},
		{"declined", "anna", func(b *bench, anna *glasses, p *page) { decline(b, anna, p) }, false},
		{"declined, and then without a stream", "anna", func(b *bench, anna *glasses, p *page) {
			decline(b, anna, p)
			anna.stream.Close()
		}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, b *bench) {
				anna := b.glasses("anna")
				p := b.bring(anna, Waiting, true)
				if test.before != nil {
					test.before(b, anna, p)
				}
				p.is(Waiting, "")
				room := b.RoomOf(test.glasses, owner)
				if !test.want {
					p.is(Waiting, "")
					if room != test.glasses {
						t.Errorf("publishes to %s", room)
					}
					return
				}
				if room != p.id {
					t.Errorf("publishes to %s", room)
				}
				if _, err := b.Desk.Glasses(test.glasses, "another", ""); !errors.Is(err, ErrHeld) {
					t.Errorf("another owner gets %v", err)
				}
				b.Published(p.id, true)
				time.Sleep(time.Hour)
				p.is(Live, "")
			})
		})
	}
}

// decline has glasses come back, ring, and refuse.
func decline(b *bench, g *glasses, p *page) {
	b.t.Helper()
	g.connect()
	p.is(Ringing, "")
	check(b.t, b.Answer(b.t.Context(), g.name, owner, p.id, false))
}
