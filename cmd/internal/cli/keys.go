package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"

	"github.com/bril-edge/bril/cmd/internal/control"
)

// interact reads keys as buttons and keeps a live line, until the agent has ended.
func interact(ctx context.Context, d control.Daemon, terminal *os.File, out io.Writer, quit func(), ended <-chan struct{}) error {
	before, err := term.MakeRaw(int(terminal.Fd()))
	if err != nil {
		return fmt.Errorf("read keys: %w", err)
	}
	defer term.Restore(int(terminal.Fd()), before) //nolint:errcheck // nothing could be done
	block := liveBlock{out: out}
	defer block.end()
	keys := make(chan byte)
	go readKeys(ctx, terminal, keys) // ends with the process: a read of a terminal cannot be cut short
	b := buttons{daemon: d, done: make(chan string, maxPresses)}
	defer b.running.Wait()
	ticker := time.NewTicker(500 * time.Millisecond)
	defer ticker.Stop()
	for meter := (liveLine{}); ; {
		status := d.Status()
		lines := meter.next(status, time.Now())
		block.draw([]string{keyLine(status), "", lines[0]}, b.with(lines[1:]), width(terminal))
		select {
		case <-ended:
			block.draw([]string{"ENDED"}, b.with(nil), width(terminal))
			return nil
		case <-ticker.C:
		case b.said = <-b.done:
			b.waiting--
		case key := <-keys: // shown at once
			if b.press(ctx, key) {
				quit()
			}
		}
	}
}

// keyLine says what the keys do now.
func keyLine(s control.Status) string {
	if s.Call != nil && s.Call.State == "ringing" {
		return "A CUSTOMER CALLS   a accept   d decline"
	}
	clip := "c clip"
	if s.Recording.Clip != "" {
		clip = "c end the clip"
	}
	return "space live   p pause   f photo   s photo to show   " + clip + "   q quit"
}

// width of a terminal in characters.
func width(terminal *os.File) int {
	if w, _, err := term.GetSize(int(terminal.Fd())); err == nil && w > 0 {
		return w
	}
	return columns
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

// maxPresses is how many photos and clips may be on their way to the disk: more
// presses are passed over.
const maxPresses = 4

// buttons does what the keys ask for; what ends on a disk beside them, so that a
// slow one holds up neither the keys nor the live line.
type buttons struct {
	daemon  control.Daemon
	done    chan string // what has become of each photo and clip
	running sync.WaitGroup
	waiting int
	said    string // the last of done, until the next press
}

// with adds what has become of the last photo or clip to lines.
func (b *buttons) with(lines []string) []string {
	if b.said == "" {
		return lines
	}
	return append([]string{b.said}, lines...)
}

// press does what a button would, and says whether the key is the one to quit.
func (b *buttons) press(ctx context.Context, key byte) (quit bool) {
	const ctrlC = 3
	b.said = "" // it may be true no longer
	switch key {
	case 'q', ctrlC:
		return true
	case ' ', 'p':
		b.live(ctx, key)
	case 'a', 'd':
		action := control.AcceptCall
		if key == 'd' {
			action = control.DeclineCall
		}
		b.begin(func() string { return b.call(ctx, action) })
	case 'f', 's':
		b.begin(func() string { return b.photo(ctx, key == 's') })
	case 'c':
		action := control.StartClip
		if b.daemon.Status().Recording.Clip != "" {
			action = control.StopClip
		}
		b.begin(func() string { return b.clip(ctx, action) })
	}
	return false
}

func (b *buttons) live(ctx context.Context, key byte) {
	state := b.daemon.Status().State
	idle := state == "ready" || state == "off" || state == "stopping"
	var action control.Action
	switch {
	case key == ' ' && (idle || state == "paused"):
		action = control.On
	case key == ' ':
		action = control.Off
	case state == "paused":
		action = control.On
	case idle:
		return // there is nothing to pause
	default:
		action = control.Pause
	}
	if _, err := b.daemon.Live(ctx, action); err != nil && ctx.Err() == nil {
		b.said = refusal("live "+string(action), err)
	}
}

func (b *buttons) begin(what func() string) {
	if b.waiting == maxPresses {
		return
	}
	b.waiting++
	b.running.Go(func() { b.done <- what() }) // there is a place for each
}

func (b *buttons) call(ctx context.Context, action control.CallAction) string {
	state, err := b.daemon.Call(ctx, action)
	if err != nil {
		return refusal("call "+string(action), err)
	}
	if action == control.DeclineCall {
		state = "declined"
	}
	return "CALL        is " + state
}

func (b *buttons) photo(ctx context.Context, show bool) string {
	photo, err := b.daemon.Photo(ctx, show)
	if err != nil {
		return refusal("no photo", err)
	}
	where := "is safe"
	if show {
		where = "is safe, to be shown"
	}
	return fmt.Sprintf("PHOTO       %s %s (sharpest of %d, %.0f ms)", short(photo.ID), where, photo.Frames, photo.ChooseMS+photo.EncodeMS+photo.StoreMS)
}

func (b *buttons) clip(ctx context.Context, action control.ClipAction) string {
	clip, err := b.daemon.Clip(ctx, action)
	switch {
	case err != nil:
		return refusal("clip "+string(action), err)
	case action == control.StartClip:
		return "CLIP        " + short(clip.ID) + " has begun"
	}
	return fmt.Sprintf("CLIP        %s is safe (%.1f s)", short(clip.ID), clip.DurationSeconds)
}

// short is enough of an id to tell it from the few others.
func short(id string) string { return cut(id, 9) }

// refusal is an error on one line, with its hint; one to give a command is left out,
// as none reaches the daemon of a demo.
func refusal(what string, err error) string {
	p := Describe(err)
	text := what + ": " + printable(p.Message)
	if p.Text != "" && !strings.HasPrefix(p.Text, "bril ") {
		text += "; hint: " + printable(p.Text)
	}
	return text
}
