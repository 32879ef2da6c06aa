package upload

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/bril-edge/bril/uplink/origin"
	"github.com/bril-edge/bril/uplink/spool"
)

// receipt is what the endpoint says about an item, beside tus.
type receipt struct {
	SchemaVersion int    `json:"schema_version"`
	ID            string `json:"id"`
	SHA256        string `json:"sha256"`
	State         string `json:"state"`
	Reason        string `json:"reason"`
}

// The states of a receipt that have a meaning here. A refusal is a status.
const (
	stateStored     = "stored"
	stateProcessing = "processing"
	stateReceiving  = "receiving"
	stateUnknown    = "" // of this package: the endpoint has none
)

// receipt asks for an item's receipt.
func (c client) receipt(ctx context.Context, item spool.Entry) (receipt, error) {
	q := origin.Request{Op: "ask for receipt", Method: http.MethodGet, URL: c.at(item.ID, "receipt"),
		Header: map[string]string{"Accept": "application/json"}}
	r, err := c.Do(ctx, askTimeout, q)
	if err != nil {
		return receipt{}, err
	}
	switch r.Status {
	case http.StatusNotFound, http.StatusGone:
		return receipt{}, nil
	case http.StatusUnprocessableEntity:
		return receipt{}, c.refusedReceipt(q, r)
	case http.StatusOK, http.StatusAccepted:
	default:
		return receipt{}, c.refused(q, r)
	}
	if r.IsHTML() {
		return receipt{}, q.Fail(origin.WithHint(errPage, isItHint))
	}
	got, err := parseReceipt(r.Status, r.Body, item.ID)
	if err != nil {
		return receipt{}, q.Fail(origin.WithHint(fmt.Errorf("%w: the receipt is none: %w", ErrNotTus, err), isItHint))
	}
	return got, nil
}

// refusedReceipt takes the reason out of the receipt where there is one.
func (c client) refusedReceipt(q origin.Request, r *origin.Reply) error {
	err := c.refused(q, r)
	var said receipt
	var e *origin.Error
	if json.Unmarshal(r.Body, &said) == nil && said.Reason != "" && errors.As(err, &e) {
		e.Problem = origin.Problem{Detail: origin.Clean(said.Reason)}
	}
	return err
}

// parseReceipt reads a 200 or 202 for an id.
func parseReceipt(status int, body []byte, id string) (receipt, error) {
	var r receipt
	if err := json.Unmarshal(body, &r); err != nil {
		return receipt{}, errors.New("not JSON")
	}
	switch {
	case status == http.StatusAccepted && (r.State == stateProcessing || r.State == stateReceiving):
		return receipt{State: r.State}, nil
	case status != http.StatusOK || r.State != stateStored:
		return receipt{}, fmt.Errorf("state %q with status %d", origin.Clean(r.State), status)
	case r.SchemaVersion != 1:
		return receipt{}, fmt.Errorf("schema_version %d is not 1", r.SchemaVersion)
	case r.ID != id:
		return receipt{}, errors.New("it is for another id")
	}
	return r, nil
}
