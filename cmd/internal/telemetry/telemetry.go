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

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/bril-edge/bril/cmd/internal/control"
	"github.com/bril-edge/bril/cmd/internal/session"
)

// SchemaVersion counts the incompatible changes of Snapshot.
const SchemaVersion = 1

// lookEvery is between two looks at the status. Live is counted to that, too.
const lookEvery = 10 * time.Second

// Telemetry is a daemon's, over all its agents. Its methods may be called concurrently.
type Telemetry struct {
	registry      *prometheus.Registry
	conversations prometheus.Counter
	live          prometheus.Counter
	reconnects    prometheus.Counter
	frames        prometheus.Counter
	dropped       *prometheus.CounterVec
	temperature   prometheus.Histogram
	rate          prometheus.Histogram
	trip          prometheus.Histogram

	mu      sync.Mutex
	off     bool
	phase   session.Phase
	since   time.Time // of which live has been counted; zero while it is not
	talking bool
	before  control.Video // as the last look had it
	sums    sums
}

// sums are what a Snapshot has of the counters.
type sums struct {
	conversations, reconnects, frames uint64
	live                              time.Duration
	dropped                           map[string]uint64
	celsius                           float64 // the highest
}

// New returns one that has counted nothing.
func New() *Telemetry {
	t := &Telemetry{registry: prometheus.NewRegistry(), sums: sums{dropped: map[string]uint64{}}}
	counter := func(name, help string) prometheus.Counter {
		c := prometheus.NewCounter(prometheus.CounterOpts{Namespace: "bril", Name: name, Help: help})
		t.registry.MustRegister(c)
		return c
	}
	// The buckets are coarse: an hour's figures describe no room and no person.
	histogram := func(name, help string, buckets ...float64) prometheus.Histogram {
		h := prometheus.NewHistogram(prometheus.HistogramOpts{Namespace: "bril", Name: name, Help: help, Buckets: buckets})
		t.registry.MustRegister(h)
		return h
	}
	t.conversations = counter("conversations_total", "Times that the glasses went live.")
	t.live = counter("live_seconds_total", "Time that the glasses were live or paused.")
	t.reconnects = counter("reconnects_total", "Times that the endpoint was lost while live.")
	t.frames = counter("frames_sent_total", "Pictures that were sent.")
	t.dropped = prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "bril", Name: "frames_dropped_total", Help: "Pictures that were dropped, by stage."}, []string{"stage"})
	t.registry.MustRegister(t.dropped)
	t.temperature = histogram("temperature_celsius", "The board where it is hottest, looked at every 10 s.", 40, 50, 60, 70, 80, 90)
	t.rate = histogram("frame_rate", "Pictures a second while live, looked at every 10 s.", 5, 10, 15, 20, 25, 30)
	t.trip = histogram("round_trip_seconds", "To the endpoint and back while live, looked at every 10 s.", 0.05, 0.1, 0.2, 0.5, 1)
	return t
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
		t.conversations.Inc()
		t.sums.conversations++
	case now == session.Connecting && (t.phase == session.Live || t.phase == session.Paused):
		t.reconnects.Inc()
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
	t.live.Add(at.Sub(t.since).Seconds())
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
	sent := more(t.before.Sent, s.Video.Sent)
	t.frames.Add(float64(sent))
	t.sums.frames += sent
	for stage, n := range s.Video.Dropped {
		lost := more(t.before.Dropped[stage], n)
		t.dropped.WithLabelValues(stage).Add(float64(lost))
		t.sums.dropped[stage] += lost
	}
	t.before = s.Video
	if s.Thermal != nil {
		t.temperature.Observe(s.Thermal.Celsius)
		t.sums.celsius = max(t.sums.celsius, s.Thermal.Celsius)
	}
	if s.State == "live" {
		t.rate.Observe(s.Video.FPS)
		t.trip.Observe(s.Uplink.RTTMS / 1000)
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
	answer := promhttp.HandlerFor(t.registry, promhttp.HandlerOpts{})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		t.mu.Lock()
		off := t.off
		t.mu.Unlock()
		if off {
			http.Error(w, "nothing is counted: telemetry.enabled is false", http.StatusNotFound)
			return
		}
		answer.ServeHTTP(w, r)
	})
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
