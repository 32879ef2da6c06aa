package desk

import (
	"context"
	"encoding/json"
	"errors"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bril-edge/bril/cmd/internal/showroom/hours"
	"github.com/bril-edge/bril/cmd/internal/showroom/records"
)

// bench is a desk that runs in a bubble of synctest, on real records.
type bench struct {
	*Desk
	t     *testing.T
	dir   string
	db    *records.DB
	plan  hours.Plan
	post  *post
	media *shelf
	rooms *rooms
	flaky atomic.Bool // the records take no conversation
	stop  func()

	sawLive atomic.Bool // in TestACrowd
}

const twoRooms = `
showrooms:
- {id: antwerp, title: Antwerpen, time_zone: Europe/Brussels, glasses: [anna, ben], hours: {monday: "00:00-24:00", tuesday: "00:00-24:00", wednesday: "00:00-24:00", thursday: "00:00-24:00", friday: "00:00-24:00", saturday: "00:00-24:00"}}
- {id: gent, title: Gent, time_zone: Europe/Brussels, hours: {saturday: "00:00-24:00"}}
`

// inBubble runs a test with a desk of two showrooms. Time in a bubble begins on
// Saturday 1 January 2000, at midnight UTC.
func inBubble(t *testing.T, test func(t *testing.T, b *bench)) {
	synctest.Test(t, func(t *testing.T) {
		plan, err := hours.Parse([]byte(twoRooms), "hours.yaml")
		check(t, err)
		b := &bench{t: t, dir: t.TempDir(), plan: plan, post: &post{}, media: &shelf{}, rooms: &rooms{}}
		b.start()
		defer b.halt()
		test(t, b)
	})
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// start begins, or goes on after a halt, as a server that is started again.
func (b *bench) start() {
	b.t.Helper()
	db, err := records.Open(records.Config{Dir: b.dir})
	check(b.t, err)
	b.db = db
	b.Desk, err = New(b.t.Context(), Config{Records: flaky{db, &b.flaky}, Hours: b.plan, Post: b.post, Media: b.media, EndRoom: b.rooms.end, Seal: func(code string) string { return "sealed " + code }})
	check(b.t, err)
	ctx, cancel := context.WithCancel(b.t.Context())
	done := make(chan error, 1)
	go func() { done <- b.Run(ctx) }()
	b.stop = func() {
		cancel()
		check(b.t, <-done)
		check(b.t, db.Close())
	}
}

func (b *bench) halt() { b.stop() }

func (b *bench) restart() {
	b.halt()
	b.start()
}

// flaky are records that refuse conversations at times.
type flaky struct {
	*records.DB
	refuses *atomic.Bool
}

func (f flaky) SaveConversation(ctx context.Context, c records.Conversation) error {
	if f.refuses.Load() {
		return errors.New("disk I/O error")
	}
	return f.DB.SaveConversation(ctx, c)
}

// post keeps letters.
type post struct {
	mu        sync.Mutex
	letters   []string
	bookings  []BookingLetter
	media     []MediaLetter
	consented []ConsentLetter
	err       error
}

func (p *post) take(kind string, l BookingLetter) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err != nil {
		return p.err
	}
	p.letters, p.bookings = append(p.letters, kind), append(p.bookings, l)
	return nil
}

func (p *post) Booked(_ context.Context, l BookingLetter) error    { return p.take("booked", l) }
func (p *post) Moved(_ context.Context, l BookingLetter) error     { return p.take("moved", l) }
func (p *post) Cancelled(_ context.Context, l BookingLetter) error { return p.take("cancelled", l) }

func (p *post) Media(_ context.Context, l MediaLetter) (string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err != nil {
		return "", p.err
	}
	p.media = append(p.media, l)
	return records.NewID(), nil
}

func (p *post) Consented(_ context.Context, l ConsentLetter) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.consented = append(p.consented, l)
	return nil
}

func (p *post) last() BookingLetter {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.bookings[len(p.bookings)-1]
}

// shelf holds what is stored.
type shelf struct {
	mu      sync.Mutex
	items   []Item
	running int
}

func (s *shelf) Items(string) []Item {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.items)
}

func (s *shelf) Running(string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.running
}

func (s *shelf) set(running int, ids ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running, s.items = running, nil
	for _, id := range ids {
		s.items = append(s.items, Item{ID: id, Kind: "photo"})
	}
}

type rooms struct {
	mu    sync.Mutex
	ended []string
}

func (r *rooms) end(room string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ended = append(r.ended, room)
}

var home = netip.MustParseAddr("192.0.2.1")

const owner = "owner"

// glasses are a pair that reads its stream.
type glasses struct {
	b      *bench
	name   string
	stream *Stream
	last   string
}

func (b *bench) glasses(name string) *glasses {
	b.t.Helper()
	g := &glasses{b: b, name: name}
	g.connect()
	return g
}

func (g *glasses) connect() {
	g.b.t.Helper()
	stream, err := g.b.Desk.Glasses(g.name, owner, g.last)
	check(g.b.t, err)
	g.stream = stream
}

// heard returns what has come since, as short words.
func (g *glasses) heard() (list []string) {
	g.b.t.Helper()
	synctest.Wait()
	ctx, cancel := context.WithTimeout(g.b.t.Context(), time.Nanosecond)
	defer cancel()
	for {
		m, err := g.stream.Next(ctx)
		if err != nil {
			return list
		}
		g.last = m.ID
		list = append(list, words(g.b.t, m))
	}
}

func words(t *testing.T, m Message) string {
	t.Helper()
	type fields struct {
		Conversation                            json.RawMessage
		State, Reason, Presence, Network, Thumb string
		Customer                                json.RawMessage
	}
	var said fields
	check(t, json.Unmarshal(m.Data, &said))
	if m.Event == "hello" && string(said.Conversation) != "null" {
		check(t, json.Unmarshal(said.Conversation, &said))
		if said.Customer != nil {
			check(t, json.Unmarshal(said.Customer, &said))
		}
	}
	text := m.Event
	for _, word := range []string{said.State, said.Reason, said.Presence, said.Network, said.Thumb} {
		if word != "" {
			text += " " + word
		}
	}
	return text
}

// page is a customer's.
type page struct {
	b     *bench
	id    string
	calls <-chan Call
	leave func()
}

func (b *bench) page(id string) *page {
	b.t.Helper()
	calls, cancel, err := b.Watch(b.t.Context(), id)
	check(b.t, err)
	return &page{b: b, id: id, calls: calls, leave: cancel}
}

func (b *bench) talkNow() *page {
	b.t.Helper()
	c, err := b.TalkNow(b.t.Context(), "antwerp", "nl", home)
	check(b.t, err)
	return b.page(c.ID)
}

// is checks what a conversation has come to, in the records too.
func (p *page) is(phase Phase, reason Reason) {
	p.b.t.Helper()
	synctest.Wait()
	c, err := p.b.Lookup(p.b.t.Context(), p.id)
	check(p.b.t, err)
	if c.Phase != phase || c.Reason != reason {
		p.b.t.Fatalf("it is %s (%s), not %s (%s)", c.Phase, c.Reason, phase, reason)
	}
	r, err := p.b.db.Conversation(p.b.t.Context(), p.id)
	check(p.b.t, err)
	if r.State != string(phase) || r.Reason != string(reason) || r.Ended.IsZero() != (phase != Ended) {
		p.b.t.Fatalf("stored is %+v, not %s (%s)", r, phase, reason)
	}
}

func (b *bench) accept(g *glasses, p *page) {
	b.t.Helper()
	check(b.t, b.Answer(b.t.Context(), g.name, owner, p.id, true))
}

// live has a conversation of talk now on glasses.
func (b *bench) live(g *glasses) *page {
	b.t.Helper()
	p := b.talkNow()
	b.accept(g, p)
	b.Published(p.id, true)
	p.is(Live, "")
	return p
}

func want(t *testing.T, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Fatalf("got %q, want %q", got, want)
	}
}

func wantErr(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("got %v, want %v", err, want)
	}
}

// bring has a conversation in a phase, on anna where it is on glasses.
func (b *bench) bring(anna *glasses, phase Phase, booked bool) *page {
	b.t.Helper()
	if !booked {
		p := b.talkNow()
		b.onTo(anna, p, phase)
		return p
	}
	code := b.book("antwerp", 30*time.Minute).Code
	time.Sleep(25 * time.Minute)
	c, err := b.Join(b.t.Context(), code, home)
	check(b.t, err)
	p := b.page(c.ID)
	if phase == Booked {
		return p
	}
	if phase == Waiting {
		anna.stream.Close()
	}
	_, err = b.Ring(b.t.Context(), p.id)
	check(b.t, err)
	b.onTo(anna, p, phase)
	return p
}

func (b *bench) onTo(anna *glasses, p *page, phase Phase) {
	b.t.Helper()
	if phase == Connecting || phase == Live {
		b.accept(anna, p)
	}
	if phase == Live {
		b.Published(p.id, true)
	}
	if phase == Ended {
		check(b.t, b.End(b.t.Context(), p.id))
		p.is(Ended, ByCustomer)
		return
	}
	p.is(phase, "")
}

// book makes an appointment that begins in a while, and returns its letter.
func (b *bench) book(showroom string, in time.Duration) BookingLetter {
	b.t.Helper()
	_, err := b.Book(b.t.Context(), request(showroom, time.Now().Add(in)))
	check(b.t, err)
	return b.post.last()
}

func request(showroom string, start time.Time) Request {
	return Request{Showroom: showroom, Start: start, Name: "Mia Maes", Email: "mia@example.com", Locale: "nl", From: home}
}
