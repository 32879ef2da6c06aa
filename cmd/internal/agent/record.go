package agent

import (
	"context"
	"path/filepath"
	"time"

	"github.com/bril-edge/bril/capture/clip"
	"github.com/bril-edge/bril/capture/photo"
	"github.com/bril-edge/bril/cmd/internal/control"
	"github.com/bril-edge/bril/cmd/internal/recorder"
	"github.com/bril-edge/bril/cmd/internal/session"
	"github.com/bril-edge/bril/encoder"
	"github.com/bril-edge/bril/uplink/spool"
	"github.com/bril-edge/bril/uplink/spool/audit"
)

// openRecorder makes what takes photos and clips, and opens where they wait.
func (a *Agent) openRecorder() (err error) {
	if a.cloud, err = newCloud(a.cfg, a.opts, &a.clock, a.identity.Origin()); err != nil {
		return err
	}
	if err := a.openSpool(); err != nil {
		return err
	}
	photos := photo.Config{
		Device: a.cfg.Media.Label, Software: "bril " + a.opts.Version,
		Quality: a.cfg.Photo.Quality, Rotation: a.cfg.Camera.Rotation, Log: a.opts.Log,
	}
	a.recorder = recorder.New(recorder.Config{
		Photos: func() (*photo.Taker, error) { return photo.New(photos) },
		Ring: clip.NewRing(clip.Config{
			PreRoll: time.Duration(a.cfg.Clip.PreRoll), KeyFrameEvery: keyFrameEvery,
			BitRate: encoder.BitRate(a.cfg.Video.MaxBitRate), Sound: a.cfg.Clip.Sound,
		}),
		Sound: a.cfg.Clip.Sound,
		Spool: a.spool,
		// The session, which shows the recorder its pictures, is made after it.
		Recordable: func() error { return a.Session.Recordable() },
		Keep: func(ctx context.Context, sound bool) (session.Claim, error) {
			return a.Session.Keep(ctx, sound)
		},

		Recipient: a.cloud.Recipient,
		Session:   a.conversationName,
		MaxClip:   time.Duration(a.cfg.Clip.MaxLength),
		Clock:     a.clock.Now,
		Cue:       a.cue,
		Stored:    a.stored,
		Log:       a.opts.Log,
	})
	if a.cloud.possible() { // else memory and key frames are saved
		a.tap = a.recorder
	}
	return nil
}

func (a *Agent) openSpool() (err error) {
	log, err := audit.Open(filepath.Join(a.opts.StateDir, "audit.log"))
	if err != nil { // photos and clips are worth more than their log
		a.opts.Log.Error("photos and clips are taken without an audit log", "error", err)
		log = nil
	}
	dir := a.cfg.Spool.Dir
	if dir == "" {
		dir = filepath.Join(a.opts.StateDir, "spool")
	}
	if err := a.lockSpool(dir); err != nil {
		return err
	}
	a.spool, err = spool.Open(spool.Config{
		Dir: dir, Quota: int64(a.cfg.Spool.Quota), Retention: time.Duration(a.cfg.Spool.Retention),
		Clock: a.clock.Now, Audit: log, Log: a.opts.Log,
	})
	if err != nil {
		return err
	}
	return a.lockSpool(dir) // which may have been made only now
}

// Photo takes a photo and returns once it is safe.
func (a *Agent) Photo(ctx context.Context, show bool) (control.Photo, error) {
	if err := a.refusedByProvisioning(); err != nil {
		return control.Photo{}, err
	}
	return a.recorder.Photo(ctx, show)
}

// Clip begins a clip or ends it.
func (a *Agent) Clip(ctx context.Context, action control.ClipAction) (control.Clip, error) {
	if action == control.StopClip {
		return a.recorder.StopClip(ctx)
	}
	if err := a.refusedByProvisioning(); err != nil {
		return control.Clip{}, err
	}
	return a.recorder.StartClip(ctx)
}
