package desk

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bril-edge/bril/cmd/internal/showroom/records"
)

// After a restart, a conversation goes on for who comes back, in each phase, and
// ends as the table says when nobody does.
func TestRestartedInEachPhase(t *testing.T) {
	for _, test := range []struct {
		phase  Phase
		booked bool
		alone  Phase // five minutes later, when nobody comes back
		reason Reason
	}{
		{Booked, true, Booked, ""},
		{Waiting, true, Booked, ""},
		{Ringing, true, Booked, ""},
		{Ringing, false, Ended, Unanswered},
		{Connecting, false, Ended, Failed},
		{Live, true, Ended, CustomerLeft},
		{Ended, false, Ended, ByCustomer},
	} {
		t.Run(fmt.Sprintf("%s, booked %v", test.phase, test.booked), func(t *testing.T) {
			inBubble(t, func(t *testing.T, b *bench) {
				p := b.bring(b.glasses("anna"), test.phase, test.booked)
				b.restart()
				time.Sleep(5 * time.Minute)
				p.is(test.alone, test.reason)
			})
			inBubble(t, func(t *testing.T, b *bench) {
				anna := b.glasses("anna")
				p := b.bring(anna, test.phase, test.booked)
				anna.heard()
				b.restart()
				time.Sleep(5 * time.Second)
				anna.connect()
				p = b.page(p.id)
				switch test.phase {
				case Waiting:
					p.is(Ringing, "") // the glasses are there
				case Ended:
					p.is(Ended, test.reason)
				default:
					p.is(test.phase, "")
				}
				if test.phase == Live {
					b.Published(p.id, true)
					time.Sleep(time.Hour)
					p.is(Live, "")
				}
			})
		})
	}
}

// What the records do not take goes on, and is saved once they do.
func TestSavedOnceTheRecordsTakeIt(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		anna := b.glasses("anna")
		p := b.live(anna)
		b.flaky.Store(true)
		check(t, b.EndByGlasses(t.Context(), "anna", owner, p.id))
		want(t, anna.heard(), "hello", "call", "conversation connecting", "customer joined", "conversation live", "conversation ended advisor")
		if r, err := b.db.Conversation(t.Context(), p.id); err != nil || r.State != string(Live) {
			t.Errorf("stored is %+v, %v", r, err)
		}
		b.flaky.Store(false)
		time.Sleep(saveAgain)
		p.is(Ended, ByAdvisor)
	})
}

// Of a conversation that was erased while it went on nothing is stored again.
func TestErasedWhileItGoesOn(t *testing.T) {
	for _, phase := range []Phase{Booked, Ringing, Live} {
		inBubble(t, func(t *testing.T, b *bench) {
			p := b.bring(b.glasses("anna"), phase, true)
			who, err := b.db.Find(t.Context(), "mia@example.com")
			check(t, err)
			b.Forget(p.id)
			b.Forget("unknown")
			_, err = b.db.Remove(t.Context(), who, func(context.Context, records.Scope) error { return nil })
			check(t, err)
			synctest.Wait()
			if list := b.Live(); len(list) != 0 {
				t.Errorf("%s: goes on: %+v", phase, list)
			}
			time.Sleep(time.Hour)
			if _, err := b.db.Conversation(t.Context(), p.id); !errors.Is(err, records.ErrNotFound) {
				t.Errorf("%s: it is stored again: %v", phase, err)
			}
		})
	}
}

// Nobody told the desk, and it finds out when it stores the next step.
func TestErasedWithoutAWord(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		anna := b.glasses("anna")
		p := b.bring(anna, Ringing, true)
		who, err := b.db.Find(t.Context(), "mia@example.com")
		check(t, err)
		_, err = b.db.Remove(t.Context(), who, func(context.Context, records.Scope) error { return nil })
		check(t, err)
		b.accept(anna, p)
		synctest.Wait()
		if list := b.Live(); len(list) != 0 {
			t.Errorf("goes on: %+v", list)
		}
	})
}

func TestForgottenAfterAWhile(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		anna := b.glasses("anna")
		p := b.live(anna)
		check(t, b.EndByGlasses(t.Context(), "anna", owner, p.id))
		p.leave()
		anna.stream.Close()
		time.Sleep(time.Hour)
		b.mu.Lock()
		if len(b.calls) != 0 || len(b.pairs) != 0 {
			t.Errorf("%d conversations and %d pairs in memory", len(b.calls), len(b.pairs))
		}
		b.mu.Unlock()
		p.is(Ended, ByAdvisor) // from the records
		check(t, b.Rate(t.Context(), p.id, false))
		check(t, b.End(t.Context(), p.id))
		wantErr(t, b.Report(p.id, Good, false), ErrUnknown)
		if call := <-b.page(p.id).calls; call.Phase != Ended || call.Reason != ByAdvisor {
			t.Errorf("told %+v", call)
		}
		if _, _, err := b.Watch(t.Context(), "unknown"); !errors.Is(err, ErrUnknown) {
			t.Error(err)
		}
	})
}
