package session

import (
	"reflect"
	"testing"
	"time"
)

// The conversation of the tables: begun at 100 s, with the limits of a day out.
const t0 = 100 * time.Second

var testLimits = Limits{MaxLive: 2 * time.Hour, NoViewer: 10 * time.Minute, Warn: 2 * time.Minute}

// The states that the events of a conversation lead through.
var (
	ready      = State{Phase: Ready, Generation: 4}
	opening    = State{Phase: Connecting, Wanted: true, Generation: 5, LiveSince: t0, DownSince: t0}
	faulty     = State{Phase: Fault, Wanted: true, Generation: 5, LiveSince: t0, DownSince: t0, RetryAt: t0 + time.Second, Told: CueRefused}
	dialling   = State{Phase: Connecting, Wanted: true, Opened: true, Generation: 5, LiveSince: t0, DownSince: t0}
	refused    = State{Phase: Connecting, Wanted: true, Opened: true, Generation: 5, LiveSince: t0, DownSince: t0, RetryAt: t0 + time.Second, Told: CueRefused}
	live       = State{Phase: Live, Wanted: true, Opened: true, Connected: true, Reached: true, Generation: 5, LiveSince: t0, DownSince: t0, Told: CueLive}
	paused     = State{Phase: Paused, Wanted: true, Muted: true, Opened: true, Connected: true, Reached: true, Generation: 5, LiveSince: t0, DownSince: t0, Told: CuePaused}
	outage     = State{Phase: Connecting, Wanted: true, Opened: true, Reached: true, Generation: 5, LiveSince: t0, DownSince: t0, Told: CuePoorNetwork, PoorAt: t0}
	stopping   = State{Phase: Stopping, Generation: 6}
	wishing    = State{Phase: Stopping, Wanted: true, Generation: 6}
	quitting   = State{Phase: Stopping, Quitting: true, Generation: 6}
	keeping    = State{Phase: Ready, Kept: true, Generation: 5} // the sources are being opened
	kept       = State{Phase: Ready, Kept: true, Opened: true, Generation: 5}
	closing    = State{Phase: Ready, Closing: true, Generation: 6}
	again      = State{Phase: Ready, Closing: true, Kept: true, Generation: 6} // to be opened again
	next       = State{Phase: Stopping, Kept: true, Generation: 6}             // to be opened after the conversation
	everything = map[string]State{
		"ready": ready, "opening": opening, "fault": faulty, "dialling": dialling, "refused": refused, "live": live,
		"paused": paused, "outage": outage, "stopping": stopping, "wishing": wishing, "quitting": quitting,
		"keeping": keeping, "kept": kept, "closing": closing, "again": again, "next": next,
	}
)

// but returns s changed.
func (s State) but(change func(*State)) State {
	change(&s)
	return s
}

func muted(s *State)   { s.Muted, s.Told = true, CuePaused }
func reached(s *State) { s.Reached = true }
func away(s *State)    { s.Away = true }

// told returns a change: the advisor has heard c last.
func told(c Cue) func(*State) { return func(s *State) { s.Told = c } }

// poor is what the advisor has just heard.
func poor(s *State) { s.Told, s.PoorAt = CuePoorNetwork, now }

// A row of what an event leads to. Where a phase has no row for an event, the
// event changes nothing.
type row struct {
	name string
	from State
	to   State
	does []Action
}

const now = t0 + 30*time.Second

func started(s State) State {
	return State{Phase: Connecting, Wanted: true, Generation: s.Generation + 1, LiveSince: now, DownSince: now}
}

// ending returns what is done at the end of a conversation: what may be recorded
// ends before anything else.
func ending(name string, then ...Action) []Action {
	if name == "live" || name == "outage" || name == "kept" {
		return append([]Action{Record{false}}, then...)
	}
	return then
}

func ended(s State) State { return State{Phase: Stopping, Generation: s.Generation + 1} }

func TestStepOn(t *testing.T) {
	steps(t, On{}, []row{
		{"ready", ready, started(ready), []Action{Open{5}}},
		{"paused", paused, live, []Action{Record{true}, Blank{false}, CueLive}},
		{"stopping", stopping, wishing, nil},
		{"keeping", keeping, started(keeping).but(func(s *State) { s.Generation = 5 }), []Action{Join{}}},
		{"kept", kept, started(kept).but(func(s *State) { s.Opened = true }), []Action{Record{false}, Join{}, Dial{6}}},
		{"closing", closing, wishing, nil},
		{"again", again, wishing, nil},
		{"next", next, wishing, nil},
		{"paused while dialling", dialling.but(muted), dialling, []Action{Blank{false}}},
		{"paused while opening", opening.but(muted), opening, []Action{Blank{false}}},
		{"paused in an outage", outage.but(muted), outage.but(func(s *State) { s.Told, s.PoorAt = "", 0 }), []Action{Record{true}, Blank{false}}},
		{"paused in a fault", faulty.but(muted), faulty.but(told("")), []Action{Blank{false}}},
	})
}

func TestStepMute(t *testing.T) {
	steps(t, Mute{}, []row{
		{"live", live, paused, []Action{Record{false}, Blank{true}, CuePaused}},
		{"outage", outage, outage.but(muted), []Action{Record{false}, Blank{true}, CuePaused}},
		{"opening", opening, opening.but(muted), []Action{Blank{true}, CuePaused}},
		{"fault", faulty, faulty.but(muted), []Action{Blank{true}, CuePaused}},
		{"dialling", dialling, dialling.but(muted), []Action{Blank{true}, CuePaused}},
		{"refused", refused, refused.but(muted), []Action{Blank{true}, CuePaused}},
	})
}

func TestStepEnd(t *testing.T) {
	for _, reason := range []Reason{ByAdvisor, TooLong, NoViewer, EndOfFile, Shutdown, NoCharge} {
		t.Run(string(reason), func(t *testing.T) {
			quit := func(s *State) { s.Quitting = reason == Shutdown }
			var rows []row
			for _, name := range []string{"opening", "fault", "dialling", "refused", "live", "paused", "outage"} {
				s := everything[name]
				rows = append(rows, row{name, s, ended(s).but(quit), ending(name, HangUp{reason}, reason.cue())})
			}
			if reason.forbids() || reason == EndOfFile {
				rows = append(rows,
					row{"keeping", keeping, closing.but(quit), []Action{Close{}}},
					row{"kept", kept, closing.but(quit), ending("kept", Close{})})
			}
			if reason.forbids() {
				rows = append(rows, row{"again", again, closing.but(quit), nil}, row{"next", next, stopping.but(quit), nil})
			}
			if reason == Shutdown {
				rows = append(rows, row{"closing", closing, quitting, nil})
				for i := range rows {
					if to := &rows[i].to; to.Closing { // then the phase says so
						to.Phase, to.Closing = Stopping, false
					}
				}
				rows = append(rows,
					row{"ready", ready, ready.but(func(s *State) { s.Phase, s.Quitting = Off, true }), []Action{Quit{}}},
					row{"stopping", stopping, quitting, nil})
			}
			if reason != EndOfFile { // which is about the conversation that ends already
				rows = append(rows, row{"wishing", wishing, stopping.but(quit), nil})
			}
			steps(t, End{reason}, rows)
		})
	}
}

func TestStepHung(t *testing.T) {
	steps(t, Hung{}, []row{
		{"stopping", stopping, State{Phase: Ready, Generation: 6}, nil},
		{"wishing", wishing, started(wishing), []Action{Open{7}}},
		{"closing", closing, State{Phase: Ready, Generation: 6}, nil},
		{"again", again, keeping.but(func(s *State) { s.Generation = 7 }), []Action{Open{7}}},
		{"next", next, keeping.but(func(s *State) { s.Generation = 7 }), []Action{Open{7}}},
		{"quitting", quitting, State{Phase: Off, Quitting: true, Generation: 6}, []Action{Quit{}}},
	})
}

// Who needs pictures gets them where there is no conversation, and is heard in no
// other phase.
func TestStepKeep(t *testing.T) {
	steps(t, Keep{true}, []row{
		{"ready", ready, keeping, []Action{Open{5}}},
		{"closing", closing, again, nil},
		{"stopping", stopping, next, nil},
		{"an empty battery", ready.but(func(s *State) { s.Battery = empty }), ready.but(func(s *State) { s.Battery = empty }), nil},
	})
	steps(t, Keep{false}, []row{
		{"keeping", keeping, closing, []Action{Close{}}},
		{"kept", kept, closing, []Action{Record{false}, Close{}}},
		{"again", again, closing, nil},
		{"next", next, stopping, nil},
	})
}

func TestStepReports(t *testing.T) {
	retry := now + time.Second
	tests := []struct {
		name  string
		event Event
		row
	}{
		{"opened", Opened{5}, row{from: opening, to: dialling, does: []Action{Dial{5}}}},
		{"opened after a fault", Opened{5}, row{from: opening.but(func(s *State) { s.Phase = Fault }), to: dialling, does: []Action{Dial{5}}}},
		{"opened for the Tap alone", Opened{5}, row{from: keeping, to: kept, does: []Action{Record{true}}}},
		{"failed for the Tap alone", Failed{5, time.Second}, row{from: keeping, to: closing, does: []Action{Close{}}}},
		{"failed", Failed{5, time.Second}, row{from: opening, to: opening.but(func(s *State) { s.Phase, s.RetryAt, s.Told = Fault, retry, CueRefused }), does: []Action{CueRefused}}},
		{"connected", Connected{5}, row{from: dialling, to: live, does: []Action{Record{true}, Attach{}, CueLive}}},
		{"connected for a pause", Connected{5}, row{from: dialling.but(muted), to: paused, does: []Action{Attach{}}}},
		{"connected again", Connected{5}, row{from: outage, to: live.but(func(s *State) { s.PoorAt = t0 }), does: []Action{Attach{}, CueLive}}},
		{"connected again in a pause", Connected{5}, row{from: outage.but(muted), to: paused.but(func(s *State) { s.PoorAt = t0 }), does: []Action{Attach{}}}},
		{"not there", Refused{5, time.Second, true}, row{from: dialling, to: dialling.but(poor).but(func(s *State) { s.RetryAt, s.Away = retry, true }), does: []Action{CuePoorNetwork}}},
		{"refused after it was not there", Refused{5, time.Second, false}, row{from: dialling.but(away).but(poor), to: dialling.but(away).but(poor).but(func(s *State) { s.RetryAt = retry })}},
		{"back", Connected{5}, row{from: dialling.but(away), to: live.but(func(s *State) { s.DownSince = now }), does: []Action{Record{true}, Attach{}, CueLive}}},
		{"refused", Refused{5, time.Second, false}, row{from: dialling, to: dialling.but(told(CueRefused)).but(func(s *State) { s.RetryAt = retry }), does: []Action{CueRefused}}},
		{"lost", Lost{5, 0}, row{from: live, to: dialling.but(reached).but(poor).but(func(s *State) { s.Generation, s.DownSince = 6, now }), does: []Action{Detach{}, Dial{6}, CuePoorNetwork}}},
		{"lost in a pause", Lost{5, 0}, row{from: paused, to: dialling.but(reached).but(muted).but(func(s *State) { s.Generation, s.DownSince = 6, now }), does: []Action{Detach{}, Dial{6}}}},
		{"lost soon", Lost{5, time.Second}, row{from: live, to: dialling.but(reached).but(poor).but(func(s *State) { s.Generation, s.RetryAt = 6, retry }), does: []Action{Detach{}, CuePoorNetwork}}},
		{"alone", Watched{5, 0}, row{from: live, to: live.but(func(s *State) { s.AloneFrom = now })}},
		{"still alone", Watched{5, 0}, row{from: live.but(func(s *State) { s.AloneFrom = t0 }), to: live.but(func(s *State) { s.AloneFrom = t0 })}},
		{"watched", Watched{5, 2}, row{from: live.but(func(s *State) { s.AloneFrom, s.Warned = t0, NoViewer }), to: live}},
		{"watched and warned of the other", Watched{5, 1}, row{from: live.but(func(s *State) { s.Warned = TooLong }), to: live.but(func(s *State) { s.Warned = TooLong })}},
		{"lost while alone", Lost{5, 0}, row{from: live.but(func(s *State) { s.AloneFrom, s.Warned = t0, NoViewer }), to: dialling.but(reached).but(poor).but(func(s *State) { s.Generation, s.DownSince = 6, now }), does: []Action{Detach{}, Dial{6}, CuePoorNetwork}}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) { step(t, test.event, now, test.row) })
	}
}

// What an attempt reports that was given up changes nothing, in no phase.
func TestStepStale(t *testing.T) {
	for name, s := range everything {
		for _, g := range []Generation{s.Generation - 1, s.Generation + 1} {
			for _, e := range []Event{Opened{g}, Failed{g, 0}, Connected{g}, Refused{g, 0, false}, Lost{g, 0}, Watched{g, 0}, Strain{g, true}, Freeze{g, true}} {
				step(t, e, now, row{name: name, from: s, to: s})
			}
		}
	}
}

// The conversation's own last reports come after its end, when the advisor may
// wish for the next one already.
func TestStepStaleWhileStopping(t *testing.T) {
	for _, e := range []Event{Opened{5}, Failed{5, 0}, Connected{5}, Refused{5, 0, false}, Lost{5, 0}, Watched{5, 0}, Strain{5, true}, Freeze{5, true}} {
		s, _ := Step(live, End{ByAdvisor}, now, testLimits)
		s, _ = Step(s, On{}, now, testLimits)
		step(t, e, now, row{from: s, to: s})
	}
}

func TestStepTick(t *testing.T) {
	alone := live.but(func(s *State) { s.AloneFrom = t0 + time.Minute })
	warned := func(s State, of Reason) State { return s.but(func(s *State) { s.Warned = of }) }
	end := t0 + testLimits.MaxLive
	left := t0 + time.Minute + testLimits.NoViewer
	tests := []struct {
		name string
		at   time.Duration
		row
	}{
		{"open again", faulty.RetryAt, row{from: faulty, to: faulty.but(func(s *State) { s.Generation, s.RetryAt = 6, 0 }), does: []Action{Open{6}}}},
		{"dial again", refused.RetryAt, row{from: refused, to: dialling.but(told(CueRefused)).but(func(s *State) { s.Generation = 6 }), does: []Action{Dial{6}}}},
		{"not yet", refused.RetryAt - 1, row{from: refused, to: refused}},
		{"warn", end - testLimits.Warn, row{from: live, to: warned(live, TooLong), does: []Action{Warn{TooLong, testLimits.Warn}, CueEnding}}},
		{"warn late", end - time.Second, row{from: live, to: warned(live, TooLong), does: []Action{Warn{TooLong, time.Second}, CueEnding}}},
		{"warn once", end - time.Second, row{from: warned(live, TooLong), to: warned(live, TooLong)}},
		{"too long", end, row{from: warned(live, TooLong), to: ended(live), does: ending("live", HangUp{TooLong}, CueEndedItself)}},
		{"too long, unwarned", end + time.Hour, row{from: live, to: ended(live), does: ending("live", HangUp{TooLong}, CueEndedItself)}},
		{"too long in a pause", end, row{from: paused, to: ended(paused), does: []Action{HangUp{TooLong}, CueEndedItself}}},
		{"too long unreached", end, row{from: refused, to: ended(refused), does: []Action{HangUp{TooLong}, CueEndedItself}}},
		{"too long in a fault", end, row{from: faulty, to: ended(faulty), does: []Action{HangUp{TooLong}, CueEndedItself}}},
		{"alone, warn", left - testLimits.Warn, row{from: alone, to: warned(alone, NoViewer), does: []Action{Warn{NoViewer, testLimits.Warn}, CueEnding}}},
		{"alone, warn once", left - 1, row{from: warned(alone, NoViewer), to: warned(alone, NoViewer)}},
		{"alone too long", left, row{from: warned(alone, NoViewer), to: ended(alone), does: ending("live", HangUp{NoViewer}, CueEndedItself)}},
		{"warn and dial", end - testLimits.Warn, row{from: refused, to: warned(dialling, TooLong).but(told(CueRefused)).but(func(s *State) { s.Generation = 6 }), does: []Action{Warn{TooLong, testLimits.Warn}, CueEnding, Dial{6}}}},
		{"ready", end, row{from: ready, to: ready}},
		{"kept", end, row{from: kept, to: kept}},
		{"stopping", end, row{from: stopping, to: stopping}},
		{"wishing", end, row{from: wishing, to: wishing}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) { step(t, Tick{}, test.at, test.row) })
	}
}

func TestDeadline(t *testing.T) {
	alone := live.but(func(s *State) { s.AloneFrom = t0 + time.Minute })
	end := t0 + testLimits.MaxLive
	tests := []struct {
		name   string
		state  State
		limits Limits
		at     time.Duration
		ok     bool
	}{
		{"ready", ready, testLimits, 0, false},
		{"stopping", stopping, testLimits, 0, false},
		{"wishing", wishing, testLimits, 0, false},
		{"kept", kept, testLimits, 0, false},
		{"live without limits", live, Limits{}, 0, false},
		{"retry without limits", refused, Limits{}, refused.RetryAt, true},
		{"retry", refused, testLimits, refused.RetryAt, true},
		{"warning", live, testLimits, end - testLimits.Warn, true},
		{"end", live.but(func(s *State) { s.Warned = TooLong }), testLimits, end, true},
		{"end without warning", live, Limits{MaxLive: time.Minute}, t0 + time.Minute, true},
		{"alone", alone, testLimits, t0 + 9*time.Minute, true},
		{"alone, warned", alone.but(func(s *State) { s.Warned = NoViewer }), testLimits, t0 + 11*time.Minute, true},
		{"retry after the end", refused.but(func(s *State) { s.RetryAt = end + 1; s.Warned = TooLong }), testLimits, end, true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if at, ok := test.state.Deadline(test.limits); ok != test.ok || ok && at != test.at {
				t.Errorf("got %v, %v, want %v, %v", at, ok, test.at, test.ok)
			}
		})
	}
}

// steps checks the rows of an event, and that it changes nothing elsewhere.
func steps(t *testing.T, e Event, rows []row) {
	t.Helper()
	covered := map[string]bool{}
	for _, r := range rows {
		covered[r.name] = true
		t.Run(r.name, func(t *testing.T) { step(t, e, now, r) })
	}
	for name, s := range everything {
		if !covered[name] {
			t.Run(name, func(t *testing.T) { step(t, e, now, row{from: s, to: s}) })
		}
	}
}

func step(t *testing.T, e Event, at time.Duration, r row) {
	t.Helper()
	to, does := Step(r.from, e, at, testLimits)
	if to != r.to {
		t.Errorf("%#v in %+v: got state\n%+v, want\n%+v", e, r.from, to, r.to)
	}
	if !reflect.DeepEqual(does, r.does) {
		t.Errorf("%#v in %+v: got actions %#v, want %#v", e, r.from, does, r.does)
	}
}
