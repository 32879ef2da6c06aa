package control

import (
	"context"
	"maps"
	"net/http"
	"slices"

	"github.com/bril-edge/bril/cmd/internal/adoption"
	"github.com/bril-edge/bril/configs/fleet"
)

// Configured is what a fleet sets on the board.
type Configured interface {
	// Fleet reads what is kept, and returns at once.
	Fleet() (adoption.View, error)
}

// FleetStatus is the fleet's part of Status.
type FleetStatus struct {
	Connected bool           `json:"connected"`
	Problem   string         `json:"problem,omitempty"` // why it is not
	Serial    uint64         `json:"serial"`            // of what runs; 0 for nothing of the fleet's
	Floor     uint64         `json:"floor"`             // the highest that was seen
	Attempt   *fleet.Attempt `json:"attempt,omitempty"` // the newest
}

// FleetView is what a board has of its fleet. Secrets of bundles are not in it.
type FleetView struct {
	SchemaVersion int             `json:"schema_version"`
	Device        string          `json:"device"`
	Floor         uint64          `json:"floor"`
	Keys          []string        `json:"keys"`
	Running       *FleetBundle    `json:"running"` // null for nothing of the fleet's
	Probation     bool            `json:"probation"`
	Good          *FleetBundle    `json:"good"`   // the last known good
	Staged        *FleetBundle    `json:"staged"` // waits
	Attempt       *fleet.Attempt  `json:"attempt"`
	History       []fleet.Attempt `json:"history"`    // the oldest first
	Quarantine    []fleet.Attempt `json:"quarantine"` // contents that failed
}

// FleetBundle is one bundle.
type FleetBundle struct {
	Serial        uint64   `json:"serial"`
	Content       string   `json:"content"`
	Audience      string   `json:"audience"`
	Configuration string   `json:"configuration"` // YAML
	Secrets       []string `json:"secrets"`       // names
}

// NewFleetView returns what may be shown of what is kept.
func NewFleetView(v adoption.View) FleetView {
	show := func(b *fleet.Bundle) *FleetBundle {
		if b == nil {
			return nil
		}
		return &FleetBundle{b.Serial, b.Content(), b.Audience.String(), b.Configuration, slices.Sorted(maps.Keys(b.Secrets))}
	}
	return FleetView{
		SchemaVersion: SchemaVersion, Device: v.Device, Floor: v.Floor, Keys: append([]string{}, v.Keys...),
		Running: show(v.Runs()), Probation: v.Trial != nil, Good: show(v.Good), Staged: show(v.Staged), Attempt: v.State.Attempt,
		History: append([]fleet.Attempt{}, v.State.History...), Quarantine: append([]fleet.Attempt{}, v.State.Failed...),
	}
}

// Bundle returns what was signed, as far as it is shown: of secrets the names only.
func (b FleetBundle) Bundle() *fleet.Bundle {
	out := &fleet.Bundle{Serial: b.Serial, Configuration: b.Configuration, Secrets: map[string]string{}}
	for _, name := range b.Secrets {
		out.Secrets[name] = "-"
	}
	return out
}

func (h *handler) fleet(w http.ResponseWriter, r *http.Request) {
	h.act(w, r, actionTime, nil, func(context.Context) (any, error) {
		v, err := h.Daemon.Fleet()
		return NewFleetView(v), err
	})
}

// Fleet asks what the board has of its fleet.
func (c *Client) Fleet(ctx context.Context) (v FleetView, err error) {
	if err := c.call(ctx, c.http, http.MethodGet, "/v1/fleet", nil, &v); err != nil {
		return FleetView{}, c.explain("ask for the fleet's configuration", err)
	}
	return v, nil
}
