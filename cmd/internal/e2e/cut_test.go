package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/bril-edge/bril/cmd/internal/control"
)

// cutTime is how long the stream of events is lost: longer than a call rings without
// it.
func cutTime() time.Duration {
	if os.Getenv("CI") == "true" {
		return time.Minute
	}
	return 12 * time.Second
}

// lost is a pair of glasses whose stream of events is cut, and a customer.
type lost struct {
	t        *testing.T
	endpoint *endpoint
	wire     *wire
	agent    *agent
	customer *visitor
	until    time.Time // of the cut
}

// TestEventsCut loses the events of the glasses in each state: what comes of it is in
// the table of showroom/desk, and nothing hangs.
func TestEventsCut(t *testing.T) {
	cases := map[string]func(*lost){
		"idle":                        (*lost).idle,
		"live by button":              (*lost).liveByButton,
		"ringing":                     (*lost).ringing,
		"ringing, booked":             (*lost).ringingBooked,
		"ringing, and accepted":       (*lost).ringingAccepted,
		"connecting":                  (*lost).connecting,
		"live":                        (*lost).live,
		"live, and the customer ends": (*lost).liveCustomerEnds,
		"live, and the advisor ends":  (*lost).liveAdvisorEnds,
		"waiting, and live by button": (*lost).waitingLive,
	}
	if cutTime() > 30*time.Second {
		cases["connecting in vain"] = (*lost).connectingInVain
	}
	for name, do := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			do(newLost(t))
		})
	}
}

func newLost(t *testing.T) *lost {
	t.Helper()
	hours := filepath.Join(t.TempDir(), "hours.yaml")
	if err := os.WriteFile(hours, []byte(storyHours), 0o600); err != nil {
		t.Fatal(err)
	}
	l := &lost{t: t, endpoint: startEndpoint(t, "--hours", hours)}
	l.wire = newWire(t, l.endpoint.url(""))
	// Several of these run at once: pictures are small and few.
	l.agent = startAgent(t, l.wire.URL+"/whip/anna", append(configured(t, "cues: {device: none}\ntalkback: {enabled: false}\n"),
		"--camera", "pattern:160x120@10", "--microphone", "none")...)
	l.customer = newVisitor(t, l.endpoint.url(""))
	l.hears("connected")
	return l
}

// hears waits until that is how it is with the events.
func (l *lost) hears(events string) {
	l.t.Helper()
	l.agent.wait("events "+events, func(s control.Status) bool { return s.Call != nil && s.Call.Events == events })
}

// is waits for a state of the session and one of the call.
func (l *lost) is(state, call string) control.Status {
	l.t.Helper()
	return l.agent.wait(state+" and "+call, func(s control.Status) bool { return s.State == state && s.Call != nil && s.Call.State == call })
}

func (l *lost) cut() {
	l.t.Helper()
	l.until = time.Now().Add(cutTime())
	l.wire.cut()
	l.hears("waiting")
}

// lasts returns when the cut is over, and the agent has noticed.
func (l *lost) lasts() {
	l.t.Helper()
	wait(time.Until(l.until))
	l.wire.mend()
	l.hears("connected")
}

func (l *lost) press(action control.Action) {
	l.t.Helper()
	if _, err := l.agent.client.Live(l.t.Context(), action); err != nil {
		l.t.Fatal(err)
	}
}

func (l *lost) answer(action control.CallAction) {
	l.t.Helper()
	if _, err := l.agent.client.Call(l.t.Context(), action); err != nil {
		l.t.Fatal(err)
	}
}

// calls has the customer call, and these glasses ring.
func (l *lost) calls() {
	l.t.Helper()
	if !l.customer.calls() {
		l.t.Fatal("nobody is free")
	}
	l.customer.expect("ringing", "")
	l.is("ready", "ringing")
}

// joins has the customer join an appointment.
func (l *lost) joins() {
	l.t.Helper()
	var free struct{ Slots []struct{ Start string } }
	l.customer.ask("GET", "/api/showrooms/antwerp/slots", "", &free)
	booking := fmt.Sprintf(`{"showroom":"antwerp","start":%q,"name":"Jan","email":"jan@customer.example","phone":"","locale":"nl","marketing":false}`, free.Slots[0].Start)
	if status := l.customer.ask("POST", "/api/appointments", booking, nil); status != 201 {
		l.t.Fatalf("a booking is answered with %d", status)
	}
	code := l.endpoint.mailed(l.t, "jan@customer.example", codePattern)
	var joined struct{ Conversation string }
	l.customer.ask("POST", "/api/join", `{"code":"`+code+`"}`, &joined)
	l.customer.open(joined.Conversation)
	l.customer.expect("booked", "")
	l.customer.ask("POST", "/api/conversations/"+joined.Conversation+"/ring", "", nil)
}

// talks has a customer call and the advisor answer.
func (l *lost) talks() {
	l.t.Helper()
	l.calls()
	l.answer(control.AcceptCall)
	l.customer.expect("live", "")
	l.is("live", "talking")
}

// goesOn says that the conversation has pictures, and that the customer is there.
func (l *lost) goesOn() {
	l.t.Helper()
	before := l.is("live", "talking")
	if before.Call.Conversation != l.customer.cid {
		l.t.Errorf("in conversation %s, the customer in %s", before.Call.Conversation, l.customer.cid)
	}
	l.agent.wait("pictures", func(s control.Status) bool { return s.State == "live" && s.Video.Sent > before.Video.Sent })
	l.agent.wait("the customer", func(s control.Status) bool { return s.Call.Customer.Presence == "joined" })
	l.customer.quiet()
}

// rings says that nothing of what was is left, and that the next call rings.
func (l *lost) rings() {
	l.t.Helper()
	l.is("ready", "idle")
	l.calls()
	l.answer(control.DeclineCall)
	l.customer.expect("ended", "declined")
}

// Nobody can be called on glasses that do not hear of it; afterwards they can.
func (l *lost) idle() {
	l.cut()
	if l.customer.calls() {
		l.t.Error("glasses are called that do not hear of it")
	}
	l.lasts()
	l.is("ready", "idle")
	l.talks()
	l.goesOn()
}

// Live needs no events.
func (l *lost) liveByButton() {
	l.cut()
	l.press(control.On)
	l.agent.waitLive()
	l.lasts()
	l.press(control.Off)
	l.is("ready", "idle")
}

// Who does not hear of the end of a ring is not called for longer than the endpoint
// waits.
func (l *lost) ringing() {
	l.calls()
	l.cut()
	l.customer.expect("ended", "unanswered")
	l.is("ready", "idle")
	l.lasts()
	l.rings()
}

// A customer with an appointment waits instead, and it rings again.
func (l *lost) ringingBooked() {
	l.joins()
	l.is("ready", "ringing")
	l.cut()
	l.customer.expect("waiting", "")
	l.is("ready", "idle")
	l.lasts()
	l.customer.expect("ringing", "")
	l.is("ready", "ringing")
	l.answer(control.AcceptCall)
	l.customer.expect("live", "")
	l.goesOn()
}

// What rings can be accepted, as an answer takes another way.
func (l *lost) ringingAccepted() {
	l.calls()
	l.cut()
	l.answer(control.AcceptCall)
	l.customer.expect("live", "")
	l.is("live", "talking")
	l.lasts()
	l.goesOn()
}

func (l *lost) accepts() {
	l.t.Helper()
	l.calls()
	l.wire.hold()
	l.answer(control.AcceptCall)
	l.customer.expect("connecting", "")
	l.is("connecting", "accepted")
}

func (l *lost) connecting() {
	l.accepts()
	l.cut()
	l.wire.release()
	l.customer.expect("live", "")
	l.is("live", "talking")
	l.lasts()
	l.goesOn()
}

// Who comes too late is not live for nobody.
func (l *lost) connectingInVain() {
	l.accepts()
	l.cut()
	l.customer.expect("ended", "failed")
	l.wire.release()
	l.is("ready", "idle")
	l.lasts()
	l.rings()
}

func (l *lost) live() {
	l.talks()
	l.cut()
	l.lasts()
	l.goesOn()
}

// The advisor's camera does not stay on for a customer who has gone.
func (l *lost) liveCustomerEnds() {
	l.talks()
	l.cut()
	l.customer.ends()
	l.customer.expect("ended", "customer")
	l.is("ready", "idle")
	l.lasts()
	l.rings()
}

func (l *lost) liveAdvisorEnds() {
	l.talks()
	l.cut()
	l.answer(control.EndCall)
	l.customer.expect("ended", "advisor")
	l.is("ready", "idle")
	l.lasts()
	l.rings()
}

// A customer with an appointment waits as nobody can be rung: the advisor who goes
// live, as agreed, is there for them.
func (l *lost) waitingLive() {
	l.cut()
	l.joins()
	l.customer.expect("waiting", "")
	l.press(control.On)
	l.customer.expect("live", "")
	l.is("live", "talking")
	l.lasts()
	l.goesOn()
}
