package desk

// Phase is what a conversation is in. The words are part of the HTTP interface.
//
//	booked ─join─> ringing ─accept─> connecting ─publisher─> live ─> ended
//	   ^  └─none free─> waiting ─free─^  (talk now begins at ringing)
type Phase string

// The phases.
const (
	Booked     Phase = "booked"     // the customer has not tapped Join, or has left before anybody answered
	Waiting    Phase = "waiting"    // a booked customer is there, and no glasses are free
	Ringing    Phase = "ringing"    // on one pair of glasses
	Connecting Phase = "connecting" // accepted; no media yet
	Live       Phase = "live"
	Ended      Phase = "ended"
)

// Reason is why a conversation has ended.
type Reason string

// The reasons.
const (
	ByAdvisor    Reason = "advisor"
	ByCustomer   Reason = "customer"
	Unanswered   Reason = "unanswered"
	Declined     Reason = "declined"
	CustomerLeft Reason = "customer_left"
	AdvisorLost  Reason = "advisor_lost"
	Failed       Reason = "failed"
	Cancelled    Reason = "cancelled"
)

// Kind is how a conversation came about.
type Kind string

// The kinds.
const (
	KindNow    Kind = "now"
	KindBooked Kind = "booked"
)
