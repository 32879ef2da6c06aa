// Package staff is what advisors and managers see of a showroom in the browser:
// today's appointments, the conversations that go on, what was mailed to
// customers, and ratings added up. It holds their accounts, logins and sessions.
//
// It shows no picture and no sound of a conversation, tells no customer's name but
// that of an appointment and no whole address, and no rating of fewer
// conversations than hide a person. A password is stored as its argon2id hash, a
// session as the hash of its cookie.
package staff

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/bril-edge/bril/cmd/internal/showroom/hours"
	"github.com/bril-edge/bril/cmd/internal/showroom/mail"
	"github.com/bril-edge/bril/cmd/internal/showroom/records"
	"github.com/bril-edge/bril/cmd/internal/showroom/web"
)

// Config is what the views are made of. Zero means the default.
type Config struct {
	Records   *records.DB      // accounts, appointments, deliveries, ratings; needed
	Showrooms []hours.Showroom // of this server
	Desk      Desk             // default: no conversations
	Mail      Mail             // default: nothing is known of what became of mails
	Secure    bool             // sessions' cookies go over TLS only
	Passwords Params           // what a hash costs
	Clock     func() time.Time // default: time.Now
	Log       *slog.Logger     // default: none
}

// Desk knows the conversations that ring or go on now.
type Desk interface{ Live() []Conversation }

// Conversation is what may be told of one that rings or goes on.
type Conversation struct {
	ID       string // not told
	Showroom string
	Glasses  string
	Kind     string // now, booked
	State    string // waiting, ringing, connecting, live
	Since    time.Time
	Viewers  int
	Network  string // good, poor, frozen; empty when not known
	Name     string // of the appointment; empty without one
}

// Mail knows what became of mails.
type Mail interface{ List() []mail.Entry }

// Handler answers a request, or returns what was wrong with it: an *Error, if it
// is the client's to know.
type Handler = func(http.ResponseWriter, *http.Request) error

// Staff answers requests to the page and its API.
type Staff struct {
	cfg      Config
	log      *slog.Logger
	dummy    string // the hash of an account that nobody has
	guesses  *guesses
	hashing  chan struct{} // has a place for each hash that may be computed at once
	waiting  chan struct{} // and for each that may wait for that
	sameSite *http.CrossOriginProtection
}

const (
	maxHashing = 2 // 64 MiB each
	maxWaiting = 32
)

// New returns the views. It starts nothing.
func New(cfg Config) (*Staff, error) {
	if cfg.Records == nil {
		return nil, errors.New("staff: no records are given")
	}
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	cfg.Passwords = cfg.Passwords.withDefaults()
	return &Staff{
		cfg: cfg, log: cmp.Or(cfg.Log, slog.New(slog.DiscardHandler)),
		dummy: cfg.Passwords.nobodys(), guesses: newGuesses(),
		hashing: make(chan struct{}, maxHashing), waiting: make(chan struct{}, maxWaiting),
		sameSite: http.NewCrossOriginProtection(),
	}, nil
}

// Routes returns the handlers by the patterns of http.ServeMux. Those of the API
// answer all methods.
func (s *Staff) Routes() map[string]Handler {
	return map[string]Handler{
		"GET /staff":               web.Staff.Serve,
		"/api/staff/login":         s.guard(methods{http.MethodPost: s.login}),
		"/api/staff/logout":        s.guard(methods{http.MethodPost: s.logout}),
		"/api/staff/me":            s.guard(methods{http.MethodGet: s.known(s.me)}),
		"/api/staff/today":         s.guard(methods{http.MethodGet: s.known(s.today)}),
		"/api/staff/live":          s.guard(methods{http.MethodGet: s.known(s.live)}),
		"/api/staff/media-sent":    s.guard(methods{http.MethodGet: s.known(s.mediaSent)}),
		"/api/staff/ratings":       s.guard(methods{http.MethodGet: s.known(s.ratings)}),
		"/api/staff/sessions":      s.guard(methods{http.MethodGet: s.known(s.sessions), http.MethodDelete: s.known(s.revokeAll)}),
		"/api/staff/sessions/{id}": s.guard(methods{http.MethodDelete: s.known(s.revoke)}),
	}
}

// methods are the handlers of one path.
type methods map[string]Handler

func (m methods) serve(w http.ResponseWriter, r *http.Request) error {
	method := r.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	if h, ok := m[method]; ok {
		return h(w, r)
	}
	var allow []string
	for _, method := range []string{http.MethodDelete, http.MethodGet, http.MethodPost} {
		if _, ok := m[method]; ok {
			allow = append(allow, method)
		}
	}
	w.Header().Set("Allow", strings.Join(allow, ", "))
	return refuse(http.StatusMethodNotAllowed, "", "allowed here: "+strings.Join(allow, ", "))
}

// guard refuses what another site's page had this browser ask. The cookie is
// SameSite=Strict already; this holds for the login too, and for other hosts of
// our own site. Programs that are no browsers send neither of the headers, and
// no cookie that they were not given.
func (s *Staff) guard(m methods) Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		if err := s.sameSite.Check(r); err != nil {
			return refuse(http.StatusForbidden, "cross-origin", "this does not come from the showroom's own page")
		}
		return m.serve(w, r)
	}
}

// person is who a request comes from.
type person struct {
	account records.Staff
	session records.StaffSession
}

// known lets in who is logged in.
func (s *Staff) known(next func(http.ResponseWriter, *http.Request, person) error) Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		p, err := s.person(r)
		if err != nil {
			return err
		}
		return next(w, r, p)
	}
}

// showrooms returns those that somebody sees, only the asked-for one if there is
// one: a manager all; an advisor the own one, or the only one that there is.
func (s *Staff) showrooms(p person, asked string) []hours.Showroom {
	var list []hours.Showroom
	for _, room := range s.cfg.Showrooms {
		mine := p.account.Role == RoleManager || p.account.Showroom == room.ID || p.account.Showroom == "" && len(s.cfg.Showrooms) == 1
		if mine && (asked == "" || asked == room.ID) {
			list = append(list, room)
		}
	}
	return list
}

// The roles.
const (
	RoleAdvisor = "advisor" // sees the appointments of the own showroom, and what was sent
	RoleManager = "manager" // sees all showrooms, and ratings
)

// Error is a refusal that the client is told.
type Error struct {
	Status     int
	Word       string // of the problem's type, urn:bril:problem:WORD; may be empty
	Detail     string
	RetryAfter time.Duration // zero for none
}

func (e *Error) Error() string { return e.Detail }

// Seconds is for the header Retry-After.
func (e *Error) Seconds() string {
	return strconv.Itoa(int((e.RetryAfter + time.Second - 1) / time.Second))
}

func refuse(status int, word, detail string) *Error {
	return &Error{Status: status, Word: word, Detail: detail}
}

// passwordWork does what a hash costs, when it is this one's turn.
func (s *Staff) passwordWork(ctx context.Context, work func() error) error {
	select {
	case s.waiting <- struct{}{}:
		defer func() { <-s.waiting }()
	default:
		return &Error{http.StatusServiceUnavailable, "busy", "too many logins at once", 2 * time.Second}
	}
	select {
	case s.hashing <- struct{}{}:
		defer func() { <-s.hashing }()
	case <-ctx.Done():
		return fmt.Errorf("wait for a turn to log in: %w", ctx.Err())
	}
	return work()
}

// Manager returns who a request comes from that has a manager's session, or refuses it:
// of what another site had this browser ask, too.
func (s *Staff) Manager(r *http.Request) (name string, err error) {
	if err := s.sameSite.Check(r); err != nil {
		return "", refuse(http.StatusForbidden, "cross-origin", "this does not come from the showroom's own page")
	}
	p, err := s.person(r)
	if err != nil {
		return "", err
	}
	if p.account.Role != RoleManager {
		return "", refuse(http.StatusForbidden, "managers-only", "this is for managers")
	}
	return p.account.Name, nil
}
