package showroom

import (
	"errors"
	"mime"
	"net/http"

	"github.com/bril-edge/bril/cmd/internal/showroom/records"
)

func noConsent() error {
	return typed(http.StatusNotFound, "unknown", "this is not a link of ours, or what it was for is deleted")
}

// withdraw takes a consent back, for whoever has the link of the mail. To do so
// twice is no error.
func (s *Server) withdraw(w http.ResponseWriter, r *http.Request) error {
	var given struct {
		Token string `json:"token"`
	}
	if err := decode(r, &given); err != nil {
		return err
	}
	return s.withdrawBy(w, r, given.Token)
}

// withdrawOneClick is what a mail program does by itself, RFC 8058 section 3.1: a
// POST of List-Unsubscribe=One-Click. A person who opens the address, or a scanner
// that does, is shown the page, which asks.
func (s *Server) withdrawOneClick(w http.ResponseWriter, r *http.Request) error {
	token := r.PathValue("token")
	if r.Method != http.MethodPost {
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("Location", "/unsubscribe#"+token)
		w.WriteHeader(http.StatusSeeOther)
		return nil
	}
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "application/x-www-form-urlencoded" && kind != "multipart/form-data" {
		return failure(http.StatusUnsupportedMediaType, "the body must be a form")
	}
	if r.PostFormValue("List-Unsubscribe") != "One-Click" {
		return failure(http.StatusBadRequest, "the form must say List-Unsubscribe=One-Click")
	}
	return s.withdrawBy(w, r, token)
}

// consentConfirmed makes a consent good, for whoever has the link of the mail. To do
// so twice is no error.
func (s *Server) consentConfirmed(w http.ResponseWriter, r *http.Request) error {
	var given struct {
		Token string `json:"token"`
	}
	if err := decode(r, &given); err != nil {
		return err
	}
	_, err := s.records.ConfirmConsent(r.Context(), given.Token)
	switch {
	case errors.Is(err, records.ErrNotFound):
		return noConsent()
	case errors.Is(err, records.ErrState):
		return typed(http.StatusConflict, "withdrawn", "this consent has been withdrawn")
	}
	return noContent(w, err)
}

func (s *Server) withdrawBy(w http.ResponseWriter, r *http.Request, token string) error {
	_, _, err := s.records.WithdrawConsent(r.Context(), token)
	if errors.Is(err, records.ErrNotFound) {
		return noConsent()
	}
	return noContent(w, err)
}
