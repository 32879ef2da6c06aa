package boardtest

import (
	"context"
	"encoding/json"
	"syscall"
	"testing"
	"time"

	"github.com/bril-edge/bril/cmd/internal/control"
	"github.com/bril-edge/bril/cmd/internal/session"
	"github.com/bril-edge/bril/hardware/virtualboard/wire"
)

// disk is a file system of the guest that can be stopped.
const disk = "/tmp/disk"

// TestCueWaitsForTheDisk stops the disk that photos and clips go to: meanwhile the
// stream goes on, but there is no cue and no id. Both come when the disk goes on,
// and the clip begins where it was asked for.
func TestCueWaitsForTheDisk(t *testing.T) {
	r := board(t)
	r.mountDisk()
	c := r.record(recordConfig + "spool: {dir: " + disk + "/spool, quota: 64M}\n")
	r.Cleanup(func() { r.setDisk("--unfreeze") }) // before the agent ends

	c.stopDisk()
	c.press(button1)
	pressed := c.event("button pressed", 1).Time
	stood := c.goesWithout(session.CuePhoto)
	r.setDisk("--unfreeze")
	took, photo := c.heard(session.CuePhoto, 1).Sub(pressed), c.event("photo taken", 1)
	t.Logf("figure: photo on a disk that stood still for %.1f s: choose %.0f, encode %.0f, store %.0f ms", stood.Seconds(),
		photo.Choose.Seconds()*1e3, photo.Encode.Seconds()*1e3, photo.Store.Seconds()*1e3)
	if stages := photo.Choose + photo.Encode + photo.Store; stages < stood*3/4 || took < stages {
		t.Errorf("from the press to the cue %v, %v in all stages, on a disk that stood still for %v", took, stages, stood)
	}

	c.stopDisk()
	start := r.start("bril", "clip", "start", "--json", "--control", socket)
	r.until("a clip begun", func(s status) bool { return !s.Recording.ClipSince.IsZero() })
	stood = c.goesWithout(session.CueClip)
	if id := start.said() + r.status().Recording.Clip; id != "" {
		t.Errorf("on a disk that stands still there is a clip %s", id)
	}
	r.setDisk("--unfreeze")
	begun := result[control.Clip](start)
	clip := result[control.Clip](r.start("bril", "clip", "stop", "--json", "--control", socket))
	t.Logf("figure: clip begun on a disk that stood still for %.1f s: %.1f s with its pre-roll", stood.Seconds(), clip.DurationSeconds)
	if clip.ID != begun.ID || clip.DurationSeconds < (preRoll+stood).Seconds() {
		t.Errorf("%+v has become %+v", begun, clip)
	}
	c.stores(2)
}

// stopDisk makes writers wait.
func (c *recording) stopDisk() {
	c.Helper()
	if result := c.setDisk("--freeze"); result.Code != 0 {
		c.Fatalf("fsfreeze: %s", result.Stderr)
	}
}

// goesWithout checks for two seconds that the stream goes on and that a cue does not
// come. It returns how long that has really been.
func (c *recording) goesWithout(kind session.Cue) time.Duration {
	c.Helper()
	begun := time.Now()
	c.viewer.pictures(30)
	if s := c.status(); !live(s) || len(s.Errors) > 0 {
		c.Errorf("on a disk that stands still: %s, %+v", s.State, s.Errors)
	}
	if cues := c.agent.events("cue " + string(kind)); len(cues) > 0 {
		c.Errorf("on a disk that stands still there is a cue %s", kind)
	}
	return time.Since(begun)
}

// mountDisk makes the file system, until the test ends.
func (r *rig) mountDisk() {
	r.Helper()
	r.run("sh", "-ec", "mkdir -p "+disk+"; truncate -s 64M "+disk+".img; mke2fs -F "+disk+".img >/dev/null; mount -t ext4 -o loop "+disk+".img "+disk)
	r.Cleanup(func() { // when the agent has ended, and the test's context with it
		if result, err := r.guest.Run(context.Background(), "sh", "-c", "umount "+disk+" && rm "+disk+".img"); err != nil || result.Code != 0 {
			r.Errorf("umount %s: %v, %s", disk, err, result.Stderr)
		}
	})
}

// setDisk stops the file system with fsfreeze, or has it go on, also when the test
// ends.
func (r *rig) setDisk(how string) wire.Result {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	result, err := r.guest.Run(ctx, "fsfreeze", how, disk)
	if err != nil {
		r.Errorf("fsfreeze: %v", err)
	}
	return result
}

// result waits for a command to end, and reads what it printed.
func result[T any](d *daemon) (v T) {
	d.r.Helper()
	ctx, cancel := context.WithTimeout(d.r.Context(), patience)
	defer cancel()
	code, err := d.Wait(ctx)
	if err != nil || code != 0 {
		d.stop(syscall.SIGKILL)
		d.r.Fatalf("exit code %d, %v: %s", code, err, d.said())
	}
	if err := json.Unmarshal([]byte(d.said()), &v); err != nil {
		d.r.Fatalf("%v in %q", err, d.said())
	}
	return v
}
