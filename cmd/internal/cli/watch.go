package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/bril-edge/bril/cmd/internal/control"
)

// watch shows the screen on a terminal. Elsewhere it prints one status after another;
// as JSON one a line.
func (o *options) watch(c *cobra.Command, client *control.Client) error {
	out := c.OutOrStdout()
	if terminal, ok := out.(*os.File); ok && isTerminal(out) && !o.json && os.Getenv("TERM") != "dumb" {
		return o.watchScreen(c.Context(), client, terminal)
	}
	err := client.Watch(c.Context(), time.Second, func(s control.Status) error {
		if o.json {
			return printLine(out, s)
		}
		var b strings.Builder
		if err := writeStatus(&b, s); err != nil {
			return err
		}
		return redraw(out, "", b.String(), 0)
	})
	if errors.Is(err, context.Canceled) {
		return nil // the way to end it
	}
	return err
}

// The terminal's own words: its other screen, which leaves what stood there, and
// updates that are shown at once (terminals that do not know them pass them over).
const (
	otherScreen = "\x1b[?1049h\x1b[2J"
	backAgain   = "\x1b[?1049l"
	beginUpdate = "\x1b[?2026h"
	endUpdate   = "\x1b[?2026l"
	home        = "\x1b[H"
	clearRest   = "\x1b[K" // of a line
)

// watchScreen draws until q, a signal, or an error of the terminal. A daemon that
// ends is waited for; one that was never there is an error.
func (o *options) watchScreen(ctx context.Context, client *control.Client, out *os.File) (err error) {
	first, err := client.Status(ctx)
	if err != nil {
		return err
	}
	keys, restore, err := o.readTerminal(ctx)
	if err != nil {
		return err
	}
	defer restore()
	fmt.Fprint(out, otherScreen+hideCursor)
	defer func() { fmt.Fprint(out, showCursor+backAgain) }()

	ctx, cancel := context.WithCancel(ctx)
	var following sync.WaitGroup
	defer following.Wait()
	defer cancel()
	news := make(chan tidings)
	following.Go(func() { follow(ctx, client, news) })
	resized := make(chan os.Signal, 1)
	signal.Notify(resized, syscall.SIGWINCH, syscall.SIGCONT)
	defer signal.Stop(resized)

	s := &screen{colour: coloured(), unicode: speaksUnicode(), status: first}
	for {
		if err := s.show(out, time.Now()); err != nil {
			return err
		}
		select {
		case t := <-news:
			if t.lost != nil {
				s.missed(t.lost, time.Now())
			} else {
				s.heard(t.status)
			}
		case <-resized:
		case key := <-keys:
			const ctrlC, ctrlD = 3, 4
			switch key {
			case 'q', 'Q', ctrlD:
				return nil
			case ctrlC:
				return told{context.Canceled}
			}
		case <-ctx.Done():
			return nil // the way to end it
		}
	}
}

// readTerminal returns the keys that are typed; none where nobody types.
func (o *options) readTerminal(ctx context.Context) (keys chan byte, restore func(), err error) {
	in := o.app.Stdin
	if in == nil || !term.IsTerminal(int(in.Fd())) {
		return nil, func() {}, nil
	}
	before, err := term.MakeRaw(int(in.Fd()))
	if err != nil {
		return nil, nil, fmt.Errorf("read keys: %w", err)
	}
	keys = make(chan byte)
	go readKeys(ctx, in, keys)                                          // ends with the process: a read of a terminal cannot be cut short
	return keys, func() { _ = term.Restore(int(in.Fd()), before) }, nil // nothing could be done
}

// tidings are a second's news of the daemon.
type tidings struct {
	status control.Status
	lost   error // why there is no status
}

// follow sends a status a second, and why there is none while there is no daemon.
func follow(ctx context.Context, client *control.Client, news chan<- tidings) {
	send := func(t tidings) error {
		select {
		case news <- t:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		err := client.Watch(ctx, time.Second, func(s control.Status) error { return send(tidings{status: s}) })
		if ctx.Err() != nil || send(tidings{lost: err}) != nil {
			return
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

// show draws over what was drawn before, line by line: nothing is cleared that is
// drawn again, and so nothing flickers.
func (s *screen) show(out *os.File, now time.Time) error {
	w, h, err := term.GetSize(int(out.Fd()))
	if err != nil || w <= 0 || h <= 0 {
		w, h = columns, 24
	}
	s.width, s.height = w, h
	_, err = io.WriteString(out, beginUpdate+home+strings.Join(s.draw(now), clearRest+"\r\n")+clearRest+clearBelow+endUpdate)
	return err
}
