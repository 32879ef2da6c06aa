package showroom

import (
	"net/http"
	"strconv"
	"time"

	"github.com/bril-edge/bril/cmd/internal/showroom/desk"
	"github.com/bril-edge/bril/cmd/internal/showroom/hours"
)

// conferring refuses where the server has no place for conversations.
func (s *Server) conferring() error {
	if s.desk == nil {
		return typed(http.StatusServiceUnavailable, "no-data", "this server keeps no conversations: start it with --data DIR")
	}
	return nil
}

// public is a handler for everybody. The desk counts what each costs; this is
// before anything is looked up.
func (s *Server) public(next handler, methods ...string) handler {
	return allow(func(w http.ResponseWriter, r *http.Request) error {
		if err := s.conferring(); err != nil {
			return err
		}
		if wait := s.visits.wait(from(r), s.now()); wait > 0 {
			return &desk.TooManyError{RetryAfter: wait}
		}
		return next(w, r)
	}, methods...)
}

type showroomsAnswer struct {
	SchemaVersion int            `json:"schema_version"`
	Showrooms     []listShowroom `json:"showrooms"`
}

type listShowroom struct {
	ID       string    `json:"id"`
	Title    string    `json:"title"`
	TimeZone string    `json:"time_zone"`
	Open     bool      `json:"open"`
	OpensAt  time.Time `json:"opens_at,omitzero"`
	Free     int       `json:"free"`
}

func (s *Server) showrooms(w http.ResponseWriter, r *http.Request) error {
	answer := showroomsAnswer{SchemaVersion: schemaVersion, Showrooms: []listShowroom{}}
	for _, room := range s.desk.Showrooms(r.Context()) {
		answer.Showrooms = append(answer.Showrooms, listShowroom{
			ID: room.ID, Title: room.Title, TimeZone: room.TimeZone, Open: room.Open, OpensAt: utc(room.OpensAt), Free: room.Free,
		})
	}
	return writeJSON(w, answer)
}

type slotsAnswer struct {
	SchemaVersion int    `json:"schema_version"`
	Slots         []slot `json:"slots"`
}

type slot struct {
	Start time.Time `json:"start"`
	End   time.Time `json:"end"`
}

const (
	defaultDays = 14
	maxDays     = 31
)

func (s *Server) slots(w http.ResponseWriter, r *http.Request) error {
	room, ok := s.plan.Showroom(r.PathValue("id"))
	if !ok {
		return desk.ErrNoShowroom
	}
	first, days, err := s.period(r, room)
	if err != nil {
		return err
	}
	free, err := s.desk.Slots(r.Context(), room.ID, first, days)
	if err != nil {
		return err
	}
	answer := slotsAnswer{SchemaVersion: schemaVersion, Slots: []slot{}}
	for _, f := range free {
		answer.Slots = append(answer.Slots, slot{Start: utc(f.Start), End: utc(f.End)})
	}
	return writeJSON(w, answer)
}

// period reads which days are asked for, on the showroom's own calendar. From today
// on is from now on.
func (s *Server) period(r *http.Request, room hours.Showroom) (first time.Time, days int, err error) {
	query := r.URL.Query()
	first, days = s.now(), defaultDays
	if text := query.Get("from"); text != "" {
		if first, err = time.ParseInLocation(time.DateOnly, text, room.Location()); err != nil {
			return first, 0, failure(http.StatusBadRequest, "from is a date, as 2026-12-01")
		}
	}
	if text := query.Get("days"); text != "" {
		if days, err = strconv.Atoi(text); err != nil || days < 1 || days > maxDays {
			return first, 0, failure(http.StatusBadRequest, "days is a number from 1 to "+strconv.Itoa(maxDays))
		}
	}
	return first, days, nil
}

// call is talk now: a conversation, and the cookies that open it.
func (s *Server) call(w http.ResponseWriter, r *http.Request) error {
	var wanted struct {
		Showroom string `json:"showroom"`
		Locale   string `json:"locale"`
	}
	if err := decode(r, &wanted); err != nil {
		return err
	}
	c, err := s.desk.TalkNow(r.Context(), wanted.Showroom, wanted.Locale, from(r))
	if err != nil {
		return err
	}
	return s.admit(w, http.StatusCreated, c)
}

// join exchanges the code of an appointment, or what the link in its mail has beside
// it, for its conversation.
func (s *Server) join(w http.ResponseWriter, r *http.Request) error {
	var given struct {
		Code string `json:"code"`
		Link string `json:"link"`
	}
	if err := decode(r, &given); err != nil {
		return err
	}
	enter := func() (desk.Conversation, error) { return s.desk.Join(r.Context(), given.Code, from(r)) }
	if given.Link != "" {
		enter = func() (desk.Conversation, error) { return s.desk.JoinByLink(r.Context(), given.Link) }
	}
	c, err := enter()
	if err != nil {
		return err
	}
	return s.admit(w, http.StatusOK, c)
}

// admit gives a browser the cookies of its conversation.
func (s *Server) admit(w http.ResponseWriter, status int, c desk.Conversation) error {
	for _, cookie := range s.keys.cookies(c.ID, newDevice(), s.now(), s.tls != nil) {
		http.SetCookie(w, cookie)
	}
	return writeStatusJSON(w, status, s.conversationAnswer(c))
}

// utc leaves no zone of the server's own in an answer.
func utc(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return t.UTC()
}
