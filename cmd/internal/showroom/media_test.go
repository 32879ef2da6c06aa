package showroom

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"

	"github.com/bril-edge/bril/cmd/internal/showroom/rtctest"
)

const (
	uriMid            = "urn:ietf:params:rtp-hdrext:sdes:mid"
	uriPlayoutDelay   = "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay"
	uriAbsCaptureTime = "http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time"
)

// stream sends a key frame, then other pictures, until the viewer has one of them:
// UDP and the moment of joining make the first few uncertain.
type stream struct {
	t  *testing.T
	p  *rtctest.Publisher
	at uint16
}

func (s *stream) send(payload []byte) {
	s.p.SendVideo(s.at, uint32(s.at)*3000, payload)
	s.at++
}

// until sends a key frame every 5 ms until the viewer has a packet, and returns it.
func (s *stream) until(v *rtctest.Viewer) *rtp.Packet {
	s.t.Helper()
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	deadline := time.After(rtctest.Timeout)
	for {
		select {
		case packet := <-v.Video:
			return packet
		case <-ticker.C:
			s.send(rtctest.KeyFrame)
		case <-deadline:
			s.t.Fatal("no packet reached the viewer")
		}
	}
}

func connectPair(t *testing.T, url string, o rtctest.Options) (*rtctest.Publisher, *rtctest.Viewer) {
	t.Helper()
	p, v := rtctest.NewPublisher(t, o), rtctest.NewViewer(t, o)
	p.Connect(url+"/whip/anna", "")
	connectViewer(t, v, url+"/whep/anna")
	return p, v
}

// connectViewer retries while the publisher is not quite connected at the server.
func connectViewer(t *testing.T, v *rtctest.Viewer, endpoint string) {
	t.Helper()
	offer := v.Offer()
	for deadline := time.Now().Add(rtctest.Timeout); ; {
		status, body := v.Post(endpoint, "", offer)
		if status == http.StatusCreated {
			break
		}
		if status != http.StatusConflict || time.Now().After(deadline) {
			t.Fatalf("POST %s: %d %s", endpoint, status, body)
		}
	}
	v.SetAnswer()
	rtctest.Wait(t, "viewer's connection", v.Connected())
}

func TestPacketsReachTheViewer(t *testing.T) {
	url := startServer(t, Config{})
	begin := time.Now()
	p := rtctest.NewPublisher(t, rtctest.Options{})
	p.Connect(url+"/whip/anna", "")
	t.Logf("publisher connected after %v", time.Since(begin))
	begin = time.Now()
	v := rtctest.NewViewer(t, rtctest.Options{})
	connectViewer(t, v, url+"/whep/anna")
	t.Logf("viewer connected after %v", time.Since(begin))

	s := &stream{t: t, p: p, at: 65530} // across the wrap of the sequence numbers
	first := s.until(v)
	if first.PayloadType != 102 || !first.Marker || string(first.Payload) != string(rtctest.KeyFrame) {
		t.Errorf("got %v", first)
	}
	p.SendAudio(7, 960, []byte{0xfc, 1, 2})
	if got := rtctest.Next(t, "sound", v.Audio); string(got.Payload) != "\xfc\x01\x02" {
		t.Errorf("sound arrived as %v", got)
	}
}

func TestViewerStartsWithAKeyFrame(t *testing.T) {
	url := startServer(t, Config{})
	p, v := connectPair(t, url, rtctest.Options{})
	s := &stream{t: t, p: p}
	for range 20 {
		s.send(rtctest.OtherFrame)
	}
	if first := s.until(v); first.Payload[0]&0x1f != 5 {
		t.Errorf("the first packet was %x", first.Payload)
	}
}

func TestKeyFrameRequestsAreRelayedAndPaced(t *testing.T) {
	url := startServer(t, Config{})
	p, v := connectPair(t, url, rtctest.Options{})
	s := &stream{t: t, p: p}
	s.until(v)
	var times []time.Time
	for range 4 {
		for range 10 {
			v.AskKeyFrame()
		}
		waitPLI(t, p)
		times = append(times, time.Now())
	}
	for i := 1; i < len(times); i++ {
		// The relay's own interval is 300 ms; the clock here starts at arrivals.
		if gap := times[i].Sub(times[i-1]); gap < 200*time.Millisecond {
			t.Errorf("requests %d and %d came %v apart", i, i+1, gap)
		}
	}
}

func waitPLI(t *testing.T, p *rtctest.Publisher) {
	t.Helper()
	for {
		if _, ok := rtctest.Next(t, "key frame request", p.RTCP).(*rtcp.PictureLossIndication); ok {
			return
		}
	}
}

func TestSenderReportsKeepThePublishersClocks(t *testing.T) {
	url := startServer(t, Config{})
	p, v := connectPair(t, url, rtctest.Options{})
	s := &stream{t: t, p: p}
	first := s.until(v)
	_ = first

	// The publisher's wall clock reads 1000 s when its video clock reads 90 million.
	const ntp, timestamp = uint64(1000) << 32, uint32(90_000_000)
	sent := time.Now()
	p.Report(p.VideoSender, ntp, timestamp)
	report := nextReport(t, s, v)
	elapsed := float64(int64(report.NTPTime-ntp)) / (1 << 32)
	if elapsed < -0.001 || elapsed > time.Since(sent).Seconds()+0.001 {
		t.Errorf("the report is %v s after the publisher's, %v s have passed", elapsed, time.Since(sent).Seconds())
	}
	if ticks := float64(int32(report.RTPTime - timestamp)); ticks/90000-elapsed > 0.001 || ticks/90000-elapsed < -0.001 {
		t.Errorf("the clocks of the report are %v s apart", ticks/90000-elapsed)
	}
}

// nextReport keeps the picture going until a sender report reaches the viewer.
func nextReport(t *testing.T, s *stream, v *rtctest.Viewer) *rtcp.SenderReport {
	t.Helper()
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	deadline := time.After(rtctest.Timeout)
	for {
		select {
		case packet := <-v.VideoRTCP:
			if report, ok := packet.(*rtcp.SenderReport); ok {
				return report
			}
		case <-ticker.C:
			s.send(rtctest.KeyFrame)
		case <-deadline:
			t.Fatal("no sender report")
		}
	}
}

func TestANewPublisherContinuesTheStream(t *testing.T) {
	url := startServer(t, Config{})
	p, v := connectPair(t, url, rtctest.Options{})
	s := &stream{t: t, p: p, at: 100}
	last := s.until(v)
	p2 := rtctest.NewPublisher(t, rtctest.Options{})
	p2.Connect(url+"/whip/anna", "")
	for len(v.Video) > 0 {
		last = <-v.Video
	}
	s2 := &stream{t: t, p: p2, at: 30000}
	next := s2.until(v)
	if next.SSRC != last.SSRC {
		t.Errorf("the SSRC changed")
	}
	if gap := next.SequenceNumber - last.SequenceNumber; gap == 0 || gap > 100 {
		t.Errorf("sequence numbers went from %d to %d", last.SequenceNumber, next.SequenceNumber)
	}
	if ahead := int32(next.Timestamp - last.Timestamp); ahead <= 0 || ahead > 90000*10 {
		t.Errorf("timestamps went from %d to %d", last.Timestamp, next.Timestamp)
	}
	answer, _ := request(t, http.MethodDelete, p.Location, "")
	if answer.StatusCode != http.StatusNotFound {
		t.Errorf("the old session answered %d", answer.StatusCode)
	}
}

func TestExtensionsAreRemapped(t *testing.T) {
	url := startServer(t, Config{})
	p := rtctest.NewPublisher(t, rtctest.Options{Extras: []string{uriPlayoutDelay, uriAbsCaptureTime, uriMid}})
	v := rtctest.NewViewer(t, rtctest.Options{Extras: []string{uriMid, uriAbsCaptureTime, uriPlayoutDelay}})
	p.Connect(url+"/whip/anna", "")
	connectViewer(t, v, url+"/whep/anna")
	var delay, capture uint8
	for _, e := range p.VideoSender.GetParameters().HeaderExtensions {
		switch e.URI {
		case uriPlayoutDelay:
			delay = uint8(e.ID)
		case uriAbsCaptureTime:
			capture = uint8(e.ID)
		}
	}
	s := &stream{t: t, p: p, at: 1}
	last := s.until(v).SequenceNumber
	ids := rtctest.Next(t, "extension ids", v.VideoIDs)
	p.SendVideo(s.at, 0, rtctest.OtherFrame,
		rtctest.Extension{ID: delay, Value: []byte{0, 0, 9}}, rtctest.Extension{ID: capture, Value: []byte("12345678")})
	for {
		got := rtctest.Next(t, "packet", v.Video)
		if got.SequenceNumber-last == 0 || got.Payload[0] != rtctest.OtherFrame[0] {
			continue
		}
		if string(got.GetExtension(uint8(ids[uriPlayoutDelay]))) != "\x00\x00\x09" {
			t.Errorf("playout delay is %x", got.GetExtension(uint8(ids[uriPlayoutDelay])))
		}
		if string(got.GetExtension(uint8(ids[uriAbsCaptureTime]))) != "12345678" {
			t.Errorf("capture time is %x", got.GetExtension(uint8(ids[uriAbsCaptureTime])))
		}
		if mid := string(got.GetExtension(uint8(ids[uriMid]))); mid != "0" {
			t.Errorf("mid is %q", mid)
		}
		return
	}
}

func TestStatusCountsViewers(t *testing.T) {
	url := startServer(t, Config{})
	check := func(want sessionAnswer) {
		t.Helper()
		var got sessionAnswer
		for deadline := time.Now().Add(rtctest.Timeout); time.Now().Before(deadline); {
			_, text := request(t, http.MethodGet, url+"/api/sessions/anna", "")
			if err := json.Unmarshal([]byte(text), &got); err != nil {
				t.Fatalf("%v: %s", err, text)
			}
			if got == want {
				return
			}
		}
		t.Errorf("got %+v, want %+v", got, want)
	}
	check(sessionAnswer{1, "waiting", 0})
	p, v := connectPair(t, url, rtctest.Options{})
	check(sessionAnswer{1, "live", 1})
	request(t, http.MethodPut, url+"/api/sessions/anna", `{"state":"paused"}`, "Content-Type", "application/json")
	check(sessionAnswer{1, "paused", 1})
	request(t, http.MethodDelete, v.Location, "")
	check(sessionAnswer{1, "paused", 0})
	if answer, _ := request(t, http.MethodDelete, p.Location, ""); answer.StatusCode != http.StatusOK {
		t.Errorf("DELETE answered %d", answer.StatusCode)
	}
	check(sessionAnswer{1, "waiting", 0})
}
