package records

import (
	"errors"
	"fmt"
	"testing"
	"time"
)

func converse(t testing.TB, d *DB, c *clock, id string) {
	t.Helper()
	check(t, d.SaveConversation(t.Context(), Conversation{ID: id, Showroom: "utrecht", Glasses: "anna", Created: c.now, State: "ended", Kind: "now"}))
}

// In the log stands each change with what was changed beside it.
func TestNoLogTellsWhoRatedHow(t *testing.T) {
	c, dir := monday(), t.TempDir()
	d := open(t, dir, c)
	for _, id := range []string{"first", "second"} {
		converse(t, d, c, id)
		check(t, d.Rate(t.Context(), id, id == "first"))
		if log := files(t, dir)[d.path()+"-wal"]; len(log) > 0 {
			t.Errorf("after %s there are %d bytes of log", id, len(log))
		}
	}
}

func TestRatingsAreShownInBlocksOfTen(t *testing.T) {
	c := monday()
	d := open(t, t.TempDir(), c)
	shown := Ratings{}
	for n := 1; n <= 25; n++ {
		id := fmt.Sprint("conversation", n)
		converse(t, d, c, id)
		check(t, d.Rate(t.Context(), id, n%5 != 0))
		if err := d.Rate(t.Context(), id, false); !errors.Is(err, ErrRated) {
			t.Errorf("a second thumb: %v", err)
		}
		got, ok, err := d.Ratings(t.Context(), "utrecht")
		check(t, err)
		if ok != (n >= block) {
			t.Errorf("shown with %d: %v", n, ok)
		}
		if more := got.Up + got.Down - shown.Up - shown.Down; more != 0 && more < block {
			t.Errorf("with %d conversations, %d more are shown", n, more)
		}
		shown = got
	}
	if shown != (Ratings{16, 4}) {
		t.Errorf("shown: %+v", shown)
	}
	if _, ok, err := d.Ratings(t.Context(), "delft"); ok || err != nil {
		t.Errorf("another showroom: %v, %v", ok, err)
	}
	if err := d.Rate(t.Context(), "nobody's", true); !errors.Is(err, ErrNotFound) {
		t.Errorf("no such conversation: %v", err)
	}
}

// A thumb outlives its conversation, which a saved one does not take back.
func TestRatedStays(t *testing.T) {
	c := monday()
	d := open(t, t.TempDir(), c)
	converse(t, d, c, "one")
	check(t, d.Rate(t.Context(), "one", true))
	converse(t, d, c, "one")
	got, err := d.Conversation(t.Context(), "one")
	check(t, err)
	if !got.Rated {
		t.Error("it may be rated again")
	}
	_, err = d.Remove(t.Context(), Scope{Conversations: []string{"one"}}, nil)
	check(t, err)
	var up int
	check(t, d.sql.QueryRow("SELECT sum(up) FROM ratings").Scan(&up))
	if up != 1 {
		t.Errorf("%d thumbs are counted", up)
	}
}

func TestUsageByWeek(t *testing.T) {
	c := monday()
	d := open(t, t.TempDir(), c)
	for n := range 25 {
		if n == 15 {
			c.now = c.now.Add(7 * 24 * time.Hour)
		}
		check(t, d.CountUsage(t.Context(), "utrecht", Usage{Conversations: 1, Duration: time.Minute, Photos: 2, Clips: 1}))
		if _, ok, _ := d.Usage(t.Context(), "utrecht"); ok != (n+1 >= block) {
			t.Errorf("shown with %d: %v", n+1, ok)
		}
	}
	got, _, err := d.Usage(t.Context(), "utrecht")
	check(t, err)
	if got != (Usage{20, 20 * time.Minute, 40, 20}) {
		t.Errorf("%+v", got)
	}
	weeks, err := strings1(t.Context(), d.sql, "SELECT week || ' ' || conversations FROM usage ORDER BY week")
	check(t, err)
	if fmt.Sprint(weeks) != "[ 5 2026-W49 10 2026-W50 10]" {
		t.Errorf("weeks %q", weeks)
	}
}
