package e2e

import (
	"fmt"
	"testing"
	"time"

	"github.com/pion/rtp"
)

const (
	frame30     = time.Second / 30
	keyInterval = 300 * time.Millisecond // between two key frames that were asked for
)

// TestKeyFrameOnRequest measures from a PLI on the wire to the first packet of the
// key frame, for what is encoded here and for what is passed through.
func TestKeyFrameOnRequest(t *testing.T) {
	t.Run("pattern", func(t *testing.T) {
		keyFrames(t, newCloud(t, "42c01f"), "PLI to IDR", "pattern")
	})
	t.Run("mp4", func(t *testing.T) {
		f := makeFilm(t)
		keyFrames(t, newCloud(t, "42c01f"), "PLI to IDR, passed through", "mp4:"+f.mp4)
	})
}

func keyFrames(t *testing.T, c *cloud, what, camera string) {
	a := startAgent(t, c.url, "--camera", camera, "--microphone", "none", "--loop", "--live")
	a.waitLive()
	ask := c.asker()
	c.morePictures(5)
	var took []float64
	for i := range 20 {
		// Not in step with the pictures, and not held back by the one before.
		wait(keyInterval + frame30 + time.Duration(i)*frame30/20)
		_, at := c.nextKey(ask)
		took = append(took, float64(at.Microseconds())/1000)
	}
	report(t, took, what, 2*float64(frame30.Milliseconds()+1))
	if s := a.status(); s.Uplink.PLI != 20 {
		t.Errorf("the agent saw %d PLI of 20", s.Uplink.PLI)
	}
	stormOf(t, c, ask)
}

// nextKey asks and returns the next key frame, and how long its first packet took.
func (w *watcher) nextKey(ask func()) (picture, time.Duration) {
	w.t.Helper()
	before, _, _ := w.seen()
	asked := time.Now()
	ask()
	var key picture
	w.until("a key frame", func(now []picture, _ []*rtp.Packet) bool {
		for _, p := range now[len(before):] {
			if p.key() && p.first.After(asked) {
				key = p
				return true
			}
		}
		return false
	})
	return key, key.first.Sub(asked)
}

// stormOf asks two hundred times in two seconds. It gets a key frame each 300 ms,
// and the first one at once.
func stormOf(t *testing.T, c *cloud, ask func()) {
	t.Helper()
	wait(keyInterval + frame30)
	before, _, _ := c.seen()
	asked := time.Now()
	for i := range 200 {
		wait(time.Until(asked.Add(time.Duration(i) * 10 * time.Millisecond)))
		ask()
	}
	c.morePictures(20) // and what was still owed
	pictures, _, _ := c.seen()
	var keys []uint32
	for _, p := range pictures[len(before):] {
		if p.key() {
			keys = append(keys, p.timestamp)
		}
	}
	gaps := ""
	for i := range keys[1:] {
		// Not by their arrival, which may bunch what left in time.
		gap := time.Duration(keys[i+1]-keys[i]) * time.Second / 90000
		gaps += fmt.Sprintf(" %d", gap.Milliseconds())
		if gap < keyInterval-frame30 {
			t.Errorf("two key frames %v apart", gap)
		}
	}
	t.Logf("200 PLI in 2 s gave %d key frames, ms apart:%s", len(keys), gaps)
	if len(keys) < 4 || len(keys) > 8 {
		t.Errorf("%d key frames", len(keys))
	}
}
