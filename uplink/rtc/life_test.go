package rtc

import (
	"context"
	"errors"
	"io"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/webrtc/v4"

	"github.com/bril-edge/bril/encoder"
	"github.com/bril-edge/bril/hardware/monotonic"
	"github.com/bril-edge/bril/uplink/whip"
)

// awaitLost waits for the end of a connection and returns why.
func awaitLost(t *testing.T, p *Publisher) error {
	t.Helper()
	select {
	case <-p.Lost():
		return p.Err()
	case <-time.After(10 * time.Second):
		t.Fatal("not noticed within 10 s")
		return nil
	}
}

// live sends a picture and waits until the endpoint has it.
func live(t *testing.T, e *endpoint, p *Publisher) (ssrc uint32) {
	t.Helper()
	if err := p.WriteVideo(encoder.AccessUnit{Data: picture(10, 9), PTS: monotonic.Now()}); err != nil {
		t.Fatal(err)
	}
	return e.next(payloadVideo).SSRC
}

func TestEndpointSaysGoodbye(t *testing.T) {
	checkLeaks(t)
	e := newEndpoint(t)
	p := mustDial(t, e, both)
	live(t, e, p)
	start := time.Now()
	e.peer.Close()
	err := awaitLost(t, p)
	if !errors.Is(err, ErrLost) || !strings.Contains(err.Error(), "closed by the endpoint") {
		t.Errorf("got %v", err)
	}
	if took := time.Since(start); took > time.Second {
		t.Errorf("noticed after %v", took)
	}
	if err := p.WriteVideo(encoder.AccessUnit{Data: picture(10, 9), PTS: monotonic.Now()}); !errors.Is(err, ErrLost) {
		t.Errorf("write: %v", err)
	}
	if err := p.WriteAudio(encoder.Packet{Data: []byte{1}, PTS: monotonic.Now()}); !errors.Is(err, ErrLost) {
		t.Errorf("write: %v", err)
	}
	p.state.lose(errors.New("again"))
	if again := p.Err(); again != err {
		t.Errorf("the reason changed to %v", again)
	}
}

func TestCloseTwice(t *testing.T) {
	checkLeaks(t)
	e := newEndpoint(t)
	p := mustDial(t, e, both)
	var together sync.WaitGroup
	for range 3 {
		together.Go(func() {
			if err := p.Close(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	together.Wait()
	e.awaitDelete()
	if err := p.Err(); !errors.Is(err, ErrLost) || !strings.Contains(err.Error(), "on this side") {
		t.Errorf("got %v", err)
	}
	if err := p.NetworkChanged(t.Context()); err != nil {
		t.Errorf("network change after the end: %v", err)
	}
}

func TestFiftyConnectionsLeaveNothing(t *testing.T) {
	checkLeaks(t)
	e := newEndpoint(t)
	for range 50 {
		p := mustDial(t, e, both)
		if err := p.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		e.awaitDelete()
		e.hangUp()
	}
}

// What a callback does while Close runs must not hold it up.
func TestCloseWhileCallbacksRun(t *testing.T) {
	checkLeaks(t)
	e := newEndpoint(t)
	var called atomic.Uint64
	cfg := both
	cfg.KeyFrame = func() { called.Add(1); runtime.Gosched() }
	cfg.Estimate = func(Estimate) { called.Add(1); runtime.Gosched() }
	p := mustDial(t, e, cfg)
	ssrc := live(t, e, p)
	stop := make(chan struct{})
	var flood sync.WaitGroup
	flood.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				_ = e.peer.WriteRTCP([]rtcp.Packet{
					&rtcp.PictureLossIndication{MediaSSRC: ssrc},
					&rtcp.ReceiverEstimatedMaximumBitrate{Bitrate: 1e6, SSRCs: []uint32{ssrc}},
				})
			}
		}
	})
	flood.Go(func() {
		for p.WriteVideo(encoder.AccessUnit{Data: picture(5000, 9), PTS: monotonic.Now()}) == nil {
			runtime.Gosched()
		}
	})
	for called.Load() < 100 {
		runtime.Gosched()
	}
	if err := p.Close(t.Context()); err != nil {
		t.Error(err)
	}
	last := called.Load()
	close(stop)
	flood.Wait()
	if now := called.Load(); now != last {
		t.Errorf("%d calls after Close", now-last)
	}
}

// The farewell has 2 s, however long the endpoint takes.
func TestCloseOfAnEndpointThatHangs(t *testing.T) {
	checkLeaks(t)
	e := newEndpoint(t)
	release := make(chan struct{})
	e.onDelete = func() { <-release }
	p := mustDial(t, e, both)
	start := time.Now()
	err := p.Close(t.Context())
	if took := time.Since(start); err == nil || took < deleteTime || took > deleteTime+time.Second {
		t.Errorf("closed after %v with %v", took, err)
	}
	close(release)
}

// However far Dial has come when its context ends, nothing stays behind: here,
// or at an endpoint that has accepted.
func TestDialCancelled(t *testing.T) {
	type step func(e *endpoint, cancel context.CancelFunc)
	cases := []struct {
		name     string
		at       step
		accepted bool
	}{
		{"before", func(_ *endpoint, cancel context.CancelFunc) { cancel() }, false},
		{"while the offer is read", func(e *endpoint, cancel context.CancelFunc) {
			e.onOffer = func() { cancel(); <-e.t.Context().Done() }
		}, false},
		{"while it is being answered", func(e *endpoint, cancel context.CancelFunc) {
			e.onAnswer = func(w http.ResponseWriter, answer string) {
				io.WriteString(w, answer[:len(answer)/2])
				_ = http.NewResponseController(w).Flush()
				<-e.t.Context().Done()
			}
			e.transport = cancelling{&http.Transport{}, cancel}
		}, true},
		{"while candidates are sent", func(e *endpoint, cancel context.CancelFunc) {
			e.edit = withoutCandidates
			e.onPatch = cancel
		}, true},
		{"while ICE looks", func(e *endpoint, cancel context.CancelFunc) {
			e.edit = func(answer string) string {
				time.AfterFunc(200*time.Millisecond, cancel)
				return strings.ReplaceAll(withoutCandidates(answer), "a=ice-pwd:", "a=ice-pwd:another")
			}
		}, true},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			checkLeaks(t)
			e := newEndpoint(t)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			c.at(e, cancel)
			client := newClient(t, e)
			p, err := Dial(ctx, client, Config{Video: both.Video, Audio: true, Loopback: true})
			if err == nil || p != nil {
				t.Fatalf("%v, %v", p, err)
			}
			if !errors.Is(err, context.Canceled) {
				t.Errorf("got %v", err)
			}
			if c.accepted {
				e.awaitDelete()
			}
		})
	}
}

// cancelling ends a context once the head of an answer is there.
type cancelling struct {
	*http.Transport
	cancel context.CancelFunc
}

func (c cancelling) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := c.Transport.RoundTrip(r)
	c.cancel()
	return res, err
}

func withoutCandidates(answer string) string {
	var b strings.Builder
	for line := range strings.Lines(answer) {
		if !strings.HasPrefix(line, "a=candidate") {
			b.WriteString(line)
		}
	}
	return b.String()
}

func TestOfferWithoutTracks(t *testing.T) {
	checkLeaks(t)
	e := newEndpoint(t)
	for name, cfg := range map[string]Config{
		"picture only": {Video: both.Video},
		"sound only":   {Audio: true},
	} {
		t.Run(name, func(t *testing.T) {
			p := mustDial(t, e, cfg)
			if err := p.WriteVideo(encoder.AccessUnit{Data: picture(10, 9), PTS: monotonic.Now()}); err != nil {
				t.Error(err)
			}
			if err := p.WriteAudio(encoder.Packet{Data: []byte{1}, PTS: monotonic.Now(), Length: 20 * time.Millisecond}); err != nil {
				t.Error(err)
			}
			want := webrtc.PayloadType(payloadVideo)
			if cfg.Audio {
				want = payloadAudio
			}
			e.next(want)
			if s := p.Stats(); s.Packets == 0 {
				t.Errorf("%+v", s)
			}
			p.Close(t.Context())
			e.awaitDelete()
			e.hangUp()
		})
	}
}

func newClient(t testing.TB, e *endpoint) *whip.Client {
	t.Helper()
	client, err := whip.New(whip.Config{URL: e.server.URL + "/whip/demo", Transport: e.transport})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return client
}
