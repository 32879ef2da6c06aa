// Package telemetry counts what the glasses do: how often and for how long they are
// live, what gets lost, and how warm they are. It keeps sums and coarse histograms since
// the daemon's start and nothing else: no name, no address, no identifier, and of no
// event when it was, so that nothing in it leads to an advisor or a customer. Two
// boards' figures cannot be told apart by anything but what they did.
package telemetry

import (
	"context"
	"encoding/json"
	"net/http"
	"sync"
	"time"

	"github.com/bril-edge/bril/cmd/internal/control"
	"github.com/bril-edge/bril/cmd/internal/session"
)

// SchemaVersion counts the incompatible changes of Snapshot.
const SchemaVersion = 1

// lookEvery is between two looks at the status. Live is counted to that, too.
const lookEvery = 10 * time.Second

// Telemetry is a daemon's, over all its agents. Its methods may be called concurrently.
type Telemetry struct {
	mu      sync.Mutex
	off     bool
	phase   session.Phase
	since   time.Time // of which live has been counted; zero while it is not
	talking bool
	before  control.Video // as the last look had it
	sums    sums
}

// sums are since the daemon's start.
type sums struct {
	conversations, reconnects, frames uint64
	live                              time.Duration
	dropped                           map[string]uint64 // by stage
	celsius                           float64           // the highest
	// The buckets are coarse: an hour's figures describe no room and no person.
	temperature, rate, trip histogram
}

// New returns one that has counted nothing.
func New() *Telemetry {
	return &Telemetry{sums: sums{
		dropped:     map[string]uint64{},
		temperature: newHistogram(40, 50, 60, 70, 80, 90),
		rate:        newHistogram(5, 10, 15, 20, 25, 30),
		trip:        newHistogram(0.05, 0.1, 0.2, 0.5, 1),
	}}
}

// On has it count, or not: then nothing is told either, and what was counted before is
// told again once it is on.
func (t *Telemetry) On(on bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.off, t.since = !on, time.Time{}
}

// Phase hears of each new phase of the session.
func (t *Telemetry) Phase(now session.Phase) { t.enter(now, time.Now()) }

func (t *Telemetry) enter(now session.Phase, at time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.off {
		t.phase = now
		return
	}
	t.count(at)
	live := now == session.Live || now == session.Paused
	switch {
	case live && !t.talking:
		t.talking = true
		t.sums.conversations++
	case now == session.Connecting && (t.phase == session.Live || t.phase == session.Paused):
		t.sums.reconnects++
	case now == session.Ready || now == session.Off:
		t.talking = false
	}
	t.phase, t.since = now, time.Time{}
	if live {
		t.since = at
	}
}

// count adds the time that has been live since it was added last.
func (t *Telemetry) count(at time.Time) {
	if t.since.IsZero() || at.Before(t.since) {
		return
	}
	t.sums.live += at.Sub(t.since)
	t.since = at
}

// look takes what a status tells. Its counters begin anew with each agent.
func (t *Telemetry) look(s control.Status, at time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.off {
		t.before = s.Video
		return
	}
	t.count(at)
	t.sums.frames += more(t.before.Sent, s.Video.Sent)
	for stage, n := range s.Video.Dropped {
		t.sums.dropped[stage] += more(t.before.Dropped[stage], n)
	}
	t.before = s.Video
	if s.Thermal != nil {
		t.sums.temperature.observe(s.Thermal.Celsius)
		t.sums.celsius = max(t.sums.celsius, s.Thermal.Celsius)
	}
	if s.State == "live" {
		t.sums.rate.observe(s.Video.FPS)
		t.sums.trip.observe(s.Uplink.RTTMS / 1000)
	}
}

// more is how far a counter went on, which may have begun anew.
func more(before, now uint64) uint64 {
	if now < before {
		return now
	}
	return now - before
}

// Run looks at the status now and then, where there is one, until ctx ends.
func (t *Telemetry) Run(ctx context.Context, status func() (s control.Status, ok bool)) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case at := <-tick.C:
			if s, ok := status(); ok {
				t.look(s, at)
			}
		case <-ctx.Done():
			return
		}
	}
}

// Handler answers with the metrics as Prometheus reads them; 404 while nothing is
// counted.
func (t *Telemetry) Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		text := t.exposed()
		if text == nil {
			http.Error(w, "nothing is counted: telemetry.enabled is false", http.StatusNotFound)
			return
		}
		w.Header().Set("Content-Type", expositionType)
		_, _ = w.Write(text) // who asked has gone
	})
}

func (t *Telemetry) exposed() []byte {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.off {
		return nil
	}
	t.count(time.Now())
	var e exposition
	e.counter("conversations_total", "Times that the glasses went live.", float64(t.sums.conversations))
	e.counter("live_seconds_total", "Time that the glasses were live or paused.", t.sums.live.Seconds())
	e.counter("reconnects_total", "Times that the endpoint was lost while live.", float64(t.sums.reconnects))
	e.counter("frames_sent_total", "Pictures that were sent.", float64(t.sums.frames))
	e.counters("frames_dropped_total", "Pictures that were dropped, by stage.", "stage", t.sums.dropped)
	e.histogram("temperature_celsius", "The board where it is hottest, looked at every 10 s.", t.sums.temperature)
	e.histogram("frame_rate", "Pictures a second while live, looked at every 10 s.", t.sums.rate)
	e.histogram("round_trip_seconds", "To the endpoint and back while live, looked at every 10 s.", t.sums.trip)
	return e.Bytes()
}

// Snapshot is what is told to the fleet's service, as JSON: sums since the daemon's
// start; nil while nothing is counted.
func (t *Telemetry) Snapshot() []byte {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.off {
		return nil
	}
	t.count(time.Now())
	data, _ := json.Marshal(struct {
		SchemaVersion int               `json:"schema_version"`
		Conversations uint64            `json:"conversations"`
		LiveMinutes   int               `json:"live_minutes"`
		Reconnects    uint64            `json:"reconnects"`
		Frames        uint64            `json:"frames_sent"`
		Dropped       map[string]uint64 `json:"frames_dropped"`
		Hottest       int               `json:"hottest_celsius"` // to the next ten
	}{SchemaVersion, t.sums.conversations, int(t.sums.live.Minutes()), t.sums.reconnects, t.sums.frames, t.sums.dropped, int(t.sums.celsius+9) / 10 * 10}) // numbers can be written
	return data
}
