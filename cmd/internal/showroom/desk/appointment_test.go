package desk

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bril-edge/bril/cmd/internal/showroom/records"
)

func TestTheLastSlotEndsWithOneBooking(t *testing.T) {
	for showroom, seats := range map[string]int{"antwerp": 2, "gent": 1} {
		inBubble(t, func(t *testing.T, b *bench) {
			start := time.Now().Add(time.Hour)
			var mu sync.Mutex
			var wg sync.WaitGroup
			booked := 0
			for range 6 {
				wg.Go(func() {
					_, err := b.Book(t.Context(), request(showroom, start))
					mu.Lock()
					defer mu.Unlock()
					if err == nil {
						booked++
					} else if !errors.Is(err, ErrTaken) {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			if booked != seats {
				t.Errorf("%s: %d booked a slot for %d", showroom, booked, seats)
			}
			slots, err := b.Slots(t.Context(), showroom, start, 1)
			check(t, err)
			if slots[0].Start.Equal(start) {
				t.Errorf("%s: the slot is offered still", showroom)
			}
		})
	}
}

func TestSlots(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		slots, err := b.Slots(t.Context(), "antwerp", time.Now().Add(-time.Hour), 1)
		check(t, err)
		if len(slots) != 45 || !slots[0].Start.Equal(time.Now().Add(30*time.Minute)) { // until 23:00 UTC; what begins now is too late
			t.Errorf("%d slots, the first %v", len(slots), slots[0])
		}
		if slots, err = b.Slots(t.Context(), "antwerp", time.Now().AddDate(1, 0, 0), 400); err != nil || len(slots) > 0 {
			t.Errorf("next year: %d slots, %v", len(slots), err)
		}
		_, err = b.Slots(t.Context(), "paris", time.Now(), 1)
		wantErr(t, err, ErrNoShowroom)
	})
}

func TestWhatCannotBeBooked(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		good := request("antwerp", time.Now().Add(time.Hour))
		for name, change := range map[string]func(*Request){
			"name":   func(r *Request) { r.Name = " " },
			"email":  func(r *Request) { r.Email = "mia@example.com\nBcc: all@example.com" },
			"phone":  func(r *Request) { r.Phone = "call me" },
			"locale": func(r *Request) { r.Locale = "fr" },
		} {
			r := good
			change(&r)
			_, err := b.Book(t.Context(), r)
			field := (*FieldError)(nil)
			if !errors.As(err, &field) || field.Field != name {
				t.Errorf("%s: %v", name, err)
			}
		}
		for name, start := range map[string]time.Time{
			"now": time.Now(), "past": time.Now().Add(-time.Hour), "crooked": time.Now().Add(7 * time.Minute), "far": time.Now().AddDate(0, 6, 0),
		} {
			r := good
			r.Start = start
			if _, err := b.Book(t.Context(), r); !errors.Is(err, ErrNoSlot) {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

// What the mail queue would refuse is refused before it is stored: there would be
// no code, and no answer but an error of ours.
func TestAddressesNoMailIsSentTo(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		p := b.live(b.glasses("anna"))
		for _, address := range []string{"mia@localhost", `"mia maes"@example.com`, "mia@[192.0.2.1]", "mia@example..com", strings.Repeat("m", 65) + "@example.com"} {
			r := request("antwerp", time.Now().Add(time.Hour))
			r.Email = address
			_, err := b.Book(t.Context(), r)
			for what, err := range map[string]error{"book": err, "send": b.Send(t.Context(), p.id, Wish{Email: address, Locale: "nl"})} {
				if field := (*FieldError)(nil); !errors.As(err, &field) || field.Field != "email" {
					t.Errorf("%s to %s: %v", what, address, err)
				}
			}
		}
	})
}

// The code is in the mail only: without the mail there is no appointment.
func TestBookedOnlyWithItsMail(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		b.post.err = errors.New("no space left on device")
		start := time.Now().Add(time.Hour)
		for range 3 {
			_, err := b.Book(t.Context(), request("gent", start))
			wantErr(t, err, b.post.err)
		}
		b.post.err = nil
		_, err := b.Book(t.Context(), request("gent", start))
		check(t, err)
	})
}

func TestMovedAndCancelled(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		l := b.book("gent", time.Hour)
		a, err := b.Appointment(t.Context(), l.Token)
		check(t, err)
		if a.Name != "Mia Maes" || a.State != "booked" || a.Title != "Gent" || !a.Start.Equal(l.Start) {
			t.Errorf("got %+v", a)
		}
		other := b.book("gent", 2*time.Hour)
		_, err = b.Move(t.Context(), l.Token, other.Start)
		wantErr(t, err, ErrTaken)
		_, err = b.Move(t.Context(), l.Token, time.Now().Add(time.Minute))
		wantErr(t, err, ErrNoSlot)
		a, err = b.Move(t.Context(), l.Token, l.Start.Add(30*time.Minute))
		check(t, err)
		moved := b.post.last()
		if !a.Start.Equal(l.Start.Add(30*time.Minute)) || moved.Code != l.Code || moved.Changes != 1 || !moved.Was.Equal(l.Start) {
			t.Errorf("got %+v, and mailed %+v", a, moved)
		}
		again, err := b.Move(t.Context(), l.Token, a.Start) // nothing to do, and no mail
		check(t, err)
		if again != a {
			t.Errorf("got %+v", again)
		}
		check(t, b.Cancel(t.Context(), l.Token))
		check(t, b.Cancel(t.Context(), l.Token))
		if l := b.post.last(); l.Code != "" || l.Token != "" || l.State != "cancelled" {
			t.Errorf("mailed %+v", l)
		}
		want(t, b.post.letters, "booked", "booked", "moved", "cancelled")
		_, err = b.Move(t.Context(), l.Token, l.Start)
		wantErr(t, err, ErrFixed)
		b.book("gent", 90*time.Minute) // its slot is free again
		_, err = b.Appointment(t.Context(), "not a token")
		wantErr(t, err, ErrUnknownAppointment)
	})
}

func TestTheWayOfACode(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		anna := b.glasses("anna")
		l := b.book("antwerp", time.Hour)
		_, err := b.Join(t.Context(), l.Code, home)
		early := (*EarlyError)(nil)
		if !errors.As(err, &early) || !early.OpensAt.Equal(l.Start.Add(-10*time.Minute)) {
			t.Fatalf("an hour before: %v", err)
		}
		time.Sleep(50 * time.Minute)
		c, err := b.Join(t.Context(), strings.ToLower(l.Code), home)
		check(t, err)
		if c.Phase != Booked || c.Kind != KindBooked || c.Name != "Mia Maes" || !c.Start.Equal(l.Start) {
			t.Errorf("got %+v", c)
		}
		again, err := b.Join(t.Context(), strings.ReplaceAll(l.Code, "-", " "), home)
		check(t, err)
		if again.ID != c.ID {
			t.Error("a second conversation")
		}
		p := b.page(c.ID)
		for range 2 {
			c, err = b.Ring(t.Context(), p.id)
			check(t, err)
		}
		p.is(Ringing, "")
		b.accept(anna, p)
		wantErr(t, b.Cancel(t.Context(), l.Token), ErrFixed)
		check(t, b.End(t.Context(), p.id))
		p.is(Ended, ByCustomer)
		_, err = b.Join(t.Context(), l.Code, home)
		wantErr(t, err, ErrUsedCode)
		_, err = b.Ring(t.Context(), p.id)
		wantErr(t, err, ErrEnded)
	})
}

func TestWrongCodesSayWhich(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		anna := b.glasses("anna")
		_, err := b.Join(t.Context(), "0000-0000", home)
		wantErr(t, err, ErrUnknownCode)
		cancelled, used, expired := b.book("antwerp", time.Hour), b.book("antwerp", time.Hour), b.book("antwerp", 90*time.Minute)
		check(t, b.Cancel(t.Context(), cancelled.Token))
		_, err = b.Join(t.Context(), cancelled.Code, home)
		wantErr(t, err, ErrCancelledCode)
		time.Sleep(time.Hour)
		c, err := b.Join(t.Context(), used.Code, home)
		check(t, err)
		p := b.page(c.ID)
		_, err = b.Ring(t.Context(), p.id)
		check(t, err)
		b.accept(anna, p)
		b.Published(p.id, true)
		check(t, b.EndByGlasses(t.Context(), "anna", owner, p.id))
		_, err = b.Join(t.Context(), used.Code, home)
		wantErr(t, err, ErrUsedCode)
		time.Sleep(30*time.Minute + 45*time.Minute)
		for range 2 { // before the sweep, and after it
			_, err = b.Join(t.Context(), expired.Code, home)
			wantErr(t, err, ErrExpiredCode)
			time.Sleep(2 * time.Minute)
			synctest.Wait()
		}
		for _, l := range []BookingLetter{used, expired} {
			wantErr(t, b.Cancel(t.Context(), l.Token), ErrFixed)
		}
		for token, want := range map[string]string{used.Token: "done", expired.Token: "missed", cancelled.Token: "cancelled"} {
			if a, err := b.Appointment(t.Context(), token); err != nil || a.State != want {
				t.Errorf("%s, %v, want %s", a.State, err, want)
			}
		}
	})
}

func TestBookedWaitsAndRings(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		code := b.book("antwerp", 30*time.Minute).Code
		time.Sleep(25 * time.Minute)
		c, err := b.Join(t.Context(), code, home)
		check(t, err)
		p := b.page(c.ID)
		c, err = b.Ring(t.Context(), p.id)
		check(t, err)
		if c.Phase != Waiting {
			t.Fatalf("it is %s", c.Phase)
		}
		anna := b.glasses("anna")
		p.is(Ringing, "")
		check(t, b.Answer(t.Context(), "anna", owner, p.id, false))
		p.is(Waiting, "")
		if call := <-p.calls; time.Until(call.RetryAt) != ringAgain {
			t.Errorf("told %+v", call)
		}
		time.Sleep(ringAgain)
		p.is(Ringing, "")
		want(t, anna.heard(), "hello", "call", "call_gone declined", "call")
		p.leave()
		time.Sleep(30 * time.Second) // nobody answers meanwhile
		p.is(Waiting, "")
		time.Sleep(90 * time.Second)
		p.is(Booked, "")
		p = b.page(p.id)
		p.is(Booked, "") // until another tap
		time.Sleep(50 * time.Minute)
		p.is(Ended, CustomerLeft)
	})
}

// Cancelled by the mail while the page is open.
func TestCancelledWhileItRings(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		anna := b.glasses("anna")
		p := b.bring(anna, Ringing, true)
		check(t, b.Cancel(t.Context(), b.post.last().Token))
		p.is(Ended, Cancelled)
		want(t, anna.heard(), "hello", "call", "call_gone cancelled")
	})
}

func TestMovedWhileThePageIsOpen(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		anna := b.glasses("anna")
		p := b.bring(anna, Booked, true)
		l := b.post.last()
		_, err := b.Move(t.Context(), l.Token, l.Start.Add(2*time.Hour))
		check(t, err)
		_, err = b.Ring(t.Context(), p.id)
		early := (*EarlyError)(nil)
		if !errors.As(err, &early) {
			t.Errorf("too early: %v", err)
		}
		time.Sleep(2 * time.Hour)
		_, err = b.Ring(t.Context(), p.id)
		check(t, err)
		p.is(Ringing, "")
	})
}

// Talk now leaves glasses alone that somebody has booked and may need at any
// moment.
func TestTalkNowSparesWhatIsBooked(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		b.glasses("anna") // who is booked
		l := b.book("antwerp", 30*time.Minute)
		time.Sleep(19 * time.Minute)
		check(t, b.End(t.Context(), b.talkNow().id)) // still far off
		time.Sleep(2 * time.Minute)
		if _, err := b.TalkNow(t.Context(), "antwerp", "nl", home); err == nil || b.Showrooms(t.Context())[0].Free != 0 {
			t.Error("took the glasses that were booked")
		}
		ben := b.glasses("ben")
		p := b.talkNow()
		want(t, ben.heard(), "hello", "call")
		check(t, b.End(t.Context(), p.id))
		time.Sleep(20 * time.Minute) // nobody came
		_, err := b.Lookup(t.Context(), b.talkNow().id)
		check(t, err)
		_, err = b.Join(t.Context(), l.Code, home) // though still could
		check(t, err)
	})
}

func TestBookedGlassesRingFirst(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		b.glasses("anna")
		ben := b.glasses("ben")
		b.book("antwerp", 30*time.Minute) // on anna
		l := b.book("antwerp", 30*time.Minute)
		time.Sleep(30 * time.Minute)
		c, err := b.Join(t.Context(), l.Code, home)
		check(t, err)
		_, err = b.Ring(t.Context(), c.ID)
		check(t, err)
		want(t, ben.heard(), "hello", "call")
	})
}

// TestAnothersAddress: who books under an address that is known changes nothing of
// what is known, and is greeted by what they gave.
func TestAnothersAddress(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		first := request("gent", time.Now().Add(time.Hour))
		_, err := b.Book(t.Context(), first)
		check(t, err)
		second := request("gent", time.Now().Add(2*time.Hour))
		second.Name, second.Phone, second.Email, second.Locale = "Mallory", "+32 9 000", strings.ToUpper(first.Email), "de"
		a, err := b.Book(t.Context(), second)
		check(t, err)
		if a.Name != "Mallory" || a.Phone != "+32 9 000" || a.Locale != "de" || a.Email != first.Email {
			t.Errorf("the second sees %+v", a)
		}
		list, err := b.db.Appointments(t.Context(), "gent", time.Now(), time.Now().Add(24*time.Hour))
		check(t, err)
		if len(list) != 2 || list[0].Customer != list[1].Customer {
			t.Fatalf("booked: %+v", list)
		}
		c, err := b.db.Customer(t.Context(), list[0].Customer)
		check(t, err)
		if c.Name != first.Name || c.Phone != first.Phone || c.Locale != first.Locale || c.Email != first.Email {
			t.Errorf("the customer became %+v", c)
		}
	})
}

func TestConsentToMarketing(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		r := request("gent", time.Now().Add(time.Hour))
		r.Marketing = true
		_, err := b.Book(t.Context(), r)
		check(t, err)
		if len(b.post.consented) != 1 || b.post.consented[0].Text != "1" {
			t.Fatalf("mailed %+v", b.post.consented)
		}
		purpose, already, err := b.db.WithdrawConsent(t.Context(), b.post.consented[0].Token)
		if err != nil || purpose != records.Marketing || already {
			t.Errorf("withdrawn: %s, %v, %v", purpose, already, err)
		}
	})
}
