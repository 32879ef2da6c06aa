// Package agent builds a session from a configuration: it chooses sources,
// encoders and the uplink, and lists what there is to choose from.
package agent

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bril-edge/bril/capture/camera"
	"github.com/bril-edge/bril/capture/file"
	"github.com/bril-edge/bril/capture/microphone"
	"github.com/bril-edge/bril/cmd/internal/call"
	"github.com/bril-edge/bril/cmd/internal/cue"
	"github.com/bril-edge/bril/cmd/internal/lit"
	"github.com/bril-edge/bril/cmd/internal/recorder"
	"github.com/bril-edge/bril/cmd/internal/session"
	"github.com/bril-edge/bril/configs"
	"github.com/bril-edge/bril/encoder"
	"github.com/bril-edge/bril/hardware/clock"
	"github.com/bril-edge/bril/hardware/power"
	"github.com/bril-edge/bril/hardware/speaker"
	"github.com/bril-edge/bril/uplink/calls"
	"github.com/bril-edge/bril/uplink/enrol"
	fleetline "github.com/bril-edge/bril/uplink/fleet"
	"github.com/bril-edge/bril/uplink/spool"
	"github.com/bril-edge/bril/uplink/talkback"
	"github.com/bril-edge/bril/uplink/upload"
	"github.com/bril-edge/bril/uplink/whip"
)

// Options are what a configuration does not say.
type Options struct {
	Version  string
	Built    string // when, RFC 3339; "" where nobody knows
	StateDir string
	// Held says that the state directory is this process's already (HoldState).
	Held bool
	// ConfigPath is where the configuration was read; "" is its defaults.
	ConfigPath string
	Stdin      *os.File // read for the source y4m:-
	Log        *slog.Logger
	Fleet      *Fleet              // nil where no fleet configures it
	Phase      func(session.Phase) // hears of each new phase of the session, and returns at once; may be nil

	board  *board         // of tests; nil is this machine's
	system *lit.System    // of tests; nil is this machine
	sysfs  fs.FS          // of tests; nil is /sys
	probes probes         // likewise
	roots  *x509.CertPool // of tests; nil is the system's
}

// Agent is a session with what it is made of. Close frees what outlives
// conversations.
type Agent struct {
	*session.Session
	cfg    configs.Config
	opts   Options
	client *whip.Client
	state  *stateLock
	stdin  *file.Y4MStream    // drained from the start; nil without
	cues   *cue.Player        // nil without
	ear    *speaker.Mixer     // of the customer's voice, and of the cues where they share a device
	talk   *talkback.Talkback // nil without

	call   *call.Control                // with a customer
	events atomic.Pointer[calls.Client] // nil until it is known where from

	tap session.Tap // the recorder; nil where nothing can be taken

	board   *board
	devices *lit.Devices // cameras and microphones, under the board's light

	camera     camera.Memory // which were used last
	microphone microphone.Memory
	power      *power.Monitor

	identity    *enrol.Identity // nil while the board is nobody
	nobody      error           // why it is
	nobodySince time.Time
	anew        anew

	line  *fleetline.Link // to the fleet's service; nil without one
	moved chan struct{}   // holds a value once the phase has changed

	clock    clock.Clock
	cloud    *cloud // where photos and clips go
	spool    *spool.Spool
	held     *stateLock // of its folder; nil where there is none
	recorder *recorder.Recorder
	uploader atomic.Pointer[upload.Uploader] // nil until it is known where to
	found    chan struct{}                   // holds one value once that may be known

	exams        exams // of Doctor
	provisioning provisioning

	background sync.WaitGroup
}

// New checks what can be checked without opening a device: the endpoint's
// address, the token. It makes the state directory. Nothing is captured.
func New(cfg configs.Config, opts Options) (*Agent, error) {
	a := &Agent{cfg: cfg, opts: opts, ear: newEar(cfg, opts.Log), found: make(chan struct{}, 1), moved: make(chan struct{}, 1)}
	a.cues = newCues(cfg, a.ear, opts.Log)
	a.call = a.newCall()
	if err := a.useBoard(); err != nil {
		return nil, err
	}
	a.power = a.newPower()
	if err := a.open(); err != nil {
		return nil, errors.Join(err, a.Close())
	}
	s, err := a.sessionConfig()
	if err != nil {
		return nil, errors.Join(err, a.Close())
	}
	a.Session = session.New(s)
	return a, nil
}

// open opens what outlives conversations. What it has opened when it fails, Close
// closes.
func (a *Agent) open() (err error) {
	if !a.opts.Held {
		if a.state, err = openState(a.opts.StateDir); err != nil {
			return err
		}
	}
	a.openClock()
	a.openIdentity()
	a.line = a.openLine()
	if a.client, err = a.newClient(); err != nil {
		return err
	}
	if a.cfg.Camera.Source.Live() {
		if a.stdin, err = file.OpenY4MStream(a.opts.Stdin, file.Options{}); err != nil {
			return err
		}
	}
	if err := a.openTalkback(); err != nil {
		return err
	}
	return a.openRecorder()
}

func (a *Agent) sessionConfig() (session.Config, error) {
	cfg, opts := a.cfg, a.opts
	servers, err := a.relays()
	if err != nil {
		return session.Config{}, err
	}
	dialer := dialer{client: a.client, cfg: cfg.Uplink, servers: servers, yield: a.exams.yield, called: a.forgetCrash, stands: a.hearCustomer, log: opts.Log}
	s := session.Config{
		NewVideoEncoder: a.newVideoEncoder,
		NewAudioEncoder: a.newAudioEncoder,
		Connect:         dialer.connect,
		ConnectBackoff:  &whip.Backoff{},
		Network:         a.watchNetwork,
		Notice:          notice(cfg.Cues.Language),
		Cue:             a.cue,
		Phase:           a.phase,
		Room:            func(room string) { a.call.Tell(call.Entered{Room: room}) },
		Ended:           func(why session.Reason) { a.call.Tell(call.Left{Reason: why}) },
		Tap:             a.tap,
		KeyFrameEvery:   keyFrameEvery,
		Outside:         cfg.Media.OutsideSession,
		MaxBitRate:      encoder.BitRate(cfg.Video.MaxBitRate),
		Limits: session.Limits{
			MaxLive:  time.Duration(cfg.Session.MaxLive),
			NoViewer: time.Duration(cfg.Session.NoViewerTimeout),
			Warn:     time.Duration(cfg.Session.WarnBefore),
		},
		Version: opts.Version,
		URL:     cfg.Uplink.WHIPURL,
		Log:     opts.Log,
	}
	if cfg.Camera.Source.Kind != configs.None {
		s.OpenVideo = a.openVideo
	}
	if cfg.Microphone.Source.Kind != configs.None {
		s.OpenAudio = a.openAudio
	}
	if takesDevices(cfg) {
		s.Devices = watchDevices
	}
	return s, nil
}

// Run runs the session. What a crash has left at the endpoint is deleted beside
// it, once the endpoint has been called for a new session: nothing waits for it.
func (a *Agent) Run(ctx context.Context, live bool) error {
	defer a.background.Wait()
	ctx, over := a.anew.over(ctx)
	defer over()
	defer a.playCues(ctx)()
	own, cancel := context.WithCancel(ctx)
	defer cancel()
	defer a.mayProvision(own)()
	a.runClock(own)
	a.runIdentity(own)
	a.runFleet(own)
	a.runBoard(own)
	a.watchPower(own)
	a.runSpool(own)
	a.runCalls(own)
	if !live {
		a.forgetCrash(ctx)
	}
	err := a.Session.Run(ctx, live)
	if errors.Is(context.Cause(ctx), ErrAnew) {
		return ErrAnew
	}
	return err
}

// forgetCrash deletes what is left at the endpoint: also by a connection whose
// farewell did not get through.
func (a *Agent) forgetCrash(ctx context.Context) {
	a.background.Go(func() {
		if err := a.client.DeleteStale(ctx); err != nil {
			a.opts.Log.Debug("delete the session of before the crash", "error", err)
		}
	})
}

// Close is to be called after Run has returned.
func (a *Agent) Close() error {
	var errs []error
	if a.recorder != nil {
		errs = append(errs, a.recorder.Close())
	}
	if a.talk != nil {
		errs = append(errs, a.talk.Close())
	}
	if a.spool != nil {
		errs = append(errs, a.spool.Close())
	}
	if a.stdin != nil {
		errs = append(errs, a.stdin.Close())
	}
	if a.client != nil {
		a.client.Close()
	}
	errs = append(errs, a.board.close())
	for _, lock := range []*stateLock{a.held, a.state} {
		if lock != nil {
			errs = append(errs, lock.close())
		}
	}
	return errors.Join(errs...)
}

// kept keeps a source open over conversations: what standard input has delivered
// is gone, and cannot be opened again.
type kept struct{ session.VideoSource }

func (kept) Close() error { return nil }

func unknownSource(what string, kind configs.Kind) error {
	return fmt.Errorf("%s source %q is not one", what, kind)
}
