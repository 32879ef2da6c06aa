package agent

import (
	"context"
	"errors"
	"log/slog"

	"github.com/bril-edge/bril/capture/duck"
	"github.com/bril-edge/bril/cmd/internal/control"
	"github.com/bril-edge/bril/cmd/internal/session"
	"github.com/bril-edge/bril/configs"
	"github.com/bril-edge/bril/hardware/speaker"
	"github.com/bril-edge/bril/uplink/calls"
	"github.com/bril-edge/bril/uplink/rtc"
	"github.com/bril-edge/bril/uplink/talkback"
)

// newEar makes the way to the advisor's ear. It opens nothing.
func newEar(cfg configs.Config, log *slog.Logger) *speaker.Mixer {
	return speaker.NewMixer(earConfig(cfg, log))
}

func earConfig(cfg configs.Config, log *slog.Logger) speaker.Config {
	return speaker.Config{Device: cfg.TalkbackDevice(), Prompt: true, Log: log}
}

// openTalkback makes what listens to the customer.
func (a *Agent) openTalkback() error {
	if !a.cfg.Talkback.Enabled {
		return nil
	}
	servers, err := a.relays()
	if err != nil {
		return err
	}
	a.talk, err = talkback.New(talkback.Config{
		Client:   a.client,
		Receiver: rtc.ReceiverConfig{Loopback: stays(a.cfg.Uplink), Interface: a.cfg.Uplink.Interface, ICEServers: servers},
		Play: func(hear func(*speaker.Ear)) (talkback.Output, error) {
			s, err := a.ear.Below(hear)
			if err != nil {
				return nil, err // not s: a nil *Source is not a nil interface
			}
			return s, nil
		},
		Holds:  earConfig(a.cfg, a.opts.Log).Holds(),
		Volume: a.cfg.Talkback.VolumeDB,
		Log:    a.opts.Log,
	})
	return err
}

// hearCustomer lets the advisor hear the customer for as long as a connection
// stands, a pause included: who is asked to wait may have something to say.
func (a *Agent) hearCustomer(ctx context.Context, p *rtc.Publisher) {
	if a.talk == nil {
		return
	}
	address, err := p.Talkback()
	if err != nil {
		a.opts.Log.Warn("the customer cannot be heard", "error", err)
	}
	if address == "" {
		return
	}
	ctx, cancel := context.WithCancel(ctx)
	a.background.Go(func() {
		defer cancel()
		select {
		case <-p.Lost():
		case <-ctx.Done():
		}
	})
	a.background.Go(func() { a.talk.Run(ctx, address) })
}

// hearSoon has the customer listened for at once when a microphone is turned on.
func (a *Agent) hearSoon(e calls.Event) {
	if c, ok := e.(calls.Customer); ok && c.Microphone && a.talk != nil {
		a.talk.Soon()
	}
}

// ducked makes a microphone soft while the customer is heard, where it might hear
// that too.
func (a *Agent) ducked(source session.AudioSource) session.AudioSource {
	if a.talk == nil || a.cfg.Talkback.Output == configs.OutputInEar {
		return source
	}
	return duck.New(source, a.talk.Speaking)
}

var errNoTalkback = hinted{errors.New("talk-back is turned off"), "set talkback.enabled to true"}

// Mute has the customer heard no longer, or again.
func (a *Agent) Mute(on bool) (control.Talkback, error) {
	if a.talk == nil {
		return control.Talkback{}, errNoTalkback
	}
	a.talk.SetMuted(on)
	return shown(a.talk.Status()), nil
}

func shown(s talkback.Status) control.Talkback {
	return control.Talkback{
		State: string(s.State), URL: s.URL, Muted: s.Muted,
		JitterMS: s.Stats.Jitter.Seconds() * 1000, DelayMS: s.Stats.Delay.Seconds() * 1000,
		Lost: s.Stats.Lost, ConcealedMS: s.Stats.Concealed.Seconds() * 1000,
	}
}

// showTalkback adds how the customer is heard, and why not.
func (a *Agent) showTalkback(s *control.Status) {
	if a.talk == nil {
		return
	}
	status := a.talk.Status()
	t := shown(status)
	s.Talkback = &t
	if status.Trouble != nil {
		s.Warnings = append(s.Warnings, "the customer is not heard: "+status.Trouble.Error())
	}
}
