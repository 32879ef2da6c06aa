package staff

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/bril-edge/bril/cmd/internal/showroom/records"
)

// Account is somebody of the staff. As JSON it is what the socket answers and
// what the command line prints.
type Account struct {
	Name     string    `json:"name"`
	Role     string    `json:"role"`
	Showroom string    `json:"showroom,omitempty"` // an advisor's; empty: the only one that there is
	Created  time.Time `json:"created,omitzero"`
	Hash     string    `json:"hash,omitempty"` // of the password, when it is set; never answered
}

// Session is a login that holds.
type Session struct {
	ID      string    `json:"id"`
	Name    string    `json:"name"`
	Device  string    `json:"device,omitempty"`
	Created time.Time `json:"created"`
	Used    time.Time `json:"used"`
	Expires time.Time `json:"expires"`
}

// Errors of accounts.
var (
	ErrName    = errors.New("a name has 1 to 64 of the letters a-z, digits, and . - _ @")
	ErrRole    = errors.New("a role is advisor or manager")
	ErrUnknown = errors.New("there is no such account")
	ErrExists  = errors.New("there is such an account already")
	ErrSession = errors.New("there is no such session")
)

const maxAccount = 64 // characters of a name

// Name is a name as accounts have it: people type capitals and spaces.
func Name(typed string) string { return strings.ToLower(strings.TrimSpace(typed)) }

// Check says what is wrong with a name or a role: ErrName, ErrRole.
func (a Account) Check() error {
	ok := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || strings.ContainsRune(".-_@", r)
	}
	if a.Name == "" || len(a.Name) > maxAccount || strings.ContainsFunc(a.Name, func(r rune) bool { return !ok(r) }) {
		return ErrName
	}
	if a.Role != RoleAdvisor && a.Role != RoleManager {
		return ErrRole
	}
	return nil
}

// Hash checks a new password and returns what is stored of it.
func Hash(password string, p Params) (string, error) {
	if err := CheckPassword(password); err != nil {
		return "", err
	}
	return p.withDefaults().hash(password), nil
}

// Admin keeps the accounts, for who runs the server.
type Admin struct{ db *records.DB }

// NewAdmin returns an admin of the accounts in a database.
func NewAdmin(db *records.DB) Admin { return Admin{db} }

// Add makes an account; ErrExists.
func (a Admin) Add(ctx context.Context, account Account) error {
	if err := account.Check(); err != nil {
		return err
	}
	if _, _, _, err := parseHash(account.Hash); err != nil {
		return err
	}
	err := a.db.AddStaff(ctx, records.Staff{Name: account.Name, Hash: account.Hash, Role: account.Role, Showroom: account.Showroom})
	if errors.Is(err, records.ErrNameTaken) {
		return fmt.Errorf("add %s: %w", account.Name, ErrExists)
	}
	return err
}

// Accounts returns all, by name.
func (a Admin) Accounts(ctx context.Context) ([]Account, error) {
	all, err := a.db.AllStaff(ctx)
	list := []Account{}
	for _, one := range all {
		list = append(list, Account{Name: one.Name, Role: one.Role, Showroom: one.Showroom, Created: utc(one.Created)})
	}
	return list, err
}

// SetHash changes a password and ends all sessions; ErrUnknown.
func (a Admin) SetHash(ctx context.Context, name, hash string) error {
	if _, _, _, err := parseHash(hash); err != nil {
		return err
	}
	if err := a.db.SetStaffHash(ctx, name, hash); err != nil {
		return unknown(name, err, ErrUnknown)
	}
	return a.db.RevokeStaffSessions(ctx, name)
}

// Remove removes an account and its sessions; ErrUnknown.
func (a Admin) Remove(ctx context.Context, name string) error {
	return unknown(name, a.db.RemoveStaff(ctx, name), ErrUnknown)
}

// Sessions returns those that hold, of one name, or of all for "".
func (a Admin) Sessions(ctx context.Context, name string) ([]Session, error) {
	all, err := a.db.StaffSessions(ctx)
	list := []Session{}
	for _, one := range all {
		if name == "" || one.Staff == name {
			list = append(list, Session{one.ID, one.Staff, one.Device, utc(one.Created), utc(one.Used), utc(one.Expires)})
		}
	}
	return list, err
}

// Revoke ends a session; ErrSession.
func (a Admin) Revoke(ctx context.Context, id string) error {
	return unknown(id, a.db.RevokeStaffSession(ctx, id), ErrSession)
}

// RevokeAll ends all sessions of a name; ErrUnknown.
func (a Admin) RevokeAll(ctx context.Context, name string) error {
	if _, err := a.db.Staff(ctx, name); err != nil {
		return unknown(name, err, ErrUnknown)
	}
	return a.db.RevokeStaffSessions(ctx, name)
}

func unknown(what string, err, sentinel error) error {
	if errors.Is(err, records.ErrNotFound) {
		return fmt.Errorf("%s: %w", what, sentinel)
	}
	return err
}

// The paths below admin's socket.
const (
	accountsPath = "/staff/accounts"
	sessionsPath = "/staff/sessions"
)

// Routes returns the handlers for the server's own socket, which nobody but its
// user can open, by the patterns of http.ServeMux.
func (a Admin) Routes() map[string]Handler {
	return map[string]Handler{
		"GET " + accountsPath: func(w http.ResponseWriter, r *http.Request) error {
			list, err := a.Accounts(r.Context())
			return answer(w, list, err)
		},
		"POST " + accountsPath: func(w http.ResponseWriter, r *http.Request) error {
			var account Account
			if err := readJSON(r, &account); err != nil {
				return err
			}
			return answer(w, nil, a.Add(r.Context(), account))
		},
		"PUT " + accountsPath + "/{name}/password": func(w http.ResponseWriter, r *http.Request) error {
			var account Account
			if err := readJSON(r, &account); err != nil {
				return err
			}
			return answer(w, nil, a.SetHash(r.Context(), r.PathValue("name"), account.Hash))
		},
		"DELETE " + accountsPath + "/{name}": func(w http.ResponseWriter, r *http.Request) error {
			return answer(w, nil, a.Remove(r.Context(), r.PathValue("name")))
		},
		"DELETE " + accountsPath + "/{name}/sessions": func(w http.ResponseWriter, r *http.Request) error {
			return answer(w, nil, a.RevokeAll(r.Context(), r.PathValue("name")))
		},
		"GET " + sessionsPath: func(w http.ResponseWriter, r *http.Request) error {
			list, err := a.Sessions(r.Context(), r.FormValue("name"))
			return answer(w, list, err)
		},
		"DELETE " + sessionsPath + "/{id}": func(w http.ResponseWriter, r *http.Request) error {
			return answer(w, nil, a.Revoke(r.Context(), r.PathValue("id")))
		},
	}
}

// known errors of accounts have words, so that the other side of the socket has
// the same error.
func adminErrors() map[string]error {
	return map[string]error{"name": ErrName, "role": ErrRole, "unknown": ErrUnknown, "exists": ErrExists, "session": ErrSession, "hash": errHash}
}

func answer(w http.ResponseWriter, value any, err error) error {
	for word, known := range adminErrors() {
		if errors.Is(err, known) {
			return refuse(http.StatusConflict, word, err.Error())
		}
	}
	if err != nil {
		return err
	}
	if value == nil {
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
	return writeJSON(w, value)
}
