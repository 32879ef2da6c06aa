package control

import (
	"time"

	"github.com/bril-edge/bril/uplink/spool"
)

// Photo is a photo that is safe on the disk, and how long that took.
type Photo struct {
	ID       string  `json:"id"`
	Frames   int     `json:"frames"`    // of which the sharpest was chosen
	ChooseMS float64 `json:"choose_ms"` // from the press until it was
	EncodeMS float64 `json:"encode_ms"`
	StoreMS  float64 `json:"store_ms"` // until it was safe
}

// Clip is a clip that has begun, or one that is safe on the disk.
type Clip struct {
	ID              string  `json:"id"`
	DurationSeconds float64 `json:"duration_s,omitempty"` // only once it has ended
}

// ClipAction is what `bril clip` asks for.
type ClipAction string

// The actions on clips.
const (
	StartClip ClipAction = "start"
	StopClip  ClipAction = "stop"
)

// ParseClipAction reads an action as it is typed.
func ParseClipAction(s string) (ClipAction, error) {
	switch a := ClipAction(s); a {
	case StartClip, StopClip:
		return a, nil
	}
	return "", &Problem{Message: "clip takes start or stop, not " + quote(s), Code: codeUsage}
}

// Spool is what waits for its upload, the oldest first.
type Spool struct {
	SchemaVersion int         `json:"schema_version"` // set by the server
	Items         []SpoolItem `json:"items"`
}

// SpoolItem is a photo or a clip.
type SpoolItem struct {
	ID          string    `json:"id"`
	Kind        string    `json:"kind"`                  // photo or clip; "" when it is of before a restart: the glasses cannot read it
	State       string    `json:"state"`                 // new, writing, ready, interrupted, refused; broken for what cannot be sent
	Bytes       int64     `json:"bytes"`                 // encrypted
	Sent        int64     `json:"sent"`                  // of them, that the cloud has, of the upload that runs
	DeleteAfter time.Time `json:"delete_after,omitzero"` // missing for what is no item, and stays
	Problem     string    `json:"problem,omitempty"`     // why it is not sent
}

// complete returns s as it is sent.
func (s Spool) complete() Spool {
	s.SchemaVersion = SchemaVersion
	if s.Items == nil {
		s.Items = []SpoolItem{}
	}
	return s
}

// SpoolAction is what `bril spool` asks for.
type SpoolAction string

// The actions on items.
const (
	Retry SpoolAction = "retry" // of all of them, without an id
	Drop  SpoolAction = "drop"  // for ever
)

// ParseSpoolAction reads an action on an item, as both are typed.
func ParseSpoolAction(action, id string) (SpoolAction, error) {
	a := SpoolAction(action)
	wrong := func(message string) (SpoolAction, error) {
		return "", &Problem{Message: message, Text: "bril spool list shows the items", Code: codeUsage}
	}
	switch {
	case a != Retry && a != Drop:
		return "", &Problem{Message: "spool takes retry or drop, not " + quote(action), Code: codeUsage}
	case id == "" && a == Drop:
		return wrong("drop needs the id of an item")
	case id != "" && !spool.ValidID(id):
		return wrong(quote(id) + " is not the id of an item")
	}
	return a, nil
}

// Recording is what photos and clips are made of, and the clip that is being made.
type Recording struct {
	Armed          bool      `json:"armed"` // photos and clips can be taken
	Clip           string    `json:"clip"`  // the id of the one that is being made; "" for none
	ClipSince      time.Time `json:"clip_since,omitzero"`
	RingBytes      int64     `json:"ring_bytes"` // what is kept for the pre-roll, in memory
	RingLimitBytes int64     `json:"ring_limit_bytes"`
	RingSeconds    float64   `json:"ring_s"`
	Sound          bool      `json:"sound"` // clips have the advisor's
}

// SpoolStatus is how full the spool is, and for whom it is encrypted.
type SpoolStatus struct {
	Items      int       `json:"items"`
	Bytes      int64     `json:"bytes"`
	QuotaBytes int64     `json:"quota_bytes"`
	Recipient  string    `json:"recipient"`       // configured, unverified (development) or none
	Oldest     time.Time `json:"oldest,omitzero"` // when its oldest item was taken
}

// Upload is the way of photos and clips to the cloud.
type Upload struct {
	State   string    `json:"state"` // idle, sending, waiting or off
	URL     string    `json:"url"`
	Item    string    `json:"item"` // the id of the one that is sent; "" for none
	Sent    int64     `json:"sent"`
	Bytes   int64     `json:"bytes"`
	Problem string    `json:"problem"`           // why it waits; "" for no reason
	RetryAt time.Time `json:"retry_at,omitzero"` // when it tries again
}

// PhotoLatency is how long the last photos took, in stages.
type PhotoLatency struct {
	Choose Percentiles `json:"choose"` // from the press to the choice
	Encode Percentiles `json:"encode"`
	Store  Percentiles `json:"store"` // until the disk has it
}

// The bodies of the requests.
type (
	photoRequest struct {
		Show bool `json:"show"`
	}
	clipRequest struct {
		Action string `json:"action"`
	}
	spoolRequest struct {
		Action string `json:"action"`
		ID     string `json:"id"`
	}
)
