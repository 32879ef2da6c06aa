package session

import (
	"testing"
	"time"

	"github.com/bril-edge/bril/hardware"
)

// world is what Step decides about, as the loop makes it: it does each action,
// and breaks the test where an action cannot be done or leaves the state wrong.
type world struct {
	t      *testing.T
	state  State
	limits Limits
	now    time.Duration

	media    bool         // between the first Open and HangUp or Close
	alone    bool         // the media is for the Tap alone
	blank    bool         // what media was told last
	opened   bool         // the sources run
	opening  []Generation // attempts under way
	dialling []Generation
	call     Generation // that is attached; 0 for none
	reached  bool       // a call has been attached to this media
	recorded bool       // the Tap is shown what is captured
	hanging  int        // HangUps and Closes without their Hung
	quit     bool
	eased    easing
	heard    Cue // last, of how the conversation is
	history  []Event
}

// FuzzStep lets everything happen that can happen, in any order.
func FuzzStep(f *testing.F) {
	for _, seed := range []string{
		"",
		"oOC",            // live
		"oOCm.o.e.h",     // pause, resume, end
		"oFtFtOC",        // sources that fail
		"oORtRtC",        // an endpoint that refuses
		"oOCLCLCl",       // lost, again and again
		"oOCeoh",         // a wish while stopping
		"oemoOC",         // ended while opening, a late report
		"oOCw++++++++tt", // nobody watching
		"oOC+++++++++++++++++++++++++++++++++++++++++tt", // too long
		"omOCo",                   // paused before it is live
		"oOCx",                    // the daemon stops
		"oOCsSszZz+++++tm.os.l.C", // strained, frozen
		"oOC123oh0o4567",          // the battery is emptied, and fed; heat
		"oaFaaFta.OCa",            // a camera comes
		"oOmCoLmo.C",              // paused before it is live, then interrupted
		"oOClmeohOmCl.oe",         // the next conversation has not been live
		"kOKh",                    // a photo without a conversation
		"kOKkohO",                 // another before all is closed, and a conversation then
		"kFhkOoCeh",               // a camera that does not open; a conversation goes on with it
		"koOCekhOmKh",             // a conversation while it is opened; a photo after it
		"kOf.hkO3h0kOx",           // the end of a file, of the battery, of the daemon
		"kOekKkx",                 // what does not end it
		"oOmkCkekoehkhK",          // asked for at odd times
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, script []byte) {
		w := &world{t: t, state: State{Phase: Ready}, limits: testLimits, now: t0}
		for _, c := range script {
			w.happen(c)
		}
		w.shutDown()
	})
}

// happen makes one thing happen, if it can.
func (w *world) happen(c byte) {
	switch c {
	case 'o':
		w.heard = "" // a press is answered anew
		w.event(On{})
	case 'm':
		w.event(Mute{})
	case 'e':
		w.event(End{ByAdvisor})
	case 'k', 'K':
		w.event(Keep{c == 'k'})
	case 'f':
		if w.opened {
			w.event(End{EndOfFile})
		}
	case 'x':
		w.event(End{Shutdown})
	case 'O', 'F':
		w.openingEnds(c == 'O')
	case 'C', 'R':
		w.diallingEnds(c == 'C')
	case 'l', 'L', 'w', 'W', 'v':
		w.callReports(c)
	case 's', 'S':
		w.event(Strain{w.state.Generation, c == 's'})
	case 'z', 'Z':
		w.event(Freeze{w.state.Generation, c == 'z'})
	case 'a', 'A':
		w.event(Came{Camera: c == 'a', Microphone: true})
	case '0', '1', '2', '3':
		w.event(Battery{[]hardware.BatteryLevel{hardware.BatteryFine, hardware.BatteryLow, hardware.BatteryVeryLow, hardware.BatteryEmpty}[c-'0']})
	case '4', '5', '6', '7':
		w.event(Heat{[]hardware.HeatLevel{hardware.HeatNormal, hardware.HeatWarm, hardware.HeatHot, hardware.HeatVeryHot}[c-'4']})
	case 'h':
		w.hung()
	case 't':
		w.ticks()
	case '+':
		w.now += 3 * time.Minute
		w.ticks()
	case '.':
		w.now += time.Second
		w.ticks()
	default: // a report of long ago
		g := w.state.Generation - 1 - Generation(c/8)
		w.event([]Event{Opened{g}, Failed{g, 0}, Connected{g}, Refused{g, 0, false}, Lost{g, 0}, Watched{g, 0}, Watched{g, 1}, Tick{}}[c%8])
	}
}

func (w *world) openingEnds(well bool) {
	if len(w.opening) == 0 {
		return
	}
	g := w.opening[0]
	w.opening = w.opening[1:]
	if well {
		w.opened = w.media
		w.event(Opened{g})
	} else {
		w.event(Failed{g, time.Second})
	}
}

func (w *world) diallingEnds(well bool) {
	if len(w.dialling) == 0 {
		return
	}
	g := w.dialling[0]
	w.dialling = w.dialling[1:]
	if !well {
		w.event(Refused{g, time.Second, false})
		return
	}
	current := !w.state.stale(Connected{g}) && !w.quit
	w.event(Connected{g})
	w.must(!current || w.call == g, "what has come is attached")
}

func (w *world) callReports(c byte) {
	if w.call == 0 {
		return
	}
	w.event(map[byte]Event{'l': Lost{w.call, 0}, 'L': Lost{w.call, time.Second}, 'w': Watched{w.call, 0}, 'W': Watched{w.call, 1}, 'v': Over{w.call}}[c])
}

// hung comes after everything of the conversation has ended, reporting or not.
func (w *world) hung() {
	if w.hanging > 0 {
		w.hanging--
		w.opening, w.dialling = nil, nil
		w.event(Hung{})
	}
}

// ticks lets the timer run until nothing is due, which must be soon.
func (w *world) ticks() {
	for range 4 {
		at, ok := w.state.Deadline(w.limits)
		if !ok || at > w.now {
			return
		}
		w.event(Tick{})
	}
	w.t.Fatalf("still due at %v after four ticks: %+v", w.now, w.state)
}

func (w *world) shutDown() {
	w.event(End{Shutdown})
	w.hung()
	w.must(w.quit && w.state.Phase == Off && !w.media, "a shutdown ends everything")
}

func (w *world) event(e Event) {
	if w.quit {
		return // nobody is there to hear it
	}
	w.history = append(w.history, e)
	var actions []Action
	w.state, actions = Step(w.state, e, w.now, w.limits)
	for _, a := range actions {
		w.act(a)
	}
	w.check()
}

func (w *world) act(a Action) {
	w.must(!w.quit, "nothing after Quit")
	switch a := a.(type) {
	case Open:
		w.must(a.Generation == w.state.Generation, "an attempt of this generation")
		w.must(!w.opened && len(w.opening) == 0 && w.hanging == 0, "sources are opened once, after the last were closed")
		w.must(!w.media || !w.alone && !w.state.Kept, "only a conversation tries again")
		w.media, w.alone, w.eased = true, w.state.Kept, easingOf(w.state.Heat)
		w.opening = append(w.opening, a.Generation)
	case Dial:
		w.must(a.Generation == w.state.Generation, "an attempt of this generation")
		w.must(!w.alone, "nobody is called for the Tap alone")
		w.must(w.opened && w.call == 0 && len(w.dialling) == 0, "one call at a time, once the sources run")
		w.dialling = append(w.dialling, a.Generation)
	case Attach:
		w.must(w.call == 0 && w.media, "one connection at a time")
		w.must(w.recorded != w.blank, "what is recorded is so from the first picture on, and nothing of a pause is")
		w.call, w.reached = w.state.Generation, true
	case Record:
		w.must(w.media && w.recorded != a.On, "Record changes what is there")
		w.recorded = a.On
	case Join:
		w.must(w.media && w.alone && !w.recorded, "a conversation goes on with what is there, and is another recording")
		w.alone = false
	case Close:
		w.must(w.media && w.alone && w.hanging == 0, "only what is not of a conversation is closed without its end")
		w.must(!w.recorded, "a recording ends before its pictures")
		w.media, w.alone, w.opened = false, false, false
		w.hanging++
	case Detach:
		w.must(w.call != 0, "only what is attached is detached")
		w.call = 0
	case Blank:
		w.must(w.media && w.blank != a.On, "Blank changes what is there")
		w.must(!a.On || !w.recorded, "a recording ends before the pause begins")
		w.blank = a.On
	case HangUp:
		w.must(w.media && !w.alone && w.hanging == 0, "a conversation is ended once")
		w.must(!w.recorded, "a recording ends before the conversation")
		w.media, w.blank, w.opened, w.reached, w.call = false, false, false, false, 0
		w.hanging++
	case Warn:
		w.must(w.media && a.Left >= 0 && a.Left <= w.limits.Warn, "a warning of what is to come")
	case Cue:
		w.must(a == CueEnding || a == CuePoorNetwork || a == CueBattery || a == CueHeat || a != w.heard, "nothing is said twice but what has no end that is said")
		w.must(a != CueLive || w.state.Phase == Live, "live is said while live")
		w.must(a != CueFrozen || w.state.Phase == Live && w.state.Frozen, "frozen is said of a frozen picture")
		switch a {
		case CueEnding, CueBattery, CueHeat:
		case CueEnded, CueEndedItself:
			w.heard = ""
		default:
			w.heard = a
		}
	case Ease:
		w.eased = easingOf(a.Heat)
	case Quit:
		w.must(w.hanging == 0 && !w.media, "everything is closed at the end")
		w.quit = true
	}
}

// check compares the state with the world.
func (w *world) check() {
	s := w.state
	w.must(w.recorded == (w.reached && !w.blank || w.alone && w.opened), "recorded is what is captured since the first connection, but for pauses, or for the Tap alone")
	w.must(!w.recorded || (s.Wanted || s.Kept) && s.Opened, "only a conversation is recorded, or what somebody needs")
	w.must(!s.Kept || !s.Wanted && !s.Muted && !s.Quitting, "nothing is kept of a conversation, of a pause or at the end")
	w.must(!s.Kept || s.Phase == Ready || s.Phase == Stopping, "what is kept is of no phase of a conversation")
	w.must(w.alone == (s.Kept && s.Phase == Ready && !s.Closing), "what is kept runs, once nothing is in its way")
	w.must(!s.Closing || s.Phase == Ready && !s.Opened && !s.Quitting, "only what was kept is closed without a phase of its own")
	w.must(s.Phase != Ready || w.recorded == (s.Kept && s.Opened), "ready is recorded where it is kept")
	switch s.Phase {
	case Off, Fault, Paused, Stopping:
		w.must(!w.recorded, "nothing is recorded that is not live or interrupted")
	case Live:
		w.must(w.recorded, "what is live is recorded")
	}
	w.must(s.Connected == (w.call != 0), "Connected is attached")
	w.must(s.Opened == w.opened, "Opened is opened")
	w.must(s.Muted == w.blank, "Muted is blank")
	w.must(!s.Connected || s.Wanted, "connected only while wanted")
	w.must((s.Phase == Live) == (s.Connected && !s.Muted), "live is connected and not muted")
	w.must((s.Phase == Paused) == (s.Connected && s.Muted), "paused is connected and muted")
	w.must((s.Phase == Stopping || s.Closing) == (w.hanging > 0), "stopping is hanging up, closing without a conversation")
	w.must(s.Phase != Ready || s == State{Phase: Ready, Kept: s.Kept, Opened: s.Opened, Closing: s.Closing, Generation: s.Generation, Battery: s.Battery, Heat: s.Heat}, "ready remembers nothing")
	w.must(!s.Wanted && !s.Kept || s.Battery != hardware.BatteryEmpty, "nothing is wanted of an empty battery")
	w.must(!w.media || w.eased == easingOf(s.Heat), "what runs is eased as the heat asks for")
	w.must(s.Phase != Live || s.Told != CuePaused && s.Told != "", "while live the advisor knows it, or why not")
	w.must(s.Phase == Live || !s.Strained && !s.Frozen, "only what is live is strained or frozen")
	w.must(s.Phase != Fault || s.Wanted && !s.Opened, "a fault is what does not open")
	w.must((s.Wanted || s.Kept && !s.Closing) == w.media || s.Phase == Stopping, "what is wanted is there")
	if w.media && !w.alone && len(w.opening)+len(w.dialling) == 0 && !s.Connected {
		w.must(s.RetryAt != 0, "there is always a next try")
	}
}

func (w *world) must(ok bool, what string) {
	if !ok {
		w.t.Fatalf("%s: %+v\nafter %#v", what, w.state, w.history)
	}
}
