package staff

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/bril-edge/bril/cmd/internal/showroom/records"
)

// A session is a random cookie of 256 bits, of which only the hash is stored.
const (
	sessionCookie = "staff"
	sessionPath   = "/api" // of the staff and of the fleet
	sessionSize   = 32     // bytes
	sessionLength = 12 * time.Hour
	sessionIdle   = 2 * time.Hour

	noteUse = time.Minute // the use of a session is written down so often at most
)

// idleHeader marks what a page asks by itself while nobody touches it: such
// requests do not prolong the session.
const idleHeader = "Staff-Idle"

var errLoggedOut = refuse(http.StatusUnauthorized, "logged-out", "log in first")

// begin gives a new session to who has just been identified. The one that the
// browser had before ends.
func (s *Staff) begin(w http.ResponseWriter, r *http.Request, name string) error {
	if err := s.end(r); err != nil {
		return err
	}
	secret := make([]byte, sessionSize)
	rand.Read(secret) // never fails, crypto/rand
	token := base64.RawURLEncoding.EncodeToString(secret)
	expires := s.cfg.Clock().Add(sessionLength)
	if _, err := s.cfg.Records.AddStaffSession(r.Context(), token, name, browser(r.UserAgent()), expires); err != nil {
		return err
	}
	s.setCookie(w, token, int(sessionLength.Seconds()))
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (s *Staff) setCookie(w http.ResponseWriter, value string, maxAge int) {
	http.SetCookie(w, &http.Cookie{
		Name: sessionCookie, Value: value, Path: sessionPath, MaxAge: maxAge,
		HttpOnly: true, Secure: s.cfg.Secure, SameSite: http.SameSiteStrictMode,
	})
}

// person returns who a request's cookie stands for, or errLoggedOut. It asks the
// records each time: what was revoked is over at once.
func (s *Staff) person(r *http.Request) (person, error) {
	cookie, err := r.Cookie(sessionCookie)
	if err != nil {
		return person{}, errLoggedOut
	}
	ctx, now := r.Context(), s.cfg.Clock()
	session, err := s.cfg.Records.StaffSession(ctx, cookie.Value)
	if errors.Is(err, records.ErrNotFound) || err == nil && !valid(session, now) {
		return person{}, errLoggedOut
	}
	if err != nil {
		return person{}, err
	}
	account, err := s.cfg.Records.Staff(ctx, session.Staff)
	if errors.Is(err, records.ErrNotFound) {
		return person{}, errLoggedOut
	}
	if err == nil && r.Header.Get(idleHeader) != "?1" && now.Sub(session.Used) > noteUse {
		err = s.cfg.Records.UseStaffSession(ctx, session.ID)
	}
	return person{account, session}, err
}

func valid(s records.StaffSession, now time.Time) bool {
	return now.Before(s.Expires) && now.Sub(s.Used) < sessionIdle
}

// logout ends the session, and is no error without one.
func (s *Staff) logout(w http.ResponseWriter, r *http.Request) error {
	if err := s.end(r); err != nil {
		return err
	}
	return s.over(w)
}

// end ends the session of a request, if it has one.
func (s *Staff) end(r *http.Request) error {
	p, err := s.person(r)
	if err == nil {
		err = s.cfg.Records.RevokeStaffSession(r.Context(), p.session.ID)
	}
	if errors.Is(err, errLoggedOut) || errors.Is(err, records.ErrNotFound) {
		return nil
	}
	return err
}

// over makes the browser forget its session.
func (s *Staff) over(w http.ResponseWriter) error {
	s.setCookie(w, "", -1)
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// sessionItem is a session as its owner sees it.
type sessionItem struct {
	ID      string    `json:"id"`
	Device  string    `json:"device"` // browser and system, as "Firefox, Linux"; may be empty
	Created time.Time `json:"created"`
	Used    time.Time `json:"used"`
	Expires time.Time `json:"expires"`
	Current bool      `json:"current"` // the one that asks
}

type sessionsAnswer struct {
	SchemaVersion int           `json:"schema_version"`
	Sessions      []sessionItem `json:"sessions"`
}

func (s *Staff) sessions(w http.ResponseWriter, r *http.Request, p person) error {
	answer := sessionsAnswer{schemaVersion, []sessionItem{}}
	own, err := s.own(r.Context(), p)
	if err != nil {
		return err
	}
	for _, one := range own {
		answer.Sessions = append(answer.Sessions, sessionItem{
			one.ID, one.Device, utc(one.Created), utc(one.Used), utc(one.Expires), one.ID == p.session.ID,
		})
	}
	return writeJSON(w, answer)
}

// own returns somebody's sessions.
func (s *Staff) own(ctx context.Context, p person) (list []records.StaffSession, err error) {
	all, err := s.cfg.Records.StaffSessions(ctx)
	for _, one := range all {
		if one.Staff == p.account.Name && valid(one, s.cfg.Clock()) {
			list = append(list, one)
		}
	}
	return list, err
}

// revoke ends one of somebody's own sessions.
func (s *Staff) revoke(w http.ResponseWriter, r *http.Request, p person) error {
	own, err := s.own(r.Context(), p)
	if err != nil {
		return err
	}
	id := r.PathValue("id")
	if !slices.ContainsFunc(own, func(one records.StaffSession) bool { return one.ID == id }) {
		return refuse(http.StatusNotFound, "", "you have no such session")
	}
	if err := s.cfg.Records.RevokeStaffSession(r.Context(), id); err != nil && !errors.Is(err, records.ErrNotFound) {
		return err
	}
	if id == p.session.ID {
		return s.over(w)
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// revokeAll ends all of somebody's sessions, this one too.
func (s *Staff) revokeAll(w http.ResponseWriter, r *http.Request, p person) error {
	if err := s.cfg.Records.RevokeStaffSessions(r.Context(), p.account.Name); err != nil {
		return err
	}
	return s.over(w)
}

// browser says in a few words which program a session is of, so that its owner
// knows it again. The first that fits is taken: they all pretend to be others.
func browser(userAgent string) string {
	name := first(userAgent, "Edg/", "Edge", "OPR/", "Opera", "Firefox/", "Firefox", "FxiOS/", "Firefox",
		"CriOS/", "Chrome", "Chrome/", "Chrome", "Safari/", "Safari", "curl/", "curl")
	system := first(userAgent, "iPhone", "iPhone", "iPad", "iPad", "Android", "Android", "Windows", "Windows",
		"Mac OS X", "macOS", "CrOS", "ChromeOS", "Linux", "Linux")
	return strings.Trim(name+", "+system, ", ")
}

// first returns what the first mark that text contains stands for.
func first(text string, marksAndNames ...string) string {
	for pair := range slices.Chunk(marksAndNames, 2) {
		if strings.Contains(text, pair[0]) {
			return pair[1]
		}
	}
	return ""
}
