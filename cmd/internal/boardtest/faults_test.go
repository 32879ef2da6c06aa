package boardtest

import (
	"strings"
	"testing"
	"time"

	"github.com/bril-edge/bril/cmd/internal/control"
)

// TestCameraFaults has vivid fail in the ways that its controls offer, while live:
// viewers have pictures again within two seconds, in the same conversation, and
// nothing is left over.
func TestCameraFaults(t *testing.T) {
	c := board(t).onCable("auto", "none")
	c.viewer.pictures(30)
	well := func() control.Status {
		return c.until("without a fault", func(s control.Status) bool { return live(s) && len(s.Errors) == 0 })
	}
	before, since := c.left(), well().LiveSince
	for _, fault := range []struct {
		name, controls string
		said           string // by the agent, of what is worth saying
	}{
		{"a fatal error of the stream", "inject_fatal_streaming_error=1", "input/output error"},
		{"a stream that does not start again at once", "inject_vidioc_streamon_error=1,inject_fatal_streaming_error=1", "VIDIOC_STREAMON on /dev/video"},
		{"no buffers at once", "inject_vidioc_reqbufs_error=1,inject_fatal_streaming_error=1", "VIDIOC_REQBUFS on /dev/video"},
		{"a damaged picture", "inject_v4l2_buf_flag_error=1", ""},
		{"half of the pictures lost", "percentage_of_dropped_buffers=50", ""},
	} {
		said, at := len(c.agent.said()), time.Now()
		c.controls(fault.controls)
		c.viewer.pictures(50)
		c.controls("percentage_of_dropped_buffers=0")
		c.returns(fault.name, time.Now())
		gap := c.viewer.gap(at)
		t.Logf("figure: %s, no picture for %v", fault.name, gap.Round(time.Millisecond))
		if gap > backTime {
			t.Errorf("%s: no picture for %v", fault.name, gap)
		}
		if now := c.agent.said()[said:]; !strings.Contains(now, fault.said) {
			t.Errorf("%s: the agent says nothing of it:\n%s", fault.name, now)
		}
		well() // one that fails again and again would wait longer each time
	}
	if now := c.status().LiveSince; !now.Equal(since) {
		t.Errorf("live since %v, then since %v", since, now)
	}
	c.level(before)
}

// controls sets controls of vivid.
func (c *onCable) controls(list string) {
	c.Helper()
	c.run("sh", "-c", "v4l2-ctl -d /dev/$(grep -l ^vivid /sys/class/video4linux/*/name | cut -d/ -f5) -c "+list)
}

// gap is the longest time without a picture since a moment.
func (v *viewer) gap(since time.Time) (longest time.Duration) {
	v.mu.Lock()
	defer v.mu.Unlock()
	last := since
	for _, m := range v.moments {
		if m.at.After(since) {
			longest, last = max(longest, m.at.Sub(last)), m.at
		}
	}
	return longest
}
