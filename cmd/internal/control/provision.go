package control

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"time"
)

// Provisioner has the glasses look for the QR code of a technician.
type Provisioner interface {
	// Provision begins the mode, or joins one that runs, and calls each with how it
	// goes until it has ended. It goes on when ctx ends. Each returns an error when
	// nobody listens any more.
	Provision(ctx context.Context, each func(Provisioning) error) error
	// StopProvision ends the mode. Where none runs it does nothing.
	StopProvision(ctx context.Context) error
}

// Provisioning is how the mode goes, a line of the answer to POST /v1/provision.
type Provisioning struct {
	SchemaVersion int       `json:"schema_version"` // set by the server
	Phase         string    `json:"phase"`          // looking, joining, time, enrolling, done, off or failed
	Message       string    `json:"message"`
	Until         time.Time `json:"until,omitzero"`    // when it ends by itself
	Problem       *Problem  `json:"problem,omitempty"` // why the last code was refused, or why it ended
}

// Over says that it is the last line.
func (p Provisioning) Over() bool {
	return p.Phase == "done" || p.Phase == "off" || p.Phase == "failed"
}

// provisionRequest is the body of POST /v1/provision.
type provisionRequest struct {
	Action string `json:"action"`
}

// provisionTime is a little more than the mode lasts.
const provisionTime = 6 * time.Minute

func (h *handler) provision(w http.ResponseWriter, r *http.Request) {
	var request provisionRequest
	err := read(w, r, `{"action":"start|stop"}`, &request)
	if err == nil && request.Action != "start" && request.Action != "stop" {
		err = &Problem{Message: "provision takes start or stop, not " + quote(request.Action), Code: codeUsage}
	}
	if err != nil || request.Action == "stop" {
		h.act(w, r, actionTime, err, func(ctx context.Context) (any, error) {
			return Provisioning{SchemaVersion: SchemaVersion, Phase: "off", Message: "stopped"}, h.Daemon.StopProvision(ctx)
		})
		return
	}
	c := http.NewResponseController(w)
	ctx, cancel := context.WithTimeout(r.Context(), provisionTime)
	defer cancel()
	defer context.AfterFunc(h.stop, func() { time.AfterFunc(shutdownTime/2, cancel) })() // for the last line
	begun := false
	err = h.Daemon.Provision(ctx, func(p Provisioning) error {
		if err := c.SetWriteDeadline(time.Now().Add(requestTime)); err != nil {
			return err
		}
		if !begun {
			w.Header().Set("Content-Type", "application/x-ndjson")
			begun = true
		}
		p.SchemaVersion = SchemaVersion
		if err := json.NewEncoder(w).Encode(p); err != nil {
			return err
		}
		return c.Flush()
	})
	if err != nil && !begun {
		h.fail(w, err)
	}
}

// Provision begins the mode and calls each with how it goes, until it has ended.
func (c *Client) Provision(ctx context.Context, each func(Provisioning) error) error {
	before, _ := c.Enrolment(ctx) // what is wrong, the next question tells in its own words
	response, err := c.do(ctx, c.http, http.MethodPost, "/v1/provision", []byte(`{"action":"start"}`))
	if err != nil {
		return c.explain("provision", err)
	}
	defer response.Body.Close()
	lines := bufio.NewScanner(response.Body)
	lines.Buffer(nil, maxAnswer)
	for lines.Scan() {
		var p Provisioning
		if err := json.Unmarshal(lines.Bytes(), &p); err != nil {
			return c.explain("provision", err)
		}
		if err := each(p); err != nil {
			return err
		}
		if p.Phase == "done" { // as after Enrol
			return c.taken(ctx, func(now Enrolment) bool { return now.Device != before.Device })
		}
		if p.Over() {
			return nil
		}
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return c.explain("provision", stopped())
}

// StopProvision ends the mode.
func (c *Client) StopProvision(ctx context.Context) error {
	if _, err := post[Provisioning](ctx, c, c.http, "/v1/provision", provisionRequest{Action: "stop"}); err != nil {
		return c.explain("stop provisioning", err)
	}
	return nil
}
