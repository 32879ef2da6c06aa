// Package desk brings customers and glasses together: talk now, appointments
// with their codes, ringing and passing on, presence, and how each conversation
// ends. What may follow on what is one table, see Table; the service around it
// persists every step and tells both sides.
//
// It moves no media and sends no mail itself, and stores nothing of what anybody
// says.
package desk

import (
	"context"
	"log/slog"
	"net/netip"
	"time"

	"github.com/bril-edge/bril/cmd/internal/showroom/hours"
)

// Config is what a desk works with. Zero means the default.
type Config struct {
	Records Records          // needed
	Hours   hours.Plan       // needed
	Post    Post             // sends letters; default: none are sent
	Media   Media            // what is stored of conversations; default: nothing is
	Clock   func() time.Time // default: time.Now
	Log     *slog.Logger     // default: none

	// EndRoom cuts off who publishes and views in a room of the relay, once its
	// conversation is over. It is called by Run, without a lock. Default: nothing.
	EndRoom func(room string)

	// ConsentText is the version of the text by which customers consent to
	// marketing. Default: "1".
	ConsentText string
}

// Desk is the service. All its methods may be called at once.
type Desk struct {
	cfg Config
}

// New reads the open conversations of an earlier run, and goes on with them as the
// table says. It starts nothing.
func New(ctx context.Context, cfg Config) (*Desk, error) { return &Desk{cfg: cfg}, nil }

// Run carries out what is due until ctx ends, which is no error: deadlines, rooms
// to end, what customers asked to be sent.
func (d *Desk) Run(ctx context.Context) error { <-ctx.Done(); return nil }

// Conversation is one as its customer, its advisor and the staff see it.
type Conversation struct {
	ID        string
	Phase     Phase
	Reason    Reason // once it has ended
	Kind      Kind
	Showroom  string // its ID
	Title     string // the showroom's
	Glasses   string // on which it rings or runs, or ran
	Locale    string
	Name      string    // the customer's, where it is known
	Start     time.Time // of the appointment; zero for none
	End       time.Time
	Created   time.Time
	Started   time.Time // when it was live first; zero for never
	Ended     time.Time // zero while it is open
	Rated     bool
	Sent      bool // something has been mailed, or is about to
	Connected bool // the advisor's event stream or media is there
	Presence  Presence
}

// Presence is what is known of a customer's page.
type Presence struct {
	Here       bool
	Network    Network
	Microphone bool
}

// Network is how a customer's page finds its network.
type Network string

// The networks.
const (
	Good   Network = "good"
	Poor   Network = "poor"
	Frozen Network = "frozen" // no picture comes
)

// Lookup returns a conversation, also one that has ended, or ErrUnknown.
func (d *Desk) Lookup(ctx context.Context, cid string) (Conversation, error) {
	return Conversation{}, ErrUnknown
}

// Live returns the open conversations, the oldest first.
func (d *Desk) Live() []Conversation { return nil }

// Showroom is one as a customer sees it who wants to talk.
type Showroom struct {
	ID, Title, TimeZone string
	Open                bool
	OpensAt             time.Time // while it is closed; zero when that is not known
	Free                int       // pairs of glasses that could be called now
}

// Showrooms returns all of them in the order of the plan.
func (d *Desk) Showrooms() []Showroom { return nil }

// TalkNow begins a conversation and rings the first free pair of glasses. Errors
// are *ClosedError, *BusyError, *TooManyError and ErrNoShowroom. from is the
// customer's address.
func (d *Desk) TalkNow(ctx context.Context, showroom, locale string, from netip.Addr) (Conversation, error) {
	return Conversation{}, ErrNoShowroom
}

// Ring is the customer's tap on Join: a booked conversation begins to ring, or
// waits for free glasses. It does nothing to one that is past that. Errors are
// *EarlyError, ErrExpired, ErrEnded and ErrUnknown.
func (d *Desk) Ring(ctx context.Context, cid string) (Conversation, error) {
	return Conversation{}, ErrUnknown
}

// Call is what a customer's page is told.
type Call struct {
	Phase   Phase     `json:"state"`
	Reason  Reason    `json:"reason,omitempty"`
	RetryAt time.Time `json:"retry_at,omitzero"` // when glasses are rung again, while it waits
}

// Watch returns a channel that holds the newest state of a conversation, at first
// the present one, until cancel is called. While a conversation is watched its
// customer is there. The error is ErrUnknown.
func (d *Desk) Watch(ctx context.Context, cid string) (calls <-chan Call, cancel func(), err error) {
	return nil, nil, ErrUnknown
}

// Report takes what a customer's page says of itself. Of one that has ended it is
// ErrEnded.
func (d *Desk) Report(cid string, network Network, microphone bool) error { return ErrUnknown }

// End is the customer's: the conversation is over. A booked one that nobody has
// answered is booked again, and its code stays good.
func (d *Desk) End(ctx context.Context, cid string) error { return ErrUnknown }

// Rate counts a thumb, once, of a conversation in which somebody answered. Errors
// are ErrRated, ErrNotYet and ErrUnknown.
func (d *Desk) Rate(ctx context.Context, cid string, up bool) error { return ErrUnknown }
