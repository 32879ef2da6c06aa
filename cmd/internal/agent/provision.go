package agent

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"time"

	"github.com/bril-edge/bril/capture"
	"github.com/bril-edge/bril/capture/pixel"
	"github.com/bril-edge/bril/cmd/internal/control"
	"github.com/bril-edge/bril/cmd/internal/provision"
	"github.com/bril-edge/bril/cmd/internal/session"
	"github.com/bril-edge/bril/configs"
	"github.com/bril-edge/bril/hardware/network"
	"github.com/bril-edge/bril/uplink/enrol/keyfile"
	"github.com/bril-edge/bril/uplink/enrol/ticket"
	enroltoken "github.com/bril-edge/bril/uplink/enrol/token"
)

// The pictures in which a code is looked for.
const (
	lookWidth  = 640
	lookHeight = 480
)

var (
	errProvisioning = hinted{errors.New("the glasses look for a QR code, to be set up"), "bril provision --stop"}
	errNotProvision = hinted{errors.New("there is a conversation"), "bril live off"}
)

// provisioning is the mode, of which one runs at most.
type provisioning struct {
	mu      sync.Mutex
	last    control.Provisioning
	changed chan struct{}           // closed when last has changed
	cancel  context.CancelCauseFunc // nil while none runs
	ended   chan struct{}           // closed when that one has
	ctx     context.Context         // of Run; nil before
}

// active says that the camera looks for a code: nothing else may have it.
func (p *provisioning) active() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.cancel != nil
}

// refused is why nothing is captured now for anything else; nil when it may be.
func (a *Agent) refusedByProvisioning() error {
	if a.provisioning.active() {
		return errProvisioning
	}
	return nil
}

func (p *provisioning) show(now control.Provisioning) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tell(now)
}

// finish tells the end at once with letting the next one begin: told later, it would
// be taken for the end of that one.
func (p *provisioning) finish(end control.Provisioning) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cancel = nil
	p.tell(end)
}

// tell is for who has the lock.
func (p *provisioning) tell(now control.Provisioning) {
	p.last = now
	if p.changed != nil {
		close(p.changed)
	}
	p.changed = make(chan struct{})
}

func (p *provisioning) now() (control.Provisioning, <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.last, p.changed
}

// Provision begins the mode, or joins the one that runs, and tells how it goes.
func (a *Agent) Provision(ctx context.Context, each func(control.Provisioning) error) error {
	if err := a.beginProvision(); err != nil {
		return err
	}
	for {
		now, changed := a.provisioning.now()
		if err := each(now); err != nil || now.Over() {
			return err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// provisionByButton begins the mode for who holds a button while the daemon starts.
func (a *Agent) provisionByButton(button string) {
	if err := a.beginProvision(); err != nil {
		a.opts.Log.Warn("a button is held, and the glasses look for no code", "button", button, "error", err)
		return
	}
	a.opts.Log.Info("a button is held: the glasses look for a code", "button", button)
}

// StopProvision ends the mode and returns once the camera is free.
func (a *Agent) StopProvision(ctx context.Context) error {
	p := &a.provisioning
	p.mu.Lock()
	cancel, ended := p.cancel, p.ended
	p.mu.Unlock()
	if cancel == nil {
		return nil
	}
	cancel(provision.ErrStopped)
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// beginProvision starts the mode unless it runs.
func (a *Agent) beginProvision() error {
	keys, err := provisionKeys(a.cfg.Provisioning.KeyFile)
	if err != nil {
		return err
	}
	switch phase, _ := a.Session.Rate(); {
	case phase != session.Off && phase != session.Ready, a.call.State().Phase != "idle":
		return errNotProvision
	case a.cfg.Camera.Source.Kind == configs.None || a.stdin != nil:
		return hinted{errors.New("there is no camera to read a code with"), "bril enrol --server URL --token-file F"}
	}
	p := &a.provisioning
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.cancel != nil:
		return nil
	case p.ctx == nil || p.ctx.Err() != nil:
		return errors.New("the daemon is starting or ending")
	case a.exams.running(): // asked under the lock: one of the two sees the other
		return errExamined
	}
	ctx, cancel := context.WithCancelCause(p.ctx)
	ended := make(chan struct{})
	p.cancel, p.ended = cancel, ended
	p.last = control.Provisioning{Phase: string(provision.Looking), Message: "opening the camera", Until: time.Now().Add(provision.MaxTime)}
	p.changed = make(chan struct{})
	a.background.Go(func() {
		defer close(ended)
		defer cancel(nil)
		a.runProvision(ctx, keys)
	})
	return nil
}

// runProvision runs the mode. Its end is told once the camera is free again.
func (a *Agent) runProvision(ctx context.Context, keys []ed25519.PublicKey) {
	p := &a.provisioning
	a.board.signals.provisioning(true)
	defer a.board.signals.provisioning(false)
	var end control.Provisioning
	err := provision.Run(ctx, provision.Config{
		Keys: keys,
		Open: a.openEyes,
		Join: joinWiFi,
		Time: a.useTime,
		Enrol: func(ctx context.Context, server string, t enroltoken.Token) error {
			_, err := a.Enrol(ctx, server, t)
			return err
		},
		Say: a.sayProvision,
		Show: func(now provision.Progress) {
			line := control.Provisioning{Phase: string(now.Phase), Message: now.Message, Until: now.Until}
			if now.Problem != nil {
				line.Problem = &control.Problem{Message: now.Problem.Error(), Text: hint(now.Problem), Code: 1}
			}
			if end = line; !line.Over() {
				p.show(line)
			}
		},
		Log: a.opts.Log,
	})
	if err != nil && !errors.Is(err, provision.ErrStopped) {
		end.Problem = &control.Problem{Message: err.Error(), Text: hint(err), Code: 1}
	}
	p.finish(end)
}

func (a *Agent) sayProvision(what provision.Action) {
	c := map[provision.Action]session.Cue{
		provision.SayBegun: session.CueProvisioning, provision.SayDone: session.CueProvisioned, provision.SayNo: session.CueCodeRefused,
	}[what]
	a.cue(c)
}

// provisionKeys reads the brand's keys. Without them no code is to be trusted.
func provisionKeys(path string) ([]ed25519.PublicKey, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, hinted{fmt.Errorf("QR codes are off: there is no provisioning key %s", path),
			"bril enrol --server URL --token-file F; or a package with PROVISION_KEY, or provisioning.key_file"}
	}
	if err != nil {
		return nil, fmt.Errorf("read the provisioning key: %w", err)
	}
	keys, err := keyfile.ParsePublic(data)
	if err != nil {
		return nil, hinted{fmt.Errorf("provisioning key %s: %w", path, err), "it is the FILE.pub of showroom qr keygen"}
	}
	return keys, nil
}

// eyes are a camera whose pictures have a plane of luma.
type eyes struct {
	session.VideoSource
	upright *pixel.Converter
}

// openEyes opens the configured camera, under the light, with small pictures: no
// configuration makes the decoder work harder.
func (a *Agent) openEyes(context.Context) (provision.Camera, error) {
	small := &Agent{cfg: a.cfg, opts: a.opts, board: a.board, devices: a.devices}
	small.cfg.Camera.Size = configs.Size{Width: lookWidth, Height: lookHeight}
	small.cfg.Camera.Loop = true
	small.cfg.Camera.Rotation = 0                     // a code is read either way
	small.cfg.Video.Encoder = configs.EncoderSoftware // so that the camera is asked for pictures, not for its own H.264
	source, err := small.videoSource(nil)
	if err != nil {
		return nil, err
	}
	upright, err := pixel.New(pixel.Config{Log: a.opts.Log})
	if err != nil {
		return nil, errors.Join(err, source.Close())
	}
	return eyes{source, upright}, nil
}

// Next passes over pictures that are broken.
func (e eyes) Next(ctx context.Context) (capture.Frame, error) {
	for {
		f, err := e.VideoSource.Next(ctx)
		if err != nil || f.Format == capture.I420 || f.Format == capture.NV12 {
			return f, err
		}
		if f, err = e.upright.Convert(f); !errors.Is(err, pixel.ErrBroken) {
			return f, err
		}
	}
}

func (e eyes) Close() error { return errors.Join(e.VideoSource.Close(), e.upright.Close()) }

// joined closes the bus with the network.
type joined struct {
	*network.Network
	manager *network.Manager
}

func (j joined) Keep(ctx context.Context) error {
	return errors.Join(j.Network.Keep(ctx), j.manager.Close())
}

func (j joined) Remove(ctx context.Context) error {
	return errors.Join(j.Network.Remove(ctx), j.manager.Close())
}

func joinWiFi(ctx context.Context, w ticket.WiFi) (provision.Network, error) {
	manager, err := network.Connect(ctx, "")
	if err != nil {
		return nil, err
	}
	n, err := manager.Join(ctx, network.Profile{SSID: w.SSID, Security: network.Security(w.Security), Password: w.Password})
	if err != nil {
		return nil, errors.Join(err, manager.Close())
	}
	return joined{n, manager}, nil
}

// useTime has systemd-timesyncd ask the server. Where that cannot be, the server is
// asked once, and its answer only looked at: nobody vouches for it, so that it must not
// raise the floor of the clock. The token's pin says whom the board talks to.
func (a *Agent) useTime(ctx context.Context, server string) (string, error) {
	refused := network.UseTimeServer(ctx, "", server)
	if refused == nil {
		return "systemd-timesyncd asks it", nil
	}
	at, err := network.AskTime(ctx, server)
	if err != nil {
		return "", errors.Join(refused, err)
	}
	note := "it was asked once, as systemd-timesyncd does not take it"
	if off := at.Sub(a.clock.TLSTime()).Abs(); off > time.Hour {
		a.opts.Log.Warn("this machine's clock is off by more than an hour, and nothing sets it", "server", server, "told", at.UTC().Format(time.RFC3339))
	}
	return note, nil
}

// mayProvision lets the mode be begun until the function that it returns is called,
// which ends it.
func (a *Agent) mayProvision(ctx context.Context) (end func()) {
	p := &a.provisioning
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ctx = ctx
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.ctx = nil
		if p.cancel != nil {
			p.cancel(provision.ErrStopped)
		}
	}
}
