package staff

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/bril-edge/bril/cmd/internal/showroom/mail"
	"github.com/bril-edge/bril/cmd/internal/showroom/records"
)

// book makes an appointment of half an hour; the name is the customer's.
func (o *office) book(showroom, glasses, name string, start time.Time) records.Appointment {
	o.t.Helper()
	customer := records.Customer{Name: name, Email: strings.ToLower(strings.Fields(name)[0]) + "@customers.example", Locale: "nl"}
	a, err := o.db.Book(o.t.Context(), customer, records.Appointment{Showroom: showroom, Glasses: glasses, Start: start, End: start.Add(30 * time.Minute)},
		fmt.Sprint("code", name), fmt.Sprint("token", name))
	check(o.t, err)
	return a
}

// talk makes a conversation that has ended, of an appointment's customer.
func (o *office) talk(a records.Appointment) records.Conversation {
	o.t.Helper()
	now := o.clock.Now()
	c := records.Conversation{ID: records.NewID(), Showroom: a.Showroom, Glasses: a.Glasses, Appointment: a.ID, Customer: a.Customer,
		Locale: "nl", Created: now, Started: now, Ended: now, State: "ended", Reason: "customer", Kind: "booked"}
	check(o.t, o.db.SaveConversation(o.t.Context(), c))
	if a.ID == "" {
		return c
	}
	_, err := o.db.SetAppointmentConversation(o.t.Context(), a.ID, c.ID)
	check(o.t, err)
	return c
}

func (o *office) sent(c records.Conversation, mail string, items ...string) {
	o.t.Helper()
	check(o.t, o.db.AddDelivery(o.t.Context(), records.Delivery{Conversation: c.ID, Customer: c.Customer, Items: items, Mail: mail}))
}

// rate makes as many conversations, with their thumbs.
func (o *office) rate(showroom string, up, down int) {
	o.t.Helper()
	for i := range up + down {
		c := o.talk(records.Appointment{Showroom: showroom, Glasses: "anna"})
		check(o.t, o.db.Rate(o.t.Context(), c.ID, i < up))
		check(o.t, o.db.CountUsage(o.t.Context(), showroom, records.Usage{Conversations: 1, Duration: 12 * time.Minute, Photos: 2}))
	}
}

func (o *office) loggedIn(name string) *browserOf {
	o.t.Helper()
	b := o.browser()
	if status := b.login(name, password); status != 204 {
		o.t.Fatalf("login of %s: %d", name, status)
	}
	return b
}

// staffed has an advisor of each showroom, one of none, and a manager.
func staffed(t *testing.T) (o *office, anna, sala, none, mia *browserOf) {
	t.Helper()
	o = newOffice(t, nil)
	o.add("anna", RoleAdvisor, "antwerp")
	o.add("sala", RoleAdvisor, "suva")
	o.add("none", RoleAdvisor, "")
	o.add("mia", RoleManager, "")
	return o, o.loggedIn("anna"), o.loggedIn("sala"), o.loggedIn("none"), o.loggedIn("mia")
}

func TestToday(t *testing.T) {
	o, anna, sala, none, mia := staffed(t)
	// It is 1 December, 10:30 in Antwerp and 21:30 on Fiji.
	at := func(day, hour, minute int) time.Time { return time.Date(2026, 12, day, hour, minute, 0, 0, time.UTC) }
	o.book("antwerp", "anna", "Yesterday Yke", at(0, 22, 0))
	first := o.book("antwerp", "anna", "Ada Lovelace", at(0, 23, 15)) // 00:15 there
	live := o.book("antwerp", "anna", "Grace Hopper", at(1, 9, 30))
	o.book("antwerp", "anna", "Tomorrow Tom", at(1, 23, 0)) // 00:00 of the next day
	o.book("suva", "sala", "Suva Sue", at(0, 12, 0))        // 00:00 there
	o.book("suva", "sala", "Late Lena", at(1, 12, 0))
	check(t, o.db.SetAppointmentState(t.Context(), first.ID, records.Missed))
	o.desk.set([]Conversation{{ID: o.talk(live).ID, State: "ringing", Showroom: "antwerp"}},
		mail.Entry{ID: "1", Appointment: first.ID, State: mail.Sent},
		mail.Entry{ID: "2", Appointment: live.ID, State: mail.Failed, Problem: "550 no such user"},
		mail.Entry{ID: "3", Appointment: live.ID, State: mail.Queued})

	for name, c := range map[string]struct {
		who  *browserOf
		path string
		want string
	}{
		"advisor":          {anna, "", "Ada Lovelace missed, Grace Hopper ringing 550 no such user"},
		"another's":        {anna, "?showroom=suva", ""},
		"far away":         {sala, "", "Suva Sue booked"},
		"of none":          {none, "", ""},
		"manager":          {mia, "", "Suva Sue booked, Ada Lovelace missed, Grace Hopper ringing 550 no such user"},
		"manager, one":     {mia, "?showroom=suva", "Suva Sue booked"},
		"manager, unknown": {mia, "?showroom=x", ""},
	} {
		var got []string
		for _, a := range get[todayAnswer](c.who, "/api/staff/today"+c.path).Appointments {
			got = append(got, strings.TrimSpace(a.Name+" "+a.State+" "+a.MailProblem))
		}
		if strings.Join(got, ", ") != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// A conversation can be seen to go on; nothing that is told opens it.
func TestLive(t *testing.T) {
	o, anna, sala, none, mia := staffed(t)
	begun := o.clock.Now().Add(-5 * time.Minute)
	o.desk.set([]Conversation{
		{ID: "cidcidcid", Showroom: "antwerp", Glasses: "anna", Kind: "booked", State: "live", Since: begun, Viewers: 1, Network: "poor", Name: "Grace Hopper"},
		{ID: "cidcidcid", Showroom: "suva", Glasses: "sala", Kind: "now", State: "ringing", Since: begun},
	})
	for name, c := range map[string]struct {
		who  *browserOf
		want int
	}{"anna": {anna, 1}, "sala": {sala, 1}, "none": {none, 0}, "mia": {mia, 2}} {
		text := c.who.must(200, http.MethodGet, "/api/staff/live", "")
		if got := len(get[liveAnswer](c.who, "/api/staff/live").Conversations); got != c.want || strings.Contains(text, "cid") {
			t.Errorf("%s: %d of %s", name, got, text)
		}
	}
	if got := get[liveAnswer](anna, "/api/staff/live").Conversations[0]; got != (liveItem{"antwerp", "anna", "booked", "live", begun, 1, "poor", "Grace Hopper"}) {
		t.Errorf("%+v", got)
	}
}

func TestMediaSent(t *testing.T) {
	o, anna, sala, _, mia := staffed(t)
	ada := o.talk(o.book("antwerp", "anna", "Ada Lovelace", o.clock.Now()))
	sue := o.talk(o.book("suva", "sala", "Suva Sue", o.clock.Now()))
	o.clock.advance(-15 * 24 * time.Hour)
	o.sent(ada, "long ago", "i")
	o.clock.advance(15 * 24 * time.Hour)
	next := o.clock.Now().Add(time.Minute)
	o.sent(ada, "sent", "i", "j")
	o.sent(sue, "failed", "i")
	o.clock.advance(time.Second)
	o.sent(ada, "waits", "i", "j", "k")
	o.desk.set(nil,
		mail.Entry{ID: "sent", State: mail.Sent, Attempts: 1},
		mail.Entry{ID: "failed", State: mail.Failed, Attempts: 1, Problem: "550 no such user"},
		mail.Entry{ID: "waits", State: mail.Queued, Attempts: 2, Problem: "451 try later", NextTry: next})

	show := func(b *browserOf, path string) string {
		var got []string
		for _, d := range get[sentAnswer](b, "/api/staff/media-sent"+path).Deliveries {
			got = append(got, strings.TrimSpace(fmt.Sprint(d.Items, " to ", d.To, ": ", d.State, " ", d.Attempts, " ", d.Problem)))
			if (d.NextTry != nil) != (d.State == "queued") {
				t.Errorf("next try: %+v", d)
			}
		}
		return strings.Join(got, ", ")
	}
	const of = "3 to a…@customers.example: queued 2 451 try later, 2 to a…@customers.example: sent 1"
	if got := show(anna, ""); got != of {
		t.Errorf("anna: %s", got)
	}
	if got := show(anna, "?days=16"); got != of+", 1 to a…@customers.example: gone 0" {
		t.Errorf("anna, 16 days: %s", got)
	}
	if got := show(sala, ""); got != "1 to s…@customers.example: failed 1 550 no such user" {
		t.Errorf("sala: %s", got)
	}
	if got := show(mia, ""); strings.Count(got, "customers.example") != 3 {
		t.Errorf("mia: %s", got)
	}
	scope, err := o.db.Find(t.Context(), sue.Customer)
	check(t, err)
	_, err = o.db.Remove(t.Context(), scope, func(context.Context, records.Scope) error { return nil })
	check(t, err)
	if got := show(sala, ""); got != "" {
		t.Errorf("after the erasure: %s", got)
	}
	for _, days := range []string{"0", "-1", "191", "x"} {
		mia.must(422, http.MethodGet, "/api/staff/media-sent?days="+days, "")
	}
}

func TestLongListIsCut(t *testing.T) {
	o, anna, _, _, _ := staffed(t)
	c := o.talk(o.book("antwerp", "anna", "Ada Lovelace", o.clock.Now()))
	for range maxSent {
		o.sent(c, "m")
	}
	if got := get[sentAnswer](anna, "/api/staff/media-sent"); len(got.Deliveries) != maxSent || got.More {
		t.Errorf("%d, more: %v", len(got.Deliveries), got.More)
	}
	o.sent(c, "m")
	if got := get[sentAnswer](anna, "/api/staff/media-sent"); len(got.Deliveries) != maxSent || !got.More {
		t.Errorf("%d, more: %v", len(got.Deliveries), got.More)
	}
}

func TestRatings(t *testing.T) {
	o, anna, _, _, mia := staffed(t)
	anna.must(403, http.MethodGet, "/api/staff/ratings", "")
	o.rate("antwerp", 7, 2)
	show := func() string {
		list := get[ratingsAnswer](mia, "/api/staff/ratings").Showrooms
		if len(list) != 2 || list[1].Ratings != nil || list[1].Usage != nil {
			t.Errorf("%+v", list)
		}
		if list[0].Ratings == nil || list[0].Usage == nil {
			return ""
		}
		return fmt.Sprintf("%+v %+v", *list[0].Ratings, *list[0].Usage)
	}
	if got := show(); got != "" {
		t.Errorf("of 9 conversations: %s", got)
	}
	if text := mia.must(200, http.MethodGet, "/api/staff/ratings", ""); !strings.Contains(text, `"minimum":10`) || !strings.Contains(text, `"ratings":null`) {
		t.Error(text)
	}
	o.rate("antwerp", 1, 0)
	const ten = "{Up:8 Down:2} {Conversations:10 Seconds:7200 Photos:20 Clips:0}"
	if got := show(); got != ten {
		t.Errorf("of 10 conversations: %s", got)
	}
	o.rate("antwerp", 0, 1) // the next person's is not the difference of two figures
	if got := show(); got != ten {
		t.Errorf("of 11 conversations: %s", got)
	}
}

// An advisor without a showroom has the only one that there is.
func TestOnlyShowroom(t *testing.T) {
	o := newOffice(t, func(c *Config) { c.Showrooms = c.Showrooms[:1] })
	o.add("none", RoleAdvisor, "")
	o.add("gone", RoleAdvisor, "closed-last-year")
	if me := get[meAnswer](o.loggedIn("none"), "/api/staff/me"); len(me.Showrooms) != 1 || me.Showrooms[0].TimeZone != "Europe/Brussels" {
		t.Errorf("%+v", me)
	}
	if me := get[meAnswer](o.loggedIn("gone"), "/api/staff/me"); len(me.Showrooms) != 0 {
		t.Errorf("%+v", me)
	}
}

// Everything but the login wants one.
func TestNothingIsOpen(t *testing.T) {
	b := newOffice(t, nil).browser()
	for pattern := range (&Staff{}).Routes() {
		path := strings.ReplaceAll(pattern, "{id}", "x")
		if !strings.HasPrefix(path, "/api/staff/") || strings.HasSuffix(path, "/login") || strings.HasSuffix(path, "/logout") {
			continue
		}
		for _, method := range []string{http.MethodGet, http.MethodDelete} {
			if status, text := b.ask(method, path, ""); status != 401 && status != 405 {
				t.Errorf("%s %s: %d %s", method, path, status, text)
			}
		}
	}
}

func TestMasked(t *testing.T) {
	for address, want := range map[string]string{"ada@x.example": "a…@x.example", "éva@x.example": "é…@x.example", "": "", "@x": "", "none": ""} {
		if got := masked(address); got != want {
			t.Errorf("%q: %q", address, got)
		}
	}
}
