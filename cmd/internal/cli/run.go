package cli

import (
	"context"
	"io"
	"log/slog"
	"os"
	"runtime/debug"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/bril-edge/bril/cmd/internal/agent"
	"github.com/bril-edge/bril/cmd/internal/control"
	"github.com/bril-edge/bril/cmd/internal/journal"
	"github.com/bril-edge/bril/cmd/internal/session"
	"github.com/bril-edge/bril/cmd/internal/telemetry"
	"github.com/bril-edge/bril/configs"
)

// daemonFlags override the configuration file.
type daemonFlags struct {
	config             string
	whip, tokenFile    string
	camera, microphone string
	control, state     string
	network            string
	loopback, loop     bool
	live               bool
}

func (f *daemonFlags) add(c *cobra.Command) {
	flags := c.Flags()
	configFlag(c, &f.config)
	flags.StringVar(&f.whip, "whip", "", "WHIP endpoint to publish to, a `URL`")
	flags.StringVar(&f.tokenFile, "token-file", "", "`file` with the bearer token for the endpoint")
	flags.StringVar(&f.camera, "camera", "", "`source`: auto, none, pattern[:WxH@FPS], /dev/videoN, y4m:PATH, y4m:-, h264:PATH or mp4:PATH")
	flags.StringVar(&f.microphone, "microphone", "", "`source`: auto, none, tone, hw:…, wav:PATH or opus:PATH")
	flags.BoolVar(&f.loop, "loop", false, "start files over at their end")
	flags.StringVar(&f.state, "state", "", "`directory` for what must outlive the daemon")
	flags.StringVar(&f.network, "interface", "", "limit ICE to one network interface, by `name`")
	flags.BoolVar(&f.loopback, "loopback", false, "limit ICE to the loopback interface")
}

// apply returns the configuration with the flags that were given to c.
func (f *daemonFlags) apply(c *cobra.Command, cfg configs.Config) (configs.Config, error) {
	set := func(to *string, value string) {
		if value != "" {
			*to = value
		}
	}
	set(&cfg.Uplink.WHIPURL, f.whip)
	set(&cfg.Uplink.TokenFile, f.tokenFile)
	set(&cfg.Uplink.Interface, f.network)
	set(&cfg.Control.Socket, f.control)
	set(&cfg.Control.StateDir, f.state)
	cfg.Uplink.Loopback = cfg.Uplink.Loopback || f.loopback
	cfg.Camera.Loop = cfg.Camera.Loop || f.loop
	cfg.Microphone.Loop = cfg.Microphone.Loop || f.loop
	var err error
	if f.camera != "" {
		if cfg.Camera.Source, err = configs.ParseVideoSource(f.camera); err != nil {
			return cfg, &UsageError{c.CommandPath(), err}
		}
	}
	if f.microphone != "" {
		if cfg.Microphone.Source, err = configs.ParseAudioSource(f.microphone); err != nil {
			return cfg, &UsageError{c.CommandPath(), err}
		}
	}
	return cfg, cfg.Validate()
}

func newRun(o *options) *cobra.Command {
	var f daemonFlags
	c := &cobra.Command{
		Use:   "run",
		Short: "Run the daemon",
		Long: `run is the daemon. It waits for ` + "`bril live on`" + ` or a button, unless --live is
given. What fails is tried again and shown by ` + "`bril status`" + `; the daemon lives.

` + ExitCodes,
		Example: `  bril run --config /etc/bril/bril.yaml
  bril run --whip https://showroom.example/whip/anna --token-file token --live
  bril run --camera mp4:car.mp4 --microphone none --loop --live`,
		Args: arguments(),
		RunE: func(c *cobra.Command, _ []string) error {
			f.control = o.socket
			read := func() (*layers, error) { // what cannot be read of the enrolment, the agent shows
				return readLayers(f.config, func(cfg configs.Config) (configs.Config, error) { return f.apply(c, cfg) })
			}
			return runDaemon(c.Context(), o, read, f.live)
		},
	}
	f.add(c)
	c.Flags().BoolVar(&f.live, "live", false, "go live at once")
	return c
}

// heapGrowth is how much the heap may grow between two collections, in percent. Of
// the few megabytes that live, half instead of Go's whole keeps the board's memory
// free, for a collection more every few seconds. GOGC in the environment wins.
const heapGrowth = 50

// runDaemon runs the agent and its control socket until ctx ends. When the board has
// become somebody else, or its fleet sets something else, it makes the agent anew, by a
// configuration that is read again.
func runDaemon(ctx context.Context, o *options, read func() (*layers, error), live bool) error {
	l, err := read()
	if err != nil {
		return err
	}
	cfg := l.cfg
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(heapGrowth)
	}
	var ring journal.Ring
	var level slog.LevelVar
	log := newLog(o.app.Stderr, cfg.Log, &level, &ring)
	for _, warning := range cfg.Warnings() {
		log.Warn(warning.Error())
	}
	places := configs.OSEnvironment()
	socket := places.SocketPath(cfg.Control.Socket)
	listener, err := control.Listen(socket)
	if err != nil {
		return err
	}
	defer listener.Close()
	state, err := places.StatePath(cfg.Control.StateDir)
	if err != nil {
		return err
	}
	release, err := agent.HoldState(state)
	if err != nil {
		return err
	}
	defer release() //nolint:errcheck // the process ends, and with it the lock
	manager := newManaged(socket, log)
	defer manager.close()
	log.Info("bril "+o.app.Version, "state", state)
	counts := telemetry.New()
	d := daemon{
		options: agent.Options{Version: o.app.Version, Built: o.app.Built, StateDir: state, Held: true, Stdin: o.app.Stdin, Log: log,
			Phase: func(p session.Phase) { manager.phase(p); counts.Phase(p) }},
		app: o, socket: listener, lines: &ring, level: &level, log: log, read: read, first: l, manager: manager, counts: counts,
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return d.run(ctx, live) })
	g.Go(func() error { return manager.run(ctx, d.progress) })
	g.Go(func() error {
		counts.Run(ctx, d.status)
		return nil
	})
	if listen := cfg.Telemetry.MetricsListen; listen != "" {
		g.Go(func() error { return serveMetrics(ctx, listen, counts.Handler(), log) })
	}
	return ended(g.Wait())
}

func setLevel(level *slog.LevelVar, cfg configs.Log) {
	var now slog.Level // info, for what cannot be: the configuration was validated
	_ = now.UnmarshalText([]byte(cfg.Level))
	level.Set(now)
}

// atLeastInfo is a level, or info where that is lower.
type atLeastInfo struct{ slog.Leveler }

// Level implements slog.Leveler.
func (l atLeastInfo) Level() slog.Level { return min(l.Leveler.Level(), slog.LevelInfo) }

// newLog makes what the daemon logs to: w as it is configured, and the ring, which
// has at least what is of level info.
func newLog(w io.Writer, cfg configs.Log, level *slog.LevelVar, ring *journal.Ring) *slog.Logger {
	setLevel(level, cfg)
	w = journal.Redacted(w)
	options := &slog.HandlerOptions{Level: level}
	var handler slog.Handler = slog.NewTextHandler(w, options)
	if cfg.Format == "json" {
		handler = slog.NewJSONHandler(w, options)
	}
	return slog.New(slog.NewMultiHandler(handler, ring.Handler(atLeastInfo{level})))
}
