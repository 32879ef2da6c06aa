package desk

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Row is one line of the table: what happens in a phase, and what comes of it. Of
// the rows for the same happening the first whose condition holds is followed.
type Row struct {
	In     Phase
	On     What
	After  time.Duration // of a time that is over: how long; the window's is 0 after its end
	Kind   Kind          // "" for both
	If     Condition
	To     Phase
	Reason Reason // of the end, or why it no longer rings on the glasses before
}

// Condition is what must be so for a row to hold.
type Condition string

// The conditions.
const (
	NextFree Condition = "other glasses are free"
	NoneFree Condition = "no other glasses are free"
	There    Condition = "glasses are free, the customer is there"
	InWindow Condition = "in the window, glasses are free"
	InVain   Condition = "in the window, no glasses are free"
	OnThese  Condition = "on these glasses"
	Unheard  Condition = "by glasses without event stream, the customer is there"
)

// The times. An appointment can be joined from opensBefore its start to
// closesAfter its end.
const (
	ringTime     = 30 * time.Second
	ringAgain    = time.Minute
	streamGrace  = 10 * time.Second
	ringAway     = 30 * time.Second // the customer, while it rings
	waitAway     = 2 * time.Minute
	connectTime  = 30 * time.Second
	liveAway     = 2 * time.Minute
	publisherOut = 2 * time.Minute
	awayNotice   = 5 * time.Second
	opensBefore  = 10 * time.Minute
	closesAfter  = 15 * time.Minute
)

// table is all that can happen to a conversation. What is not in it changes
// nothing but who is there. It is never written to.
var table = []Row{
	{In: Booked, On: Joined, If: InWindow, To: Ringing},
	{In: Booked, On: Joined, If: InVain, To: Waiting},
	{In: Booked, On: Withdrawn, To: Ended, Reason: Cancelled},
	{In: Booked, On: WindowOver, To: Ended, Reason: CustomerLeft},
	{In: Booked, On: Restarted, To: Booked},

	{In: Waiting, On: Freed, If: There, To: Ringing},
	{In: Waiting, On: Accepted, If: Unheard, To: Connecting},
	{In: Waiting, On: CustomerCame, If: There, To: Ringing},
	{In: Waiting, On: RingAgain, After: ringAgain, If: There, To: Ringing},
	{In: Waiting, On: RingAgain, After: ringAgain, To: Waiting},
	{In: Waiting, On: CustomerAway, After: waitAway, To: Booked},
	{In: Waiting, On: CustomerEnds, To: Booked},
	{In: Waiting, On: Withdrawn, To: Ended, Reason: Cancelled},
	{In: Waiting, On: WindowOver, To: Ended, Reason: Unanswered},
	{In: Waiting, On: Restarted, To: Waiting},

	{In: Ringing, On: Accepted, If: OnThese, To: Connecting},
	{In: Ringing, On: Refused, If: NextFree, To: Ringing, Reason: Declined},
	{In: Ringing, On: Refused, If: NoneFree, Kind: KindNow, To: Ended, Reason: Declined},
	{In: Ringing, On: Refused, If: NoneFree, Kind: KindBooked, To: Waiting, Reason: Declined},
	{In: Ringing, On: NoAnswer, After: ringTime, If: NextFree, To: Ringing, Reason: Unanswered},
	{In: Ringing, On: NoAnswer, After: ringTime, Kind: KindNow, To: Ended, Reason: Unanswered},
	{In: Ringing, On: NoAnswer, After: ringTime, Kind: KindBooked, To: Waiting, Reason: Unanswered},
	{In: Ringing, On: StreamLost, After: streamGrace, If: NextFree, To: Ringing, Reason: Unanswered},
	{In: Ringing, On: StreamLost, After: streamGrace, Kind: KindNow, To: Ended, Reason: Unanswered},
	{In: Ringing, On: StreamLost, After: streamGrace, Kind: KindBooked, To: Waiting, Reason: Unanswered},
	{In: Ringing, On: CustomerAway, After: ringAway, Kind: KindNow, To: Ended, Reason: CustomerLeft},
	{In: Ringing, On: CustomerAway, After: ringAway, Kind: KindBooked, To: Booked, Reason: CustomerLeft},
	{In: Ringing, On: CustomerEnds, Kind: KindNow, To: Ended, Reason: ByCustomer},
	{In: Ringing, On: CustomerEnds, Kind: KindBooked, To: Booked, Reason: ByCustomer},
	{In: Ringing, On: Withdrawn, To: Ended, Reason: Cancelled},
	{In: Ringing, On: Restarted, To: Ringing},

	{In: Connecting, On: PublisherCame, To: Live},
	{In: Connecting, On: AwayNotice, After: awayNotice, To: Connecting},
	{In: Connecting, On: NotConnected, After: connectTime, To: Ended, Reason: Failed},
	{In: Connecting, On: CustomerEnds, To: Ended, Reason: ByCustomer},
	{In: Connecting, On: AdvisorEnds, If: OnThese, To: Ended, Reason: ByAdvisor},
	{In: Connecting, On: Restarted, To: Connecting},

	{In: Live, On: AwayNotice, After: awayNotice, To: Live},
	{In: Live, On: CustomerAway, After: liveAway, To: Ended, Reason: CustomerLeft},
	{In: Live, On: PublisherLost, After: publisherOut, To: Ended, Reason: AdvisorLost},
	{In: Live, On: CustomerEnds, To: Ended, Reason: ByCustomer},
	{In: Live, On: AdvisorEnds, If: OnThese, To: Ended, Reason: ByAdvisor},
	{In: Live, On: Restarted, To: Live},
}

// Table returns the rows, in their order.
func Table() []Row { return slices.Clone(table) }

// holds says whether a row is for this conversation now.
func (r Row) holds(s State, e Event) bool {
	if r.Kind != "" && r.Kind != s.Kind {
		return false
	}
	within := !e.At.Before(s.Opens) && e.At.Before(s.Closes)
	switch r.If {
	case NextFree:
		return s.ours(e) && s.next(e) != ""
	case NoneFree:
		return s.ours(e) && s.next(e) == ""
	case There:
		if r.On == RingAgain {
			s.Tried = nil // who did not answer is asked once more
		}
		return s.CustomerGone.IsZero() && s.next(e) != ""
	case InWindow:
		return within && s.next(e) != ""
	case InVain:
		return within && s.next(e) == ""
	case OnThese:
		return s.ours(e)
	case Unheard: // that they have no stream, the desk has seen
		return s.CustomerGone.IsZero() && e.Glasses != "" && !slices.Contains(s.Tried, e.Glasses)
	}
	return true
}

// ours is false for what is done on glasses on which the conversation no longer is.
func (s State) ours(e Event) bool {
	return e.What != Refused && e.What != Accepted && e.What != AdvisorEnds || e.Glasses == s.Glasses
}

// since is when the time of a row began to run; zero while it does not.
func (s State) since(what What) time.Time {
	switch what {
	case NoAnswer, RingAgain, NotConnected:
		return s.Since
	case StreamLost:
		return s.StreamGone
	case CustomerAway:
		return s.CustomerGone
	case AwayNotice:
		if s.Seen {
			return s.CustomerGone
		}
	case PublisherLost:
		return s.PublisherGone
	case WindowOver:
		return s.Closes
	}
	return time.Time{}
}

// first returns which time is over first, and when.
func (s State) first() (what What, at time.Time) {
	for _, row := range table {
		since := s.since(row.On)
		if row.In != s.Phase || since.IsZero() || row.Kind != "" && row.Kind != s.Kind {
			continue
		}
		if over := since.Add(row.After); what == "" || over.Before(at) {
			what, at = row.On, over
		}
	}
	return what, at
}

// Deadline is when the conversation changes by itself; false for never, as once it
// has ended.
func (s State) Deadline() (time.Time, bool) {
	what, at := s.first()
	return at, what != ""
}

func (s State) due(now time.Time) (What, bool) {
	what, at := s.first()
	return what, what != "" && !at.After(now)
}

// Markdown is the table for people.
func Markdown() string {
	var b strings.Builder
	b.WriteString("| in | on | if | goes to |\n|---|---|---|---|\n")
	for _, row := range table {
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", row.In, row.happens(), row.condition(), row.goal())
	}
	return b.String()
}

func (r Row) happens() string {
	if r.After > 0 {
		return fmt.Sprintf("%s for %s", r.On, short(r.After))
	}
	return string(r.On)
}

// short writes 2m0s as 2 min.
func short(d time.Duration) string {
	if d >= time.Minute && d%time.Minute == 0 {
		return fmt.Sprintf("%d min", d/time.Minute)
	}
	return fmt.Sprintf("%d s", d/time.Second)
}

func (r Row) condition() string {
	var parts []string
	if r.Kind == KindNow {
		parts = append(parts, "talk now")
	} else if r.Kind == KindBooked {
		parts = append(parts, "booked")
	}
	if r.If != "" {
		parts = append(parts, string(r.If))
	}
	return strings.Join(parts, ", ")
}

func (r Row) goal() string {
	if r.To == Ended {
		return fmt.Sprintf("%s (%s)", r.To, r.Reason)
	}
	if r.On == AwayNotice {
		return fmt.Sprintf("%s, and the glasses are told", r.To)
	}
	return string(r.To)
}
