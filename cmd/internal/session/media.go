package session

import (
	"context"
	"errors"
	"io"
	"sync"

	"github.com/bril-edge/bril/capture"
	"github.com/bril-edge/bril/encoder"
)

// media is everything that captures and encodes for one conversation.
type media struct {
	out   *outlet
	video *videoStage // nil when there is to be no picture
	audio *audioStage // nil when there is to be no sound
}

func newMedia(cfg *Config, m *meter, f *faults, r *record, p *pulses, rate encoder.BitRate) *media {
	media := &media{out: newOutlet()}
	if cfg.OpenVideo != nil {
		media.video = &videoStage{stage: newStage("camera", 0, f, &p.camera), cfg: cfg, out: media.out, record: r, meter: m}
		media.video.rate.Store(int64(rate))
		media.video.showNothing()
	}
	if cfg.OpenAudio != nil {
		media.audio = &audioStage{stage: newStage("microphone", capture.ChunkTime, f, &p.microphone), cfg: cfg, out: media.out, record: r}
		media.audio.showName("")
	}
	return media
}

// open opens what there is to be. Without its picture a conversation cannot
// start; without its sound it can, and the sound is tried again. What fails is
// shown here.
func (m *media) open(ctx context.Context) error {
	var wait sync.WaitGroup
	if m.audio != nil && !m.audio.isMuted() {
		wait.Go(func() {
			defer m.audio.pulse.rest()
			if err := m.audio.open(ctx); err != nil && ctx.Err() == nil {
				m.audio.fail(err)
			}
		})
	}
	var err error
	if m.video != nil {
		if err = m.video.open(ctx); err != nil && ctx.Err() == nil {
			m.video.fail(err)
		}
		m.video.pulse.rest()
	}
	wait.Wait()
	if err != nil {
		m.close()
	}
	return err
}

// run sends until ctx ends, or returns io.EOF once every source has ended.
func (m *media) run(ctx context.Context) error {
	var wait sync.WaitGroup
	video, audio := io.EOF, io.EOF // of what there is not
	if m.video != nil {
		wait.Go(func() { video = m.video.run(ctx, modes{m.video.captured, m.video.black, m.video.notice}) })
	}
	if m.audio != nil {
		wait.Go(func() { audio = m.audio.run(ctx, modes{m.audio.captured, m.audio.silent, m.audio.silence}) })
	}
	wait.Wait()
	m.close()
	if errors.Is(video, io.EOF) && errors.Is(audio, io.EOF) {
		return io.EOF
	}
	return nil
}

// mute makes black and silence of both, or takes that back, at once.
func (m *media) mute(on bool) {
	if m.video != nil {
		m.video.mute(on)
	}
	if m.audio != nil {
		m.audio.mute(on)
	}
}

// hear says whether there is to be sound, before a pause can say that, too.
func (m *media) hear(on bool) {
	if m.audio != nil && m.audio.isMuted() == on {
		m.audio.mute(!on)
	}
}

// plugged says which kinds of devices have come.
func (m *media) plugged(camera, microphone bool) {
	if camera && m.video != nil {
		m.video.plugged()
	}
	if microphone && m.audio != nil {
		m.audio.plugged()
	}
}

func (m *media) close() {
	if m.video != nil {
		m.video.close()
	}
	if m.audio != nil {
		m.audio.close()
	}
}

// offer is what the endpoint is told, once open has returned.
func (m *media) offer() Offer {
	var o Offer
	if m.video != nil {
		o.ProfileLevelID = *m.video.profile.Load()
		o.KeyFrame = m.video.gate.ask
	}
	o.Audio = m.audio != nil
	return o
}

func (m *media) setRate(rate encoder.BitRate) {
	if m.video != nil {
		m.video.rate.Store(int64(rate))
	}
}

func (m *media) thin(e easing) {
	if m.video != nil {
		m.video.thinner.keep.Store(&e)
	}
}

// encoderState returns what `bril status` shows of the encoder.
func (m *media) encoderState() (name, warning string) {
	if m.video == nil {
		return "", ""
	}
	return *m.video.encoderLabel.Load(), *m.video.warning.Load()
}

// names returns what `bril status` shows of the sources that run.
func (m *media) names() (camera, microphone string) {
	if m.video != nil {
		camera = *m.video.label.Load()
	}
	if m.audio != nil {
		microphone = *m.audio.label.Load()
	}
	return camera, microphone
}
