package calls

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/bril-edge/bril/uplink/origin"
)

// Event is what the endpoint tells, and that it has ceased to.
type Event interface{ event() }

// The events.
type (
	// Hello is how things stand: it replaces all that was told before. It comes first
	// on every stream.
	Hello struct{ Conversation *Snapshot } // nil for none

	// Call rings at these glasses.
	Call struct {
		Conversation string
		Kind         string // now or booked
		Showroom     string
		Name         string    // of who calls; "" where that is not told
		Until        time.Time // by the endpoint's clock; zero when it does not tell
	}

	// CallGone is a call that has ceased to ring here.
	CallGone struct{ Conversation, Reason string }

	// Changed is another state of a conversation.
	Changed struct {
		Conversation string
		State        Progress
		Reason       string // of its end: advisor, customer, unanswered, …
	}

	// Customer is how it is with the customer.
	Customer struct {
		Conversation string
		Presence     string // joined or left
		Network      string // good, poor or frozen; "" while it is not known
		Microphone   bool   // it is on
	}

	// Rating is what the customer thought of a conversation.
	Rating struct{ Conversation, Thumb string } // up or down

	// Down says that the stream is lost: nothing is told until the next Hello.
	Down struct{}
)

// Snapshot is the conversation that rings or runs at these glasses.
type Snapshot struct {
	Call
	State    Progress
	Reason   string // of its end
	Customer Customer
}

func (Hello) event()    {}
func (Call) event()     {}
func (CallGone) event() {}
func (Changed) event()  {}
func (Customer) event() {}
func (Rating) event()   {}
func (Down) event()     {}

// Progress is the state of a conversation, in the endpoint's words.
type Progress string

// The states that matter here; there are others, before it rings.
const (
	Ringing Progress = "ringing"
	Agreed  Progress = "connecting" // accepted, and not live yet
	Live    Progress = "live"
	Ended   Progress = "ended"
)

// said is the union of what events carry.
type said struct {
	Conversation json.RawMessage `json:"conversation"` // a text, or of hello an object
	ID           string          `json:"id"`
	Kind         string          `json:"kind"`
	Showroom     string          `json:"showroom"`
	Name         string          `json:"name"`
	Until        time.Time       `json:"rings_until"`
	State        string          `json:"state"`
	Reason       string          `json:"reason"`
	Presence     string          `json:"presence"`
	Network      string          `json:"network"`
	Microphone   bool            `json:"microphone"`
	Thumb        string          `json:"thumb"`
	Customer     *said           `json:"customer"` // of hello
}

// parse reads a message. It returns nil for a kind of event that is not known: a
// later endpoint may have more.
func parse(m message) (Event, error) {
	kind := m.event
	if !slices.Contains([]string{"hello", "call", "call_gone", "conversation", "customer", "rating"}, kind) {
		return nil, nil
	}
	var s said
	if err := json.Unmarshal([]byte(m.data), &s); err != nil {
		return nil, fmt.Errorf("event %s is not JSON of its form", kind)
	}
	if kind == "hello" {
		return s.hello()
	}
	id, err := s.id()
	if err != nil {
		return nil, fmt.Errorf("event %s: %w", kind, err)
	}
	switch kind {
	case "call":
		return s.call(id), nil
	case "call_gone":
		return CallGone{id, origin.Clean(s.Reason)}, nil
	case "conversation":
		return Changed{id, Progress(origin.Clean(s.State)), origin.Clean(s.Reason)}, nil
	case "customer":
		return s.customer(id), nil
	}
	return Rating{id, oneOf(s.Thumb, "up", "down")}, nil
}

func (s said) hello() (Event, error) {
	if len(s.Conversation) == 0 || string(s.Conversation) == "null" {
		return Hello{}, nil
	}
	var of said
	if err := json.Unmarshal(s.Conversation, &of); err != nil {
		return nil, fmt.Errorf("event hello: its conversation is not JSON of its form")
	}
	id, err := of.id()
	if err != nil {
		return nil, fmt.Errorf("event hello: %w", err)
	}
	customer := of
	if of.Customer != nil {
		customer = *of.Customer
	}
	return Hello{&Snapshot{
		Call: of.call(id), State: Progress(origin.Clean(of.State)), Reason: origin.Clean(of.Reason), Customer: customer.customer(id),
	}}, nil
}

func (s said) id() (string, error) {
	id := s.ID
	if len(s.Conversation) > 0 {
		if err := json.Unmarshal(s.Conversation, &id); err != nil {
			return "", fmt.Errorf("its conversation is not a text")
		}
	}
	if !ValidID(id) {
		return "", fmt.Errorf("%q is not the id of a conversation", origin.Clean(id))
	}
	return id, nil
}

func (s said) call(id string) Call {
	return Call{id, oneOf(s.Kind, "now", "booked"), origin.Clean(s.Showroom), origin.Clean(s.Name), s.Until}
}

func (s said) customer(id string) Customer {
	return Customer{id, oneOf(s.Presence, "joined", "left"), oneOf(s.Network, "good", "poor", "frozen"), s.Microphone}
}

// oneOf returns "" for a word that is none of those that are understood.
func oneOf(word string, known ...string) string {
	if slices.Contains(known, word) {
		return word
	}
	return ""
}
