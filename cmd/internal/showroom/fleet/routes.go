package fleet

import (
	"context"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/bril-edge/bril/cmd/internal/showroom/records"
	"github.com/bril-edge/bril/configs/fleet"
	fleetline "github.com/bril-edge/bril/uplink/fleet"
)

// Handler answers a request, or returns what was wrong with it: an *Error, if it is
// the client's to know.
type Handler = func(http.ResponseWriter, *http.Request) error

// maxPush is of a push, in bytes.
const maxPush = fleet.MaxEnvelope + 16<<10

// manager is a handler for who may see or change the fleet.
type manager func(ctx context.Context, who string, r *http.Request) (any, error)

// Routes returns the handlers by the patterns of http.ServeMux.
func (s *Service) Routes() map[string]Handler {
	const staff, tokens = true, false // who may: the staff's managers too, or tokens only
	return map[string]Handler{
		"GET /api/fleet":                           s.allow(staff, s.overview),
		"GET /api/fleet/devices":                   s.allow(staff, s.list),
		"GET /api/fleet/devices/{device}":          s.allow(staff, s.detail),
		"PUT /api/fleet/devices/{device}/labels":   s.allow(tokens, s.setLabels),
		"POST /api/fleet/devices/{device}/restart": s.allow(tokens, s.restart),
		"POST /api/fleet/devices/{device}/support": s.allow(tokens, s.askSupport),
		"GET /api/fleet/bundles":                   s.allow(staff, s.history),
		"POST /api/fleet/bundles":                  s.allow(tokens, s.pushed),
		"GET /api/fleet/bundles/{serial}":          s.allow(staff, s.bundle),
		"GET /api/fleet/rollouts/{serial}":         s.allow(staff, s.rollout),
		"POST /api/fleet/rollouts/{serial}/pause":  s.allow(staff, s.turned(StatePaused)),
		"POST /api/fleet/rollouts/{serial}/resume": s.allow(staff, s.turned(StateRunning)),
		"GET /api/fleet/audit":                     s.allow(staff, s.audit),
		"GET /api/fleet/bundle":                    s.fetch,
	}
}

// allow lets in managers: by their token to everything, by the staff's session to what
// needs no signature.
func (s *Service) allow(session bool, h manager) Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		who, err := s.who(r, session)
		if err != nil {
			return err
		}
		answer, err := h(r.Context(), who, r)
		if err != nil {
			return err
		}
		status := http.StatusOK
		if r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/bundles") {
			if _, pushed := answer.(Rollout); pushed {
				status = http.StatusCreated
			}
		}
		return write(w, status, answer)
	}
}

func write(w http.ResponseWriter, status int, answer any) error {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(answer) // the client has gone
	return nil
}

func (s *Service) who(r *http.Request, session bool) (string, error) {
	if token, ok := bearer(r); ok {
		name, err := s.cfg.Records.FleetManagerOf(r.Context(), token)
		if errors.Is(err, records.ErrNotFound) {
			return "", refuse(http.StatusUnauthorized, "token", "the token is not one of a manager of this fleet")
		}
		return name, err
	}
	if s.cfg.Staff == nil || !session {
		return "", refuse(http.StatusUnauthorized, "token", "this needs a manager's token: showroom fleet manager add NAME")
	}
	return s.cfg.Staff(r)
}

// bearer is the token of a request, where it brings one.
func bearer(r *http.Request) (token string, ok bool) {
	return strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
}

// read takes a request's JSON, of at most limit bytes.
func read(r *http.Request, limit int64, to any) error {
	d := json.NewDecoder(http.MaxBytesReader(nil, r.Body, limit))
	d.DisallowUnknownFields()
	err := d.Decode(to)
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		return refuse(http.StatusRequestEntityTooLarge, "", "the request has more than %d kB", tooLarge.Limit>>10)
	}
	if err != nil {
		return refuse(http.StatusBadRequest, "", "the request cannot be read: %v", err)
	}
	return nil
}

func why(r *http.Request) (y Why, err error) {
	if err := read(r, 4<<10, &y); err != nil {
		return y, err
	}
	return y, reason(y.Reason)
}

// reason says whether a text is one.
func reason(text string) error {
	if strings.TrimSpace(text) == "" || len(text) > maxReason {
		return refuse(http.StatusBadRequest, "reason", "a reason is needed, of at most %d bytes: who reads the history wants to know why", maxReason)
	}
	return nil
}

func (s *Service) overview(context.Context, string, *http.Request) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := Overview{SchemaVersion: SchemaVersion, Fleet: s.cfg.Fleet, NextSerial: s.nextSerial(), ConfigurationKeys: append([]string{}, s.keys...),
		Devices: s.counts(), Rollouts: []Rollout{}}
	for _, b := range slices.Backward(s.bundles) {
		if len(o.Rollouts) < 10 {
			o.Rollouts = append(o.Rollouts, s.showRollout(b))
		}
	}
	return o, nil
}

// named finds a device by its ID or name.
func (s *Service) named(r *http.Request) (*device, error) {
	who := r.PathValue("device")
	if d := s.devices[who]; d != nil {
		return d, nil
	}
	for _, d := range s.devices {
		if d.name == who {
			return d, nil
		}
	}
	return nil, refuse(http.StatusNotFound, "", "there is no device %.64q: showroom fleet status lists them", who)
}

func (s *Service) detail(_ context.Context, _ string, r *http.Request) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d, err := s.named(r)
	if err != nil {
		return nil, err
	}
	out := DeviceDetail{SchemaVersion: SchemaVersion, Device: s.show(d), Effective: d.effective, Base: d.base, Health: d.health}
	if len(d.health) == 0 {
		out.Health = json.RawMessage("null")
	}
	if json.Valid(d.report.Telemetry) {
		out.Telemetry = d.report.Telemetry
	}
	return out, nil
}

func (s *Service) setLabels(ctx context.Context, who string, r *http.Request) (any, error) {
	var set SetLabels
	if err := read(r, 16<<10, &set); err != nil {
		return nil, err
	}
	if err := reason(set.Reason); err != nil {
		return nil, err
	}
	for key, value := range set.Labels {
		if !fleet.ValidLabel(key, value) {
			return nil, refuse(http.StatusBadRequest, "label", "label %.64q=%.64q is not KEY=VALUE of letters, digits, -, _ and dots", key, value)
		}
	}
	if len(set.Labels) > fleet.MaxLabels {
		return nil, refuse(http.StatusBadRequest, "label", "at most %d labels", fleet.MaxLabels)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	d, err := s.named(r)
	if err != nil {
		return nil, err
	}
	if err := s.note(ctx, who, "labels", d.name+" "+labelText(set.Labels), set.Reason); err != nil {
		return nil, err
	}
	before := d.labels
	d.labels = map[string]string{}
	maps.Copy(d.labels, set.Labels)
	if err := s.cfg.Records.SetFleetDevices(ctx, []records.FleetDevice{d.kept()}); err != nil {
		d.labels = before
		return nil, err
	}
	if d.line != nil {
		d.line.renews = false
	}
	s.poke()
	return s.show(d), nil
}

func labelText(labels map[string]string) string {
	return strings.TrimPrefix(fleet.Audience{Fleet: "-", Labels: labels}.String(), "fleet -, ")
}

func (s *Service) note(ctx context.Context, who, action, object, reason string) error {
	return s.cfg.Records.Audit(ctx, records.FleetEntry{At: s.cfg.Clock(), Who: who, Action: action, Object: object, Reason: reason})
}

func (s *Service) history(context.Context, string, *http.Request) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := Bundles{SchemaVersion: SchemaVersion, Bundles: []Rollout{}}
	for _, b := range slices.Backward(s.bundles) {
		out.Bundles = append(out.Bundles, s.showRollout(b))
	}
	return out, nil
}

func (s *Service) pushed(ctx context.Context, who string, r *http.Request) (any, error) {
	var p Push
	if err := read(r, maxPush, &p); err != nil {
		return nil, err
	}
	return s.push(ctx, who, p)
}

// serial finds the bundle of a request.
func (s *Service) serial(r *http.Request) (uint64, error) {
	n, err := strconv.ParseUint(r.PathValue("serial"), 10, 64)
	if err != nil || n == 0 {
		return 0, refuse(http.StatusNotFound, "", "there is no bundle %.20q", r.PathValue("serial"))
	}
	return n, nil
}

func (s *Service) found(r *http.Request) (*bundle, error) {
	n, err := s.serial(r)
	if err != nil {
		return nil, err
	}
	if b := s.find(n); b != nil {
		return b, nil
	}
	return nil, refuse(http.StatusNotFound, "", "there is no bundle %d", n)
}

func (s *Service) bundle(_ context.Context, _ string, r *http.Request) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, err := s.found(r)
	if err != nil {
		return nil, err
	}
	out := Bundle{Rollout: s.showRollout(b), Successor: b.Successor, NotBefore: b.NotBefore, Expires: b.Expires,
		Configuration: b.Configuration, Secrets: []string{}, Envelope: b.envelope}
	for name := range b.Bundle.Secrets {
		out.Secrets = append(out.Secrets, name)
	}
	slices.Sort(out.Secrets)
	if _, ok := bearer(r); !ok { // a browser has no use for the secrets in it
		out.Envelope = nil
	}
	return out, nil
}

func (s *Service) rollout(_ context.Context, _ string, r *http.Request) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, err := s.found(r)
	if err != nil {
		return nil, err
	}
	return s.showRollout(b), nil
}

func (s *Service) turned(to string) manager {
	return func(ctx context.Context, who string, r *http.Request) (any, error) {
		y, err := why(r)
		if err != nil {
			return nil, err
		}
		n, err := s.serial(r)
		if err != nil {
			return nil, err
		}
		return s.turn(ctx, who, n, to, y)
	}
}

// fetch is the way around OpAMP: the bundle that the device is to run, by a plain
// request.
func (s *Service) fetch(w http.ResponseWriter, r *http.Request) error {
	one, err := s.cfg.Holder(r)
	if err != nil {
		return err
	}
	s.mu.Lock()
	d := s.known(one)
	b := s.wanted(d)
	if b != nil && !s.away(d) && !b.Audience.Includes(s.told(d)) {
		b = nil // it hears of its labels first
	}
	s.mu.Unlock()
	if b == nil {
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
	etag := `"` + hex.EncodeToString(b.hash) + `"`
	w.Header().Set("ETag", etag)
	w.Header().Set("Cache-Control", "no-cache")
	if subtle.ConstantTimeCompare([]byte(r.Header.Get("If-None-Match")), []byte(etag)) == 1 {
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	w.Header().Set("Content-Type", fleetline.BundleType)
	w.Header().Set("Content-Length", fmt.Sprint(len(b.envelope)))
	_, _ = w.Write(b.envelope) // the device has gone
	return nil
}
