package desk

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"
)

func TestReadCode(t *testing.T) {
	for typed, want := range map[string]string{
		"ABCD-EFGH": "ABCDEFGH", "abcd efgh": "ABCDEFGH", "o1il-0000": "01110000", "ABCDEFG": "", "ABCD-EFGU": "",
		"": "", "ABCD-EFGHJ": "", "ÄBCDEFGH": "", strings.Repeat("-", 100) + "ABCDEFGH": "",
	} {
		if got, ok := ReadCode(typed); got != want || ok != (want != "") {
			t.Errorf("%q: %q, %v", typed, got, ok)
		}
	}
}

func TestCodesFollowFromTokens(t *testing.T) {
	a, b := codeOf("one token"), codeOf("another")
	if a == b || a != codeOf("one token") {
		t.Errorf("%s and %s", a, b)
	}
	if read, ok := ReadCode(ShowCode(a)); !ok || read != a {
		t.Errorf("%s is read as %s", ShowCode(a), read)
	}
}

// 10,000 wrong codes from one address are stopped, and a right customer gets in
// from another.
func TestTenThousandWrongCodes(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		l := b.book("antwerp", 30*time.Minute)
		time.Sleep(30 * time.Minute)
		attacker := netip.MustParseAddr("2001:db8::1")
		looked := b.tryCodes(t, 10_000, func(i int) netip.Addr { return withHost(attacker, uint64(i)) })
		if looked != 10 {
			t.Errorf("%d of 10,000 were looked up", looked)
		}
		_, err := b.Join(t.Context(), l.Code, attacker)
		many := (*TooManyError)(nil)
		if !errors.As(err, &many) || many.Seconds() < 1 || many.Seconds() > 60 {
			t.Errorf("a right code from that address: %v", err)
		}
		_, err = b.Join(t.Context(), l.Code, home)
		check(t, err)
		time.Sleep(many.RetryAfter)
		_, err = b.Join(t.Context(), l.Code, attacker)
		check(t, err)
	})
}

// From 10,000 addresses they are stopped too, and a right customer gets in within
// seconds.
func TestWrongCodesFromEverywhere(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		l := b.book("antwerp", 30*time.Minute)
		time.Sleep(30 * time.Minute)
		looked := b.tryCodes(t, 10_000, func(i int) netip.Addr {
			return netip.AddrFrom4([4]byte{198, 51, byte(i >> 8), byte(i)})
		})
		if looked != 200 {
			t.Errorf("%d of 10,000 were looked up", looked)
		}
		_, err := b.Join(t.Context(), l.Code, home)
		many := (*TooManyError)(nil)
		if !errors.As(err, &many) || many.RetryAfter > 3*time.Second {
			t.Fatalf("right behind them: %v", err)
		}
		// While they go on, who has the mail gets in all the same.
		_, err = b.JoinByLink(t.Context(), l.Link)
		check(t, err)
		_, err = b.JoinByLink(t.Context(), l.Token)
		wantErr(t, err, ErrUnknownCode)
		wantErr(t, b.Cancel(t.Context(), l.Link), ErrUnknownAppointment) // it joins, and manages nothing
		time.Sleep(many.RetryAfter)
		_, err = b.Join(t.Context(), l.Code, home)
		check(t, err)
	})
}

// withHost changes the half of an IPv6 address that its customer chooses.
func withHost(a netip.Addr, host uint64) netip.Addr {
	bytes := a.As16()
	binary.BigEndian.PutUint64(bytes[8:], host)
	return netip.AddrFrom16(bytes)
}

// tryCodes returns how many wrong codes were looked up.
func (b *bench) tryCodes(t *testing.T, n int, from func(i int) netip.Addr) (looked int) {
	t.Helper()
	for i := range n {
		_, err := b.Join(t.Context(), ShowCode(codeOf(string(rune(i)))), from(i))
		many := (*TooManyError)(nil)
		switch {
		case errors.Is(err, ErrUnknownCode):
			looked++
		case !errors.As(err, &many):
			t.Fatal(err)
		}
	}
	return looked
}

func TestTalkNowAndBookingsAreLimited(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		b.glasses("anna")
		many := (*TooManyError)(nil)
		for i := range 40 {
			c, err := b.TalkNow(t.Context(), "antwerp", "nl", home)
			if errors.As(err, &many) != (i >= 30) {
				t.Fatalf("call %d: %v", i, err)
			}
			if err == nil {
				check(t, b.End(t.Context(), c.ID))
			}
		}
		if _, err := b.TalkNow(t.Context(), "antwerp", "nl", netip.MustParseAddr("192.0.2.2")); err != nil {
			t.Errorf("from another address: %v", err)
		}
		for i := range 25 {
			r := request("antwerp", time.Now().Add(time.Duration(i+1)*30*time.Minute))
			r.Email = fmt.Sprintf("mia%d@example.com", i)
			_, err := b.Book(t.Context(), r)
			if errors.As(err, &many) != (i >= 20) {
				t.Fatalf("booking %d: %v", i, err)
			}
		}
	})
}

// Nobody can fill a stranger's mailbox, nor the calendar with one address.
func TestOneAddressHasFewAppointments(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		from := netip.MustParseAddr("192.0.2.9")
		book := func(i int) error {
			from = from.Next()
			r := request("antwerp", time.Now().Truncate(time.Hour).Add(time.Duration(i+1)*time.Hour))
			r.Email, r.From = []string{"Mia@example.com", "mia@EXAMPLE.com "}[i%2], from
			_, err := b.Book(t.Context(), r)
			return err
		}
		for i := range maxBooked {
			check(t, book(i))
		}
		many := (*TooManyError)(nil)
		if err := book(maxBooked); !errors.As(err, &many) || many.RetryAfter != 90*time.Minute {
			t.Fatalf("one more: %v", err)
		}
		check(t, b.Cancel(t.Context(), b.post.last().Token))
		check(t, book(maxBooked))
		time.Sleep(many.RetryAfter)
		check(t, book(maxBooked+1))
	})
}

func TestAnAppointmentMovesSeldom(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		l, many := b.book("antwerp", 2*time.Hour), (*TooManyError)(nil)
		for i := range 12 {
			start := l.Start.Add(time.Duration(i+1) * 30 * time.Minute)
			_, err := b.Move(t.Context(), l.Token, start)
			if errors.As(err, &many) != (i >= 10) {
				t.Fatalf("move %d: %v", i, err)
			}
		}
		time.Sleep(many.RetryAfter)
		_, err := b.Move(t.Context(), l.Token, l.Start)
		check(t, err)
	})
}
