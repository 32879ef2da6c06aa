package showroom

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/bril-edge/bril/capture/pattern"
	"github.com/bril-edge/bril/encoder"
	"github.com/bril-edge/bril/encoder/openh264"
	"github.com/bril-edge/bril/encoder/opus"
	"github.com/bril-edge/bril/uplink/rtc"
	"github.com/bril-edge/bril/uplink/whip"
)

// agent publishes the test pattern and tone, encoded live, as glasses do.
type agent struct {
	t       *testing.T
	video   *openh264.Encoder
	paused  atomic.Bool // no picture is sent
	current atomic.Pointer[rtc.Publisher]
}

// startAgent captures and encodes until the test ends. Nothing is published yet.
func startAgent(t *testing.T) *agent {
	t.Helper()
	a := &agent{t: t}
	picture, err := pattern.New(pattern.Config{})
	check(t, err)
	tone, err := pattern.NewTone()
	check(t, err)
	a.video, err = openh264.New(openh264.Config{Width: 1280, Height: 720}, a.sendVideo)
	check(t, err)
	sound, err := opus.New(opus.Config{}, a.sendAudio)
	check(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { a.pump(ctx, picture) })
	running.Go(func() {
		for {
			s, err := tone.Next(ctx)
			if err != nil {
				return
			}
			a.note(sound.Encode(s))
		}
	})
	t.Cleanup(func() {
		a.stop()
		cancel()
		running.Wait()
		picture.Close()
		tone.Close()
		a.video.Close()
		sound.Close()
	})
	return a
}

func (a *agent) pump(ctx context.Context, picture *pattern.Pattern) {
	for {
		f, err := picture.Next(ctx)
		if err != nil {
			return
		}
		if a.current.Load() != nil && !a.paused.Load() {
			a.note(a.video.Encode(f))
		}
		f.Release()
	}
}

func (a *agent) note(err error) {
	if err != nil && !errors.Is(err, rtc.ErrLost) && !errors.Is(err, os.ErrClosed) {
		a.t.Errorf("agent: %v", err)
	}
}

func (a *agent) sendVideo(au encoder.AccessUnit) error {
	if p := a.current.Load(); p != nil {
		return p.WriteVideo(au)
	}
	return nil
}

func (a *agent) sendAudio(packet encoder.Packet) error {
	if p := a.current.Load(); p != nil {
		return p.WriteAudio(packet)
	}
	return nil
}

// publish goes live.
func (a *agent) publish(url string) *rtc.Publisher {
	a.t.Helper()
	client, err := whip.New(whip.Config{URL: url})
	check(a.t, err)
	p, err := rtc.Dial(a.t.Context(), client, rtc.Config{
		Video: rtc.VideoConfig{ProfileLevelID: "42c01f"}, Audio: true, Loopback: true, KeyFrame: a.video.ForceKeyFrame,
		Log: slog.New(slog.DiscardHandler),
	})
	check(a.t, err)
	a.t.Cleanup(func() { client.Close() })
	a.video.ForceKeyFrame()
	a.current.Store(p)
	return p
}

// stop ends the session in good order.
func (a *agent) stop() {
	if p := a.current.Swap(nil); p != nil {
		p.Close(context.Background())
	}
}

// vanish stops sending without a word, as glasses do that leave the Wi-Fi. The
// connection itself is closed with the test.
func (a *agent) vanish() {
	if p := a.current.Swap(nil); p != nil {
		a.t.Cleanup(func() { p.Close(context.Background()) })
	}
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
