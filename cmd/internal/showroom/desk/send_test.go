package desk

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bril-edge/bril/cmd/internal/showroom/records"
)

// mailed returns the items of the mails so far, a word for each mail.
func (b *bench) mailed() (list []string) {
	synctest.Wait()
	b.post.mu.Lock()
	defer b.post.mu.Unlock()
	for _, l := range b.post.media {
		text := ""
		for _, item := range l.Items {
			text += item.ID
		}
		if l.More {
			text += " more"
		}
		list = append(list, text)
	}
	return list
}

func (b *bench) send(p *page, items ...string) {
	b.t.Helper()
	check(b.t, b.Send(b.t.Context(), p.id, Wish{Email: "mia@example.com", Locale: "nl", Items: items}))
}

// over has a conversation that was live and is over.
func (b *bench) over() *page {
	b.t.Helper()
	p := b.live(b.glasses("anna"))
	check(b.t, b.End(b.t.Context(), p.id))
	return p
}

func (b *bench) wishes() int {
	b.t.Helper()
	list, err := b.db.Wishes(b.t.Context())
	check(b.t, err)
	return len(list)
}

func TestSendWhatIsThere(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		b.media.set(0, "a", "b", "c")
		p := b.over()
		b.send(p, "a", "c")
		want(t, b.mailed(), "ac")
		if b.wishes() != 0 {
			t.Error("the wish is left")
		}
		list, err := b.db.Deliveries(t.Context(), time.Time{})
		check(t, err)
		if len(list) != 1 || len(list[0].Items) != 2 || list[0].Mail == "" {
			t.Errorf("taken down is %+v", list)
		}
		if c, err := b.Lookup(t.Context(), p.id); err != nil || !c.Sent {
			t.Errorf("sent: %v, %v", c.Sent, err)
		}
	})
}

func TestSendWaitsForAClip(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		b.media.set(1, "a")
		b.send(b.over())
		time.Sleep(2 * time.Minute)
		want(t, b.mailed())
		b.media.set(0, "a", "b")
		time.Sleep(pollSoon)
		want(t, b.mailed(), "ab")
	})
}

func TestSendWhatComesLater(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		b.media.set(1, "a")
		b.send(b.over())
		time.Sleep(sendWait + pollSoon)
		want(t, b.mailed(), "a")
		b.media.set(0, "a", "b")
		time.Sleep(30 * time.Second)
		b.media.set(0, "a", "b", "c")
		time.Sleep(30 * time.Second)
		want(t, b.mailed(), "a")
		time.Sleep(time.Minute)
		want(t, b.mailed(), "a", "bc more")
		time.Sleep(2 * lateMedia)
		synctest.Wait()
		if b.wishes() != 0 {
			t.Error("the wish is left")
		}
	})
}

func TestSendWhileItIsLive(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		p := b.live(b.glasses("anna"))
		b.media.set(0, "a")
		b.send(p)
		time.Sleep(settleTime + pollSoon)
		want(t, b.mailed(), "a")
		b.media.set(0, "a", "b")
		time.Sleep(time.Hour)
		want(t, b.mailed(), "a") // more may come
		check(t, b.End(t.Context(), p.id))
		time.Sleep(2 * time.Minute)
		want(t, b.mailed(), "a", "b more")
	})
}

// Items that were named are all that is sent, and part of them after a while.
func TestSendPartOfWhatWasNamed(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		b.media.set(0, "a", "x")
		b.send(b.over(), "a", "b")
		time.Sleep(sendWait - pollSoon)
		want(t, b.mailed())
		time.Sleep(2 * pollSoon)
		want(t, b.mailed(), "a")
		b.media.set(0, "a", "x", "b")
		time.Sleep(time.Minute)
		want(t, b.mailed(), "a", "b more")
		if b.wishes() != 0 {
			t.Error("the wish is left")
		}
	})
}

func TestSendAfterARestart(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		b.media.set(1)
		p := b.over()
		b.send(p)
		b.restart()
		time.Sleep(time.Hour)
		b.restart()
		want(t, b.mailed())
		b.media.set(0, "a")
		time.Sleep(pollLater)
		want(t, b.mailed(), "a")
		b.restart()
		time.Sleep(time.Hour)
		want(t, b.mailed(), "a") // and not again
		if c, err := b.Lookup(t.Context(), p.id); err != nil || !c.Sent {
			t.Errorf("sent: %v, %v", c.Sent, err)
		}
	})
}

func TestSendAgainWhenMailIsNotTaken(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		b.media.set(0, "a")
		b.post.err = errors.New("no space left on device")
		b.send(b.over(), "a")
		time.Sleep(time.Minute)
		want(t, b.mailed())
		b.post.mu.Lock()
		b.post.err = nil
		b.post.mu.Unlock()
		time.Sleep(pollLater)
		want(t, b.mailed(), "a")
	})
}

func TestWhatCannotBeSent(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		b.glasses("anna")
		p := b.talkNow()
		wish := Wish{Email: "mia@example.com", Locale: "nl"}
		wantErr(t, b.Send(t.Context(), p.id, wish), ErrNotYet)
		wantErr(t, b.Send(t.Context(), "unknown", wish), ErrUnknown)
		b.RoomOf("anna", owner)
		b.Published(p.id, true)
		field := (*FieldError)(nil)
		if err := b.Send(t.Context(), p.id, Wish{Email: "mia", Locale: "nl"}); !errors.As(err, &field) || field.Field != "email" {
			t.Errorf("got %v", err)
		}
		for name, items := range map[string][]string{"many": make([]string, maxItems+1), "long": {strings.Repeat("a", 1000)}} {
			if err := b.Send(t.Context(), p.id, Wish{Email: "mia@example.com", Locale: "nl", Items: items}); !errors.As(err, &field) || field.Field != "items" {
				t.Errorf("%s: %v", name, err)
			}
		}
		many := (*TooManyError)(nil)
		for i := range 7 {
			if err := b.Send(t.Context(), p.id, wish); errors.As(err, &many) != (i >= 5) {
				t.Errorf("wish %d: %v", i, err)
			}
		}
	})
}

// Who is erased is sent nothing more.
func TestSendNothingToWhoIsErased(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		b.media.set(1)
		b.send(b.over())
		who, err := b.db.Find(t.Context(), "mia@example.com")
		check(t, err)
		_, err = b.db.Remove(t.Context(), who, func(context.Context, records.Scope) error { return nil })
		check(t, err)
		b.media.set(0, "a")
		time.Sleep(time.Hour)
		want(t, b.mailed())
	})
}
