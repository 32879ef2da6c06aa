package desk

import "time"

// What glasses are told. The fields are part of the HTTP interface.
type (
	hello struct {
		Conversation *snapshot `json:"conversation"` // null for none
	}

	// snapshot is the conversation that rings or runs on the glasses.
	snapshot struct {
		ringing
		Phase    Phase     `json:"state"`
		Customer *customer `json:"customer,omitempty"` // once somebody has answered
	}

	ringing struct {
		Conversation string    `json:"conversation"`
		Kind         Kind      `json:"kind"`
		Showroom     string    `json:"showroom"` // its title
		Name         string    `json:"name,omitempty"`
		Until        time.Time `json:"rings_until,omitzero"`
	}

	callGone struct {
		Conversation string `json:"conversation"`
		Reason       Reason `json:"reason"`
	}

	changed struct {
		Conversation string `json:"conversation"`
		Phase        Phase  `json:"state"`
		Reason       Reason `json:"reason,omitempty"`
	}

	customer struct {
		Conversation string  `json:"conversation"`
		Presence     string  `json:"presence"` // joined or left
		Network      Network `json:"network,omitempty"`
		Microphone   bool    `json:"microphone"`
	}

	rating struct {
		Conversation string `json:"conversation"`
		Thumb        string `json:"thumb"` // up or down
	}
)

func (d *Desk) ring(c *call) ringing {
	r := ringing{Conversation: c.id, Kind: c.state.Kind, Showroom: c.room.Title, Name: c.name}
	if c.state.Phase == Ringing {
		r.Until = c.state.Since.Add(ringTime).UTC()
	}
	return r
}

func (c *call) presence() customer {
	told := customer{Conversation: c.id, Presence: "left", Network: c.network, Microphone: c.microphone}
	if c.state.Seen {
		told.Presence = "joined"
	}
	return told
}

func (d *Desk) hello(c *call) hello {
	if c == nil {
		return hello{}
	}
	s := &snapshot{ringing: d.ring(c), Phase: c.state.Phase}
	if c.state.talks() {
		told := c.presence()
		s.Customer = &told
	}
	return hello{Conversation: s}
}
