package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"
	"golang.org/x/term"

	"github.com/bril-edge/bril/capture/camera"
	"github.com/bril-edge/bril/capture/microphone"
	"github.com/bril-edge/bril/cmd/internal/agent"
	"github.com/bril-edge/bril/cmd/internal/control"
	"github.com/bril-edge/bril/cmd/internal/showroom"
	"github.com/bril-edge/bril/configs"
)

const demoKeys = "space  live on and off     p  pause     q  quit"

func newDemo(o *options) *cobra.Command {
	var f daemonFlags
	var listen string
	c := &cobra.Command{
		Use:   "demo",
		Short: "Stream to a page on this machine, all in one process",
		Long: `demo runs the agent, an endpoint and the customer's page in one process and goes
live. It uses the camera and microphone of this machine if there are any, and a
test picture and tone otherwise. Open the printed address in a browser. Keys act
as the buttons of the glasses: space goes live and ends it, p pauses, q quits.

` + ExitCodes,
		Example: "  bril demo\n  bril demo --camera mp4:car.mp4 --loop",
		Args:    arguments(),
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, err := load(f.config)
			if err != nil {
				return err
			}
			if cfg, err = f.apply(c, present(cfg)); err != nil {
				return err
			}
			d := demo{options: o, cfg: cfg, listen: listen, out: c.OutOrStdout()}
			err = d.run(c.Context())
			if errors.Is(err, syscall.EADDRINUSE) {
				err = WithHint(err, c.CommandPath()+" --listen 127.0.0.1:0 takes a port that is free")
			}
			return err
		},
	}
	f.add(c)
	c.Flags().StringVar(&listen, "listen", "127.0.0.1:8080", "address of the page and endpoint")
	for _, of := range []string{"whip", "token-file", "interface", "loopback"} {
		_ = c.Flags().MarkHidden(of) // the demo brings its own endpoint
	}
	return c
}

// present replaces what the configuration leaves open by what this machine has.
func present(cfg configs.Config) configs.Config {
	if cfg.Camera.Source.Kind == configs.Auto && len(camera.List()) == 0 {
		cfg.Camera.Source = configs.VideoSource{Kind: configs.Pattern}
	}
	if cfg.Microphone.Source.Kind == configs.Auto {
		if list, err := microphone.List(); err != nil || len(list) == 0 {
			cfg.Microphone.Source = configs.AudioSource{Kind: configs.Tone}
		}
	}
	return cfg
}

type demo struct {
	*options
	cfg    configs.Config
	listen string
	out    io.Writer
}

// run serves the endpoint and, once that answers, the agent.
func (d *demo) run(ctx context.Context) error {
	dir, err := os.MkdirTemp("", "bril-demo-")
	if err != nil {
		return fmt.Errorf("make a directory for the demo: %w", err)
	}
	defer os.RemoveAll(dir)
	log := slog.New(slog.DiscardHandler) // the live line says what there is to say
	server, err := showroom.New(showroom.Config{Listen: d.listen, DataDir: dir, Log: log})
	if err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	ctx, quit := context.WithCancel(ctx)
	defer quit()
	ready := make(chan string, 1)
	g.Go(func() error { return server.Run(ctx, func(url string) { ready <- url }) })
	g.Go(func() error {
		defer quit()
		select {
		case base := <-ready:
			return d.agent(ctx, base, dir, log)
		case <-ctx.Done():
			return nil
		}
	})
	return g.Wait()
}

func (d *demo) agent(ctx context.Context, base, state string, log *slog.Logger) error {
	d.cfg.Uplink.WHIPURL = base + "/whip/demo"
	a, err := agent.New(d.cfg, agent.Options{Version: d.app.Version, StateDir: state, Stdin: d.app.Stdin, Log: log})
	if err != nil {
		return err
	}
	defer a.Close()
	if d.json {
		err = printLine(d.out, map[string]any{"schema_version": schemaVersion, "url": base + "/demo"})
	} else {
		_, err = fmt.Fprintf(d.out, "\n  Open %s/demo in a browser.\n\n", base)
	}
	if err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	ctx, quit := context.WithCancel(ctx)
	defer quit()
	g.Go(func() error {
		defer quit()
		return a.Run(ctx, true)
	})
	if terminal, ok := d.terminal(); ok {
		g.Go(func() error {
			defer quit()
			return d.interact(ctx, a, terminal)
		})
	}
	return g.Wait()
}

// terminal returns standard input when a person types there. Its pictures may
// come from there, too.
func (d *demo) terminal() (*os.File, bool) {
	in := d.app.Stdin
	out, isFile := d.out.(*os.File)
	ok := isFile && !d.json && !d.cfg.Camera.Source.Live() && term.IsTerminal(int(in.Fd())) && term.IsTerminal(int(out.Fd()))
	return in, ok
}

// interact reads keys as buttons and keeps a live line.
func (d *demo) interact(ctx context.Context, a *agent.Agent, terminal *os.File) error {
	before, err := term.MakeRaw(int(terminal.Fd()))
	if err != nil {
		return fmt.Errorf("read keys: %w", err)
	}
	defer term.Restore(int(terminal.Fd()), before) //nolint:errcheck // nothing could be done
	fmt.Fprintf(d.out, "  %s\r\n\r\n", demoKeys)
	block := liveBlock{out: d.out}
	defer block.end()
	keys := make(chan byte)
	go readKeys(ctx, terminal, keys) // ends with the process: a read of a terminal cannot be cut short
	ticker := time.NewTicker(500 * time.Millisecond)
	defer ticker.Stop()
	for meter := (liveLine{}); ; {
		block.draw(meter.next(a.Status(), time.Now()), width(terminal))
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		case key := <-keys: // shown at once
			if err := press(ctx, a, key); err != nil {
				return quitOrError(err)
			}
		}
	}
}

// width of a terminal in characters.
func width(terminal *os.File) int {
	if w, _, err := term.GetSize(int(terminal.Fd())); err == nil && w > 0 {
		return w
	}
	return columns
}

var errQuit = errors.New("quit")

func quitOrError(err error) error {
	if errors.Is(err, errQuit) {
		return nil
	}
	return err
}

func readKeys(ctx context.Context, in io.Reader, keys chan<- byte) {
	buf := make([]byte, 1)
	for {
		if _, err := in.Read(buf); err != nil {
			return
		}
		select {
		case keys <- buf[0]:
		case <-ctx.Done():
			return
		}
	}
}

// press does what a button would.
func press(ctx context.Context, a *agent.Agent, key byte) error {
	const ctrlC = 3
	state := a.Status().State
	var action control.Action
	switch {
	case key == 'q' || key == ctrlC:
		return errQuit
	case key == ' ' && (state == "ready" || state == "paused"):
		action = control.On
	case key == ' ':
		action = control.Off
	case key == 'p' && state == "paused":
		action = control.On
	case key == 'p':
		action = control.Pause
	default:
		return nil
	}
	_, err := a.Live(ctx, action)
	return err
}
