package control

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/bril-edge/bril/cmd/internal/doctor"
)

// Examined is a daemon that examines itself and its board.
type Examined interface {
	// Doctor tells the results as they come, in their order, and what it asks the user
	// for. It changes nothing, and keeps away from a conversation.
	Doctor(ctx context.Context, request DoctorRequest, tell func(DoctorLine)) (doctor.Report, error)
}

// DoctorRequest says what to examine. It is the body of POST /v1/doctor.
type DoctorRequest struct {
	Only    []doctor.ID `json:"only"`     // none is everything
	NoInput bool        `json:"no_input"` // nobody is asked to press a button
}

// DoctorLine is one line of the answer: one of these.
type DoctorLine struct {
	Result *doctor.Result `json:"result,omitempty"`
	Ask    string         `json:"ask,omitempty"` // what the user is asked to do
	Report *doctor.Report `json:"report,omitempty"`
	Error  *Problem       `json:"error,omitempty"`
}

// doctorTime bounds the wait for a line.
const doctorTime = time.Minute

// doctor writes a line for each result, and the report, or why there is none.
func (h *handler) doctor(w http.ResponseWriter, r *http.Request) {
	var request DoctorRequest
	err := read(w, r, `{"only":["camera"],"no_input":false|true}`, &request)
	for _, id := range request.Only {
		if err == nil && !doctor.Known(id) {
			err = errors.New("there is no check " + quote(string(id)))
		}
	}
	if err != nil {
		h.refuse(w, http.StatusBadRequest, err)
		return
	}
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	defer context.AfterFunc(h.stop, cancel)()
	w.Header().Set("Content-Type", "application/x-ndjson")
	line := func(l DoctorLine) {
		if writeDoctorLine(w, l) != nil {
			cancel() // nobody reads
		}
	}
	report, err := h.Daemon.Doctor(ctx, request, line)
	if err != nil {
		line(DoctorLine{Error: h.Describe(err)})
		return
	}
	line(DoctorLine{Report: &report})
}

func writeDoctorLine(w http.ResponseWriter, l DoctorLine) error {
	c := http.NewResponseController(w)
	if err := c.SetWriteDeadline(time.Now().Add(doctorTime)); err != nil {
		return err
	}
	if err := json.NewEncoder(w).Encode(l); err != nil {
		return err
	}
	return c.Flush()
}

// Doctor has the daemon examine itself; tell gets the lines before the report.
func (c *Client) Doctor(ctx context.Context, request DoctorRequest, tell func(DoctorLine)) (doctor.Report, error) {
	const what = "examine the glasses"
	body, err := json.Marshal(request)
	if err != nil {
		return doctor.Report{}, err
	}
	response, err := c.do(ctx, c.patient, http.MethodPost, "/v1/doctor", body)
	if err != nil {
		return doctor.Report{}, c.explain(what, err)
	}
	defer response.Body.Close()
	report, err := readDoctor(response.Body, tell)
	switch {
	case err == nil:
		return report, nil
	case ctx.Err() != nil:
		return report, ctx.Err()
	}
	return report, c.explain(what, err)
}

// readDoctor returns the report that ends the lines.
func readDoctor(body io.Reader, tell func(DoctorLine)) (report doctor.Report, err error) {
	lines := bufio.NewScanner(body)
	lines.Buffer(nil, maxAnswer)
	for lines.Scan() {
		var l DoctorLine
		if err := json.Unmarshal(lines.Bytes(), &l); err != nil {
			return report, err
		}
		switch {
		case l.Error != nil:
			return report, l.Error
		case l.Report != nil:
			return *l.Report, nil
		}
		tell(l)
	}
	return report, cmp.Or(lines.Err(), io.EOF)
}
