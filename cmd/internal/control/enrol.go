package control

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/bril-edge/bril/uplink/enrol/token"
)

// Enroller is who the board is to its endpoint.
type Enroller interface {
	// Enrolment returns at once.
	Enrolment() Enrolment
	// Enrol makes the board a device of the endpoint at server, where it is one already
	// "" for the same. It returns once that is safe on the disk.
	Enrol(ctx context.Context, server string, t token.Token) (Enrolment, error)
	// ResetEnrolment makes it a bare board again.
	ResetEnrolment(ctx context.Context) (Enrolment, error)
}

// Enrolment is how it is with the enrolment, as `bril enrol --status --json` prints it.
type Enrolment struct {
	SchemaVersion int       `json:"schema_version"`
	Enrolled      bool      `json:"enrolled"`
	Device        string    `json:"device"` // its ID
	Name          string    `json:"name"`
	Label         string    `json:"label"`
	Server        string    `json:"server"`
	NotAfter      time.Time `json:"not_after,omitzero"` // of the certificate
	RenewAt       time.Time `json:"renew_at,omitzero"`
	State         string    `json:"state"` // enrolled, renewal-due, expired, revoked or not-enrolled
	Problem       string    `json:"problem"`
	Hint          string    `json:"hint"`
}

// Device is the enrolment in Status.
type Device struct {
	ID       string    `json:"id"`
	Name     string    `json:"name"`
	Label    string    `json:"label,omitempty"`
	Server   string    `json:"server"`
	State    string    `json:"state"`
	NotAfter time.Time `json:"not_after"`
}

// enrolRequest is the body of POST /v1/enrol.
type enrolRequest struct {
	Server string  `json:"server"`
	Token  private `json:"token"`
}

// private is a text that is sent and never printed.
type private string

// Format prints a placeholder.
func (private) Format(f fmt.State, _ rune) { fmt.Fprint(f, "[secret]") }

func (h *handler) enrolment(w http.ResponseWriter, _ *http.Request) {
	h.write(w, http.StatusOK, h.Daemon.Enrolment().complete())
}

func (h *handler) enrol(w http.ResponseWriter, r *http.Request) {
	var request enrolRequest
	err := read(w, r, `{"server":"https://…","token":"bril1.…"}`, &request)
	var t token.Token
	if err == nil {
		t, err = token.Parse(string(request.Token))
	}
	h.act(w, r, mediaTime, err, func(ctx context.Context) (any, error) {
		e, err := h.Daemon.Enrol(ctx, request.Server, t)
		return e.complete(), err
	})
}

func (h *handler) resetEnrolment(w http.ResponseWriter, r *http.Request) {
	h.act(w, r, actionTime, nil, func(ctx context.Context) (any, error) {
		e, err := h.Daemon.ResetEnrolment(ctx)
		return e.complete(), err
	})
}

func (e Enrolment) complete() Enrolment {
	e.SchemaVersion = SchemaVersion
	return e
}

// Enrolment asks how it is with the enrolment.
func (c *Client) Enrolment(ctx context.Context) (e Enrolment, err error) {
	if err := c.call(ctx, c.http, http.MethodGet, "/v1/enrol", nil, &e); err != nil {
		return Enrolment{}, c.explain("ask for the enrolment", err)
	}
	return e, nil
}

// The daemon makes its agent anew at once, unless a conversation has begun meanwhile.
const (
	takeUpTime = 15 * time.Second // of a slow board
	takeUpPoll = 50 * time.Millisecond
)

// Enrol has the board enrolled, and returns once the daemon goes by it: a command that
// follows meets who the board is now. After a conversation it does so later.
func (c *Client) Enrol(ctx context.Context, server string, t token.Token) (Enrolment, error) {
	e, err := post[Enrolment](ctx, c, c.patient, "/v1/enrol", enrolRequest{server, private(t.Text())})
	if err != nil {
		return Enrolment{}, c.explain("enrol", err)
	}
	return e, c.taken(ctx, func(now Enrolment) bool { return now.Device == e.Device })
}

// taken waits, for a while, until the enrolment that the daemon goes by is the one
// that is meant.
func (c *Client) taken(ctx context.Context, meant func(Enrolment) bool) error {
	waiting, cancel := context.WithTimeout(ctx, takeUpTime)
	defer cancel()
	poll := time.NewTicker(takeUpPoll)
	defer poll.Stop()
	for {
		if e, err := c.Enrolment(waiting); err == nil && meant(e) {
			return nil
		}
		select {
		case <-poll.C:
		case <-waiting.Done():
			return ctx.Err() // it has enrolled; the rest is shown by the status
		}
	}
}

// ResetEnrolment has the board be a bare one again.
func (c *Client) ResetEnrolment(ctx context.Context) (e Enrolment, err error) {
	if err := c.call(ctx, c.http, http.MethodDelete, "/v1/enrol", nil, &e); err != nil {
		return Enrolment{}, c.explain("reset the enrolment", err)
	}
	return e, nil
}
