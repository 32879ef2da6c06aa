package e2e

import (
	"fmt"
	"math"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/bril-edge/bril/capture"
	"github.com/bril-edge/bril/cmd/internal/control"
	"github.com/bril-edge/bril/cmd/internal/showroom/rtctest"
	"github.com/bril-edge/bril/encoder"
	"github.com/bril-edge/bril/encoder/opus"
	"github.com/bril-edge/bril/hardware/speaker/speakertest"
)

// bursts is 0.2 s of tone in each second, as packets of 10 ms.
func bursts(t *testing.T, seconds int) (packets [][]byte) {
	t.Helper()
	e, err := opus.New(opus.Config{BitRate: 32_000}, func(p encoder.Packet) error {
		packets = append(packets, slices.Clone(p.Data))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	samples := make([]int16, capture.ChunkSamples)
	for i := range seconds * 100 {
		clear(samples)
		for j := range samples {
			if i%100 < 20 {
				samples[j] = int16(12_000 * math.Sin(2*math.Pi*800*float64(i*len(samples)+j)/capture.SampleRate))
			}
		}
		if err := e.Encode(capture.Sound{Format: capture.PCM16, Samples: samples}); err != nil {
			t.Fatal(err)
		}
	}
	return packets
}

// talk sends packets of 10 ms in time, and returns when each burst began.
func talk(mouth *rtctest.Publisher, packets [][]byte, after int) (began []time.Time) {
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for i, p := range packets {
		if i%100 == 0 {
			began = append(began, time.Now())
		}
		n := after + i
		mouth.SendAudio(uint16(n), uint32(n)*capture.ChunkSamples, p)
		<-ticker.C
	}
	return began
}

// onsets are when something was heard after silence.
func onsets(heard []speakertest.Chunk) (at []time.Time) {
	quiet := 100
	for _, chunk := range heard {
		i := slices.IndexFunc(chunk.Samples, func(x int16) bool { return x > 2000 || x < -2000 })
		if i < 0 {
			quiet++
			continue
		}
		if quiet > 20 {
			at = append(at, chunk.At.Add(time.Duration(i)*time.Second/capture.SampleRate))
		}
		quiet = 0
	}
	return at
}

// TestTalkback has a customer heard at a sound card, by the real programs: in time,
// again after a pause of the advisor, and not while muted.
func TestTalkback(t *testing.T) {
	card := speakertest.New(t)
	e := startEndpoint(t)
	a := startAgent(t, e.url("/whip/demo"), append(configured(t, "cues: {device: none}\ntalkback: {device: \""+speakertest.Device+"\"}"),
		"--camera", "pattern", "--microphone", "tone", "--live")...)
	a.waitLive()
	silent := a.wait("silent", func(s control.Status) bool { return s.Talkback != nil && s.Talkback.State == "silent" })
	if silent.Talkback.URL != e.url("/hear/demo") {
		t.Errorf("listens at %s", silent.Talkback.URL)
	}
	mouth := rtctest.NewPublisher(t, rtctest.Options{SoundOnly: true})
	mouth.Connect(e.url("/talk/demo"), "")
	if s := a.wait("hearing or without ALSA", func(s control.Status) bool {
		return s.Talkback.State == "hearing" || s.Talkback.State == "deaf"
	}); s.Talkback.State == "deaf" {
		missing(t, fmt.Sprint("a sound output, ", s.Warnings), "apt-get install libasound2")
	}
	packets := bursts(t, 10)
	began := talk(mouth, packets, 0)
	s := a.status()
	var delays []time.Duration
	for _, at := range onsets(card.Heard(t)) {
		for _, b := range began {
			if d := at.Sub(b); d > 0 && d < 900*time.Millisecond {
				delays = append(delays, d)
			}
		}
	}
	if len(delays) < 7 {
		t.Fatalf("of %d bursts %d were heard: %+v", len(began), len(delays), *s.Talkback)
	}
	slices.Sort(delays)
	t.Logf("figure: mouth to ear through the endpoint p50 %v, p95 %v; %+v",
		delays[len(delays)/2], delays[len(delays)*95/100], *s.Talkback)

	if muted, err := a.client.Mute(t.Context(), true); err != nil || !muted.Muted {
		t.Fatal(muted, err)
	}
	if _, err := a.client.Live(t.Context(), control.Pause); err != nil {
		t.Fatal(err)
	}
	before := len(card.Heard(t))
	talk(mouth, packets[:200], len(packets))
	if n := len(onsets(card.Heard(t)[before+10:])); n > 0 {
		t.Errorf("%d bursts were heard while muted", n)
	}
	if _, err := a.client.Mute(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	before = len(card.Heard(t))
	talk(mouth, packets[:200], len(packets)+200)
	if n := len(onsets(card.Heard(t)[before:])); n == 0 {
		t.Error("nothing was heard while the advisor had paused")
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodDelete, mouth.Location, nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	a.wait("silent again", func(s control.Status) bool { return s.Talkback.State == "silent" })
	if _, err := a.client.Live(t.Context(), control.Off); err != nil {
		t.Fatal(err)
	}
	a.wait("off", func(s control.Status) bool { return s.Talkback.State == "off" })
}
