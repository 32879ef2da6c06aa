package staff

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/netip"
	"time"

	"github.com/bril-edge/bril/cmd/internal/showroom/records"
)

var errWrong = refuse(http.StatusUnauthorized, "credentials", "this name and this password do not belong together")

// login begins a session. A name that nobody has costs the same work, the same
// count of guesses, and has the same answer as a wrong password.
func (s *Staff) login(w http.ResponseWriter, r *http.Request) error {
	var given struct{ Name, Password string }
	if err := readJSON(r, &given); err != nil {
		return err
	}
	name := Name(given.Name)
	if len(name) > maxAccount {
		name = "" // nobody's: what is remembered of guesses is bounded
	}
	account, err := s.account(r.Context(), name)
	if err != nil {
		return err
	}
	now, counts := s.cfg.Clock(), s.guesses.counts(name, address(r), device(r, name, account.Hash))
	if wait, ok := s.guesses.take(now, counts); !ok {
		return &Error{http.StatusTooManyRequests, "too-many-attempts", "too many attempts to log in", wait}
	}
	right, err := s.check(r.Context(), &account, given.Password)
	if err != nil || right {
		s.guesses.giveBack(now, counts)
	}
	if err != nil {
		return err
	}
	if !right {
		// A name that nobody has may be a password, typed into the wrong field.
		s.log.Warn("a login was refused", "name", account.Name, "address", address(r))
		return errWrong
	}
	http.SetCookie(w, newDeviceCookie(name, account.Hash, s.cfg.Secure))
	return s.begin(w, r, name)
}

// account returns one that no password opens when there is none of that name.
func (s *Staff) account(ctx context.Context, name string) (records.Staff, error) {
	account, err := s.cfg.Records.Staff(ctx, name)
	if errors.Is(err, records.ErrNotFound) {
		return records.Staff{Hash: s.dummy}, nil
	}
	return account, err
}

// check compares the password, and replaces a hash that was made with other
// parameters than today's.
func (s *Staff) check(ctx context.Context, account *records.Staff, password string) (right bool, err error) {
	if len(password) > maxPassword {
		password = "" // which is nobody's
	}
	err = s.passwordWork(ctx, func() error {
		var outdated bool
		if right, outdated, err = s.cfg.Passwords.verify(password, account.Hash); err != nil {
			return fmt.Errorf("check the password of %s: %w", account.Name, err)
		}
		right = right && account.Name != ""
		if !right || !outdated {
			return nil
		}
		hash := s.cfg.Passwords.hash(password)
		if err := s.cfg.Records.SetStaffHash(ctx, account.Name, hash); err != nil {
			return err
		}
		account.Hash = hash
		return nil
	})
	return right, err
}

// address is who a request comes from. Behind a proxy that is the proxy, so that
// there only browsers that have logged in before are told from others.
func address(r *http.Request) netip.Addr {
	at, _ := netip.ParseAddrPort(r.RemoteAddr)
	return at.Addr()
}

const maxLogin = 4 << 10 // bytes

func readJSON(r *http.Request, value any) error {
	if got, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || got != "application/json" {
		return refuse(http.StatusUnsupportedMediaType, "", "the body must be application/json")
	}
	text, err := io.ReadAll(io.LimitReader(r.Body, maxLogin+1))
	if err != nil {
		return err
	}
	if len(text) > maxLogin {
		return refuse(http.StatusRequestEntityTooLarge, "", "the body is too large")
	}
	if err := json.Unmarshal(text, value); err != nil {
		return refuse(http.StatusBadRequest, "", "the body is not the JSON expected")
	}
	return nil
}

func writeJSON(w http.ResponseWriter, value any) error {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_ = json.NewEncoder(w).Encode(value) // the client has gone
	return nil
}

// utc is how times go over the wire: to the second.
func utc(t time.Time) time.Time { return t.UTC().Truncate(time.Second) }
