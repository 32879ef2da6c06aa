package staff

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/bril-edge/bril/cmd/internal/showroom/hours"
	"github.com/bril-edge/bril/cmd/internal/showroom/mail"
	"github.com/bril-edge/bril/cmd/internal/showroom/records"
)

const schemaVersion = 1

type meAnswer struct {
	SchemaVersion int            `json:"schema_version"`
	Name          string         `json:"name"`
	Role          string         `json:"role"` // advisor, manager
	Showrooms     []showroomItem `json:"showrooms"`
	Expires       time.Time      `json:"expires"` // of the session
}

type showroomItem struct {
	ID       string `json:"id"`
	Title    string `json:"title"`
	TimeZone string `json:"time_zone"`
}

func (s *Staff) me(w http.ResponseWriter, _ *http.Request, p person) error {
	answer := meAnswer{schemaVersion, p.account.Name, p.account.Role, []showroomItem{}, utc(p.session.Expires)}
	for _, room := range s.showrooms(p, "") {
		answer.Showrooms = append(answer.Showrooms, showroomItem{room.ID, room.Title, room.TimeZone})
	}
	return writeJSON(w, answer)
}

// appointmentItem has the state of the conversation, once there is one.
type appointmentItem struct {
	Showroom string    `json:"showroom"`
	Start    time.Time `json:"start"`
	End      time.Time `json:"end"`
	Name     string    `json:"name"`
	Glasses  string    `json:"glasses"`
	State    string    `json:"state"` // booked, waiting, ringing, connecting, live, done, missed, cancelled

	// MailProblem says why the customer's last mail about it did not arrive, and so
	// perhaps no code.
	MailProblem string `json:"mail_problem,omitempty"`
}

type todayAnswer struct {
	SchemaVersion int               `json:"schema_version"`
	Now           time.Time         `json:"now"`
	Appointments  []appointmentItem `json:"appointments"`
}

// today returns the appointments that touch the day that it is in their showroom.
func (s *Staff) today(w http.ResponseWriter, r *http.Request, p person) error {
	answer := todayAnswer{schemaVersion, utc(s.cfg.Clock()), []appointmentItem{}}
	states := s.states()
	problems := s.mailProblems()
	for _, room := range s.showrooms(p, r.FormValue("showroom")) {
		from, to := day(room, s.cfg.Clock())
		list, err := s.cfg.Records.Appointments(r.Context(), room.ID, from, to)
		if err != nil {
			return err
		}
		for _, a := range list {
			customer, err := s.customer(r.Context(), a.Customer)
			if err != nil {
				return err
			}
			answer.Appointments = append(answer.Appointments, appointmentItem{
				a.Showroom, utc(a.Start), utc(a.End), customer.Name, a.Glasses, cmp.Or(states[a.Conversation], string(a.State)), problems[a.ID],
			})
		}
	}
	slices.SortStableFunc(answer.Appointments, func(a, b appointmentItem) int { return a.Start.Compare(b.Start) })
	return writeJSON(w, answer)
}

// day returns the bounds of the day that it is in the showroom.
func day(room hours.Showroom, now time.Time) (from, to time.Time) {
	zone := cmp.Or(room.Location(), time.UTC)
	y, m, d := now.In(zone).Date()
	return time.Date(y, m, d, 0, 0, 0, 0, zone), time.Date(y, m, d+1, 0, 0, 0, 0, zone)
}

// states returns the states of the conversations that go on, by ID.
func (s *Staff) states() map[string]string {
	states := map[string]string{}
	for _, c := range s.conversations() {
		states[c.ID] = c.State
	}
	delete(states, "") // what an appointment has that has no conversation
	return states
}

func (s *Staff) conversations() []Conversation {
	if s.cfg.Desk == nil {
		return nil
	}
	return s.cfg.Desk.Live()
}

func (s *Staff) mails() []mail.Entry {
	if s.cfg.Mail == nil {
		return nil
	}
	return s.cfg.Mail.List()
}

// mailProblems returns what came of the last mail about each appointment, if it
// was refused. Mails that still wait say nothing of those before.
func (s *Staff) mailProblems() map[string]string {
	problems := map[string]string{}
	for _, entry := range s.mails() {
		switch {
		case entry.Appointment == "" || entry.State == mail.Queued && entry.Problem == "":
		case entry.State == mail.Sent || entry.State == mail.Outbox:
			delete(problems, entry.Appointment)
		default:
			problems[entry.Appointment] = cmp.Or(entry.Problem, "not delivered")
		}
	}
	return problems
}

// customer returns an empty one for who has been erased.
func (s *Staff) customer(ctx context.Context, id string) (records.Customer, error) {
	customer, err := s.cfg.Records.Customer(ctx, id)
	if errors.Is(err, records.ErrNotFound) {
		return records.Customer{}, nil
	}
	return customer, err
}

// liveItem has no picture, no sound, and nothing that opens either.
type liveItem struct {
	Showroom string    `json:"showroom"`
	Glasses  string    `json:"glasses,omitempty"`
	Kind     string    `json:"kind"`
	State    string    `json:"state"`
	Since    time.Time `json:"since"`
	Viewers  int       `json:"viewers"`
	Network  string    `json:"network,omitempty"`
	Name     string    `json:"name,omitempty"`
}

type liveAnswer struct {
	SchemaVersion int        `json:"schema_version"`
	Conversations []liveItem `json:"conversations"`
}

func (s *Staff) live(w http.ResponseWriter, r *http.Request, p person) error {
	rooms := s.showrooms(p, r.FormValue("showroom"))
	answer := liveAnswer{schemaVersion, []liveItem{}}
	for _, c := range s.conversations() {
		if !slices.ContainsFunc(rooms, func(room hours.Showroom) bool { return room.ID == c.Showroom }) {
			continue
		}
		answer.Conversations = append(answer.Conversations, liveItem{c.Showroom, c.Glasses, c.Kind, c.State, utc(c.Since), c.Viewers, c.Network, c.Name})
	}
	return writeJSON(w, answer)
}

const (
	sentDays    = 14 // are listed unless asked otherwise
	maxSentDays = 190
	maxSent     = 200 // deliveries in one answer
)

type deliveryItem struct {
	At       time.Time  `json:"at"`
	Showroom string     `json:"showroom"`
	Items    int        `json:"items"`        // photos and clips
	To       string     `json:"to,omitempty"` // the address, all but its first letter and its domain hidden
	State    string     `json:"state"`        // queued, sent, outbox, failed, gone
	Attempts int        `json:"attempts"`
	Problem  string     `json:"problem,omitempty"`
	NextTry  *time.Time `json:"next_try,omitempty"`
}

type sentAnswer struct {
	SchemaVersion int            `json:"schema_version"`
	Deliveries    []deliveryItem `json:"deliveries"` // the latest first
	More          bool           `json:"more"`       // there are older ones
}

func (s *Staff) mediaSent(w http.ResponseWriter, r *http.Request, p person) error {
	days := sentDays
	if text := r.FormValue("days"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > maxSentDays {
			return refuse(http.StatusUnprocessableEntity, "", "days is a number from 1 to "+strconv.Itoa(maxSentDays))
		}
		days = n
	}
	deliveries, err := s.cfg.Records.Deliveries(r.Context(), s.cfg.Clock().AddDate(0, 0, -days))
	if err != nil {
		return err
	}
	mails := map[string]mail.Entry{}
	for _, entry := range s.mails() {
		mails[entry.ID] = entry
	}
	rooms := s.showrooms(p, r.FormValue("showroom"))
	answer := sentAnswer{schemaVersion, []deliveryItem{}, false}
	for _, d := range deliveries {
		item, ok, err := s.delivery(r.Context(), d, rooms, mails[d.Mail])
		if err != nil {
			return err
		}
		if ok && len(answer.Deliveries) == maxSent {
			answer.More = true
			break
		}
		if ok {
			answer.Deliveries = append(answer.Deliveries, item)
		}
	}
	return writeJSON(w, answer)
}

// delivery is not ok for one of another showroom.
func (s *Staff) delivery(ctx context.Context, d records.Delivery, rooms []hours.Showroom, entry mail.Entry) (item deliveryItem, ok bool, err error) {
	conversation, err := s.cfg.Records.Conversation(ctx, d.Conversation)
	if errors.Is(err, records.ErrNotFound) { // purged between two questions
		return item, false, nil
	}
	if err != nil || !slices.ContainsFunc(rooms, func(room hours.Showroom) bool { return room.ID == conversation.Showroom }) {
		return item, false, err
	}
	customer, err := s.customer(ctx, d.Customer)
	if err != nil {
		return item, false, err
	}
	item = deliveryItem{
		At: utc(d.At), Showroom: conversation.Showroom, Items: len(d.Items), To: masked(customer.Email),
		State: cmp.Or(string(entry.State), "gone"), Attempts: entry.Attempts, Problem: entry.Problem,
	}
	if entry.State == mail.Queued && !entry.NextTry.IsZero() {
		next := utc(entry.NextTry)
		item.NextTry = &next
	}
	return item, true, nil
}

// masked leaves enough of an address to see a slip of the pen in its domain.
func masked(address string) string {
	at := strings.LastIndexByte(address, '@')
	if at <= 0 {
		return ""
	}
	for _, letter := range address {
		return string(letter) + "\u2026" + address[at:]
	}
	return ""
}
