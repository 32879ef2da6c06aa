package telemetry

import (
	"context"
	"encoding/json"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/bril-edge/bril/cmd/internal/control"
	"github.com/bril-edge/bril/cmd/internal/session"
)

// TestADay: two conversations, one of which lost the endpoint, over two agents.
func TestADay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var s control.Status
		change := func(how func()) {
			mu.Lock()
			defer mu.Unlock()
			how()
		}
		m := New()
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			m.Run(ctx, func() (control.Status, bool) {
				mu.Lock()
				defer mu.Unlock()
				return s, true
			})
		}()
		step := func(p session.Phase, d time.Duration) {
			m.Phase(p)
			change(func() { s.State = string(p) })
			time.Sleep(d) // of the bubble
		}
		step(session.Ready, time.Minute)
		step(session.Connecting, time.Second)
		change(func() {
			s.Video = control.Video{Sent: 1000, FPS: 29, Dropped: map[string]uint64{"send": 3}}
			s.Uplink.RTTMS, s.Thermal = 80, &control.Thermal{Celsius: 61.5, Zone: "cpu"}
		})
		step(session.Live, 2*time.Minute)
		step(session.Connecting, time.Second)
		step(session.Live, time.Minute)
		step(session.Paused, time.Minute)
		step(session.Live, time.Minute)
		step(session.Stopping, time.Second)
		change(func() { s.Video = control.Video{Sent: 10, Dropped: map[string]uint64{"send": 1}} }) // another agent
		step(session.Ready, time.Minute)
		step(session.Connecting, time.Second)
		step(session.Live, 10*time.Second)
		step(session.Ready, 10*time.Second)
		cancel()
		<-done
		var got struct {
			Conversations, Reconnects uint64
			LiveMinutes               int               `json:"live_minutes"`
			Frames                    uint64            `json:"frames_sent"`
			Dropped                   map[string]uint64 `json:"frames_dropped"`
			Hottest                   int               `json:"hottest_celsius"`
		}
		if err := json.Unmarshal(m.Snapshot(), &got); err != nil {
			t.Fatal(err)
		}
		if got.Conversations != 2 || got.Reconnects != 1 || got.LiveMinutes != 5 || got.Frames != 1010 || got.Dropped["send"] != 4 || got.Hottest != 70 {
			t.Errorf("%+v", got)
		}
		read(t, m)
	})
}

// read reads the metrics as another program does.
func read(t *testing.T, m *Telemetry) {
	t.Helper()
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(w.Body)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]float64{"bril_conversations_total": 2, "bril_reconnects_total": 1, "bril_live_seconds_total": 310, "bril_frames_sent_total": 1010} {
		if f := families[name]; f == nil || f.Metric[0].GetCounter().GetValue() != want {
			t.Errorf("%s: %v, want %g", name, f, want)
		}
	}
	for name, f := range families {
		if f.GetHelp() == "" || !strings.HasPrefix(name, "bril_") {
			t.Errorf("%s has no help", name)
		}
		for _, metric := range f.Metric {
			for _, l := range metric.Label {
				if l.GetName() != "stage" {
					t.Errorf("%s has the label %s", name, l.GetName())
				}
			}
		}
	}
	if f := families["bril_frames_dropped_total"]; f == nil || f.Metric[0].GetCounter().GetValue() != 4 || f.Metric[0].Label[0].GetValue() != "send" {
		t.Errorf("dropped: %v", f)
	}
	h := families["bril_temperature_celsius"].GetMetric()[0].GetHistogram()
	if h.GetSampleCount() == 0 || h.GetSampleSum() != 61.5*float64(h.GetSampleCount()) {
		t.Errorf("temperature: %v", h)
	}
	for _, b := range h.Bucket { // 61.5 is between 60 and 70
		if want := map[bool]uint64{true: h.GetSampleCount()}[b.GetUpperBound() >= 70]; b.GetCumulativeCount() != want {
			t.Errorf("temperature: %v", h)
		}
	}
}

// A value that is a bound is below it, and one that exceeds all is in the last bucket.
func TestHistogram(t *testing.T) {
	h := newHistogram(10, 20)
	for _, v := range []float64{-1, 10, 10.5, 20, 21} {
		h.observe(v)
	}
	if !slices.Equal(h.counts, []uint64{2, 2, 1}) || h.sum != 60.5 {
		t.Errorf("%+v", h)
	}
}

// TestOff: nothing is counted and nothing told.
func TestOff(t *testing.T) {
	m := New()
	m.On(false)
	m.Phase(session.Live)
	m.look(control.Status{Video: control.Video{Sent: 5}}, time.Now())
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	if w.Code != 404 || m.Snapshot() != nil {
		t.Errorf("%d, %s", w.Code, m.Snapshot())
	}
	m.On(true)
	if got := string(m.Snapshot()); !strings.Contains(got, `"conversations":0`) || !strings.Contains(got, `"frames_sent":0`) {
		t.Error(got)
	}
}
