//go:build !nodemo

package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"syscall"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"
	"golang.org/x/term"

	"github.com/bril-edge/bril/capture/camera"
	"github.com/bril-edge/bril/capture/microphone"
	"github.com/bril-edge/bril/cmd/internal/agent"
	"github.com/bril-edge/bril/cmd/internal/showroom"
	"github.com/bril-edge/bril/configs"
)

// tryIt is in the help of bril.
const tryIt = "\nTry it on this machine:  bril demo\n"

// demoCommands is the command, of builds that have it. Those for boards do not: the endpoint
// that it brings, with its database, is no use on glasses and takes memory there.
func demoCommands(o *options) []*cobra.Command { return []*cobra.Command{newDemo(o)} }

func newDemo(o *options) *cobra.Command {
	var f daemonFlags
	var listen string
	c := &cobra.Command{
		Use:   "demo",
		Short: "Stream to a page on this machine, all in one process",
		Long: `demo runs the agent, an endpoint and the customer's page in one process and goes
live. It uses the camera and microphone of this machine if there are any, and a
test picture and tone otherwise. Open the printed address in a browser. Keys act
as the buttons of the glasses: space goes live and ends it, p pauses, f takes a
photo, s takes one and shows it to the customer, c begins a clip and ends it, a
accepts a call and d declines it, q quits.

` + ExitCodes,
		Example: "  bril demo\n  bril demo --camera mp4:car.mp4 --loop",
		Args:    arguments(),
		RunE: func(c *cobra.Command, _ []string) error {
			if _, _, err := net.SplitHostPort(listen); err != nil {
				return WithHint(&UsageError{c.CommandPath(), fmt.Errorf("--listen takes an address such as 127.0.0.1:8080, not %q", listen)},
					c.CommandPath()+" --listen 127.0.0.1:0 takes a port that is free")
			}
			cfg, err := loadOver(configs.Default(), f.config) // a demo is not the service
			if err != nil {
				return err
			}
			if cfg, err = f.apply(c, cfg); err != nil {
				return err
			}
			cfg, notes := present(cfg)
			d := demo{options: o, cfg: cfg, notes: notes, listen: listen, out: c.OutOrStdout()}
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

// present replaces what the configuration leaves open by what this machine has, and
// notes what it has not.
func present(cfg configs.Config) (_ configs.Config, notes []string) {
	if cfg.Camera.Source.Kind == configs.Auto && len(camera.List()) == 0 {
		cfg.Camera.Source = configs.VideoSource{Kind: configs.Pattern}
		notes = append(notes, "No camera was found: a test picture is sent.")
	}
	if cfg.Microphone.Source.Kind == configs.Auto {
		if list, err := microphone.List(); err != nil || len(list) == 0 {
			cfg.Microphone.Source = configs.AudioSource{Kind: configs.Tone}
			notes = append(notes, "No microphone was found: a test tone is sent.")
		}
	}
	return cfg, notes
}

type demo struct {
	*options
	cfg    configs.Config
	notes  []string // for people
	outbox string   // of the endpoint
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
	d.outbox = filepath.Join(dir, "outbox")
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
	if err := d.announce(base); err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	ctx, quit := context.WithCancel(ctx)
	defer quit()
	ended := make(chan struct{})
	g.Go(func() error {
		defer quit()
		defer close(ended)
		return a.Run(ctx, true)
	})
	if terminal, ok := d.terminal(); ok {
		g.Go(func() error {
			defer quit()
			return interact(ctx, a, terminal, d.out, quit, ended)
		})
	}
	return g.Wait()
}

func (d *demo) announce(base string) error {
	url := base + "/demo"
	if d.json {
		return printLine(d.out, map[string]any{"schema_version": schemaVersion, "url": url})
	}
	text := "\n  Open " + url + " in a browser.\n" +
		"  At " + base + "/ customers call and book; mails to them are in " + d.outbox + ".\n"
	for _, note := range d.notes {
		text += "  " + note + "\n"
	}
	_, err := io.WriteString(d.out, text+"\n")
	return err
}

// terminal returns standard input when a person types there. Its pictures may
// come from there, too.
func (d *demo) terminal() (*os.File, bool) {
	in := d.app.Stdin
	out, isFile := d.out.(*os.File)
	ok := isFile && !d.json && !d.cfg.Camera.Source.Live() && term.IsTerminal(int(in.Fd())) && term.IsTerminal(int(out.Fd()))
	return in, ok
}
