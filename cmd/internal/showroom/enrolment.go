package showroom

import (
	"errors"
	"net/http"
	"strings"

	"github.com/bril-edge/bril/cmd/internal/showroom/desk"
	"github.com/bril-edge/bril/cmd/internal/showroom/devices"
	"github.com/bril-edge/bril/cmd/internal/showroom/records"
)

// maxWord is the longest of a board's words, its serial number, model and version, in
// bytes.
const maxWord = 128

// registerDevices is for boards.
func (s *Server) registerDevices(add func(pattern string, h handler)) {
	const get, post = http.MethodGet, http.MethodPost
	add("/api/enrol", allow(s.enrol, post))
	add("/api/device", allow(s.device, get))
	add("/api/device/renew", allow(s.renewDevice, post))
}

// enrolling refuses where nobody can be enrolled.
func (s *Server) enrolling(r *http.Request) error {
	if s.devices == nil {
		return failure(http.StatusServiceUnavailable, "this server enrols nobody: start it with --tls-own and --data DIR")
	}
	if wait := s.visits.wait(from(r), s.now()); wait > 0 {
		return &desk.TooManyError{RetryAfter: wait}
	}
	return nil
}

// enrol makes a device of the board that has a token.
func (s *Server) enrol(w http.ResponseWriter, r *http.Request) error {
	if err := s.enrolling(r); err != nil {
		return err
	}
	var q struct {
		SchemaVersion int    `json:"schema_version"`
		TokenID       string `json:"token_id"`
		Secret        string `json:"secret"`
		CSR           string `json:"csr"`
		Serial        string `json:"serial"`
		Model         string `json:"model"`
		Version       string `json:"version"`
	}
	if err := decode(r, &q); err != nil {
		return err
	}
	if q.SchemaVersion != devices.SchemaVersion {
		return failure(http.StatusBadRequest, "the schema_version is not 1")
	}
	if err := checkWords(q.Serial, q.Model, q.Version); err != nil {
		return err
	}
	document, err := s.devices.Enrol(r.Context(), devices.Question{
		TokenID: q.TokenID, Secret: q.Secret, CSR: q.CSR, Serial: q.Serial, Model: q.Model, Version: q.Version,
	})
	if err != nil {
		return enrolmentProblem(err)
	}
	return writeStatusJSON(w, http.StatusCreated, document)
}

func checkWords(words ...string) error {
	for _, word := range words {
		if len(word) > maxWord || strings.ContainsFunc(word, func(r rune) bool { return r < ' ' || r > '~' }) {
			return failure(http.StatusBadRequest, "serial, model and version have at most 128 visible characters of ASCII")
		}
	}
	return nil
}

func enrolmentProblem(err error) error {
	switch {
	case errors.Is(err, records.ErrNotFound):
		return typed(http.StatusUnauthorized, "token-unknown", "the token is not one of this endpoint's")
	case errors.Is(err, records.ErrTokenUsed):
		return typed(http.StatusGone, "token-used", "the token has been used; each is good for one board")
	case errors.Is(err, records.ErrTokenExpired):
		return typed(http.StatusGone, "token-expired", "the token has expired")
	case errors.Is(err, records.ErrTokenBound):
		return typed(http.StatusForbidden, "token-bound", "the token is for a board with another serial number")
	case errors.Is(err, devices.ErrRequest):
		return typed(http.StatusBadRequest, "csr", err.Error())
	case errors.Is(err, devices.ErrRevoked):
		return certificateProblem(err)
	}
	return err
}

// device tells a device what it is to know.
func (s *Server) device(w http.ResponseWriter, r *http.Request) error {
	device, err := s.holder(r)
	if err != nil {
		return certificateProblem(err)
	}
	return writeJSON(w, s.devices.Document(device))
}

// renewDevice makes a new certificate for a device, also where the one that it shows
// has expired, not too long ago.
func (s *Server) renewDevice(w http.ResponseWriter, r *http.Request) error {
	device, err := s.holder(r)
	if errors.Is(err, devices.ErrExpired) && s.devices.MayRenew(clientCertificate(r)) {
		err = nil
	}
	if err != nil {
		return certificateProblem(err)
	}
	var q struct {
		SchemaVersion int    `json:"schema_version"`
		CSR           string `json:"csr"`
		Version       string `json:"version"`
	}
	if err := decode(r, &q); err != nil {
		return err
	}
	if q.SchemaVersion != devices.SchemaVersion {
		return failure(http.StatusBadRequest, "the schema_version is not 1")
	}
	if err := checkWords(q.Version); err != nil {
		return err
	}
	document, err := s.devices.Renew(r.Context(), device, q.CSR, q.Version)
	if err != nil {
		return enrolmentProblem(err)
	}
	return writeJSON(w, document)
}

// holder returns the device that asks; with devices.ErrExpired, too.
func (s *Server) holder(r *http.Request) (records.Device, error) {
	if err := s.enrolling(r); err != nil {
		return records.Device{}, err
	}
	leaf := clientCertificate(r)
	if leaf == nil {
		return records.Device{}, typed(http.StatusUnauthorized, "not-enrolled", "this is for devices, which show their certificate")
	}
	return s.devices.Holder(r.Context(), leaf)
}
