package agent

import (
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bril-edge/bril/capture"
	"github.com/bril-edge/bril/cmd/internal/session"
	"github.com/bril-edge/bril/encoder"
	"github.com/bril-edge/bril/encoder/m2m"
)

// chip is an encoder of a board that fails when it is told to.
type chip struct {
	bench  *chipBench
	name   string
	fails  error // the next Encode
	frames uint64
	forced bool
	rate   encoder.BitRate
	closed bool
}

func (c *chip) Encode(f capture.Frame) error {
	f.Release()
	if c.fails != nil {
		return c.fails
	}
	c.frames++
	c.bench.by = append(c.bench.by, c.name)
	return nil
}

func (c *chip) ForceKeyFrame()                        { c.forced = true }
func (c *chip) SetBitRate(rate encoder.BitRate) error { c.rate = rate; return nil }
func (c *chip) Name() string                          { return c.name }
func (c *chip) ProfileLevelID() string                { return "42e01f" }
func (c *chip) Skipped() uint64                       { return 0 }
func (c *chip) Copied() uint64                        { return c.frames }
func (c *chip) Close() error                          { c.closed = true; return nil }

func (c *chip) State() session.EncoderState {
	return session.EncoderState{Name: c.name, Copied: c.frames}
}

// chipBench makes chips and counts them.
type chipBench struct {
	chipFirst
	refuses error // to open
	chips   []*chip
	soft    []*chip
	by      []string // what encoded each frame
	lent    int
}

func newChipBench(strict bool) *chipBench {
	b := &chipBench{}
	b.chipFirst = chipFirst{strict: strict, rate: 1000, log: slog.New(slog.DiscardHandler)}
	b.open = func(rate encoder.BitRate) (chipEncoder, error) {
		if b.refuses != nil {
			return nil, b.refuses
		}
		c := &chip{bench: b, name: "chip", rate: rate}
		b.chips = append(b.chips, c)
		return c, nil
	}
	b.chipFirst.soft = func(rate encoder.BitRate) (session.VideoEncoder, error) {
		c := &chip{bench: b, name: "software", rate: rate}
		b.soft = append(b.soft, c)
		return c, nil
	}
	return b
}

func (b *chipBench) encode(t *testing.T) {
	t.Helper()
	b.lent++
	if err := b.Encode(capture.Frame{}.WithFree(func() { b.lent-- })); err != nil {
		t.Fatal(err)
	}
}

func (b *chipBench) break1(t *testing.T, err error) {
	t.Helper()
	b.chips[len(b.chips)-1].fails = err
	b.encode(t)
}

func TestAStalledChipIsOpenedAgain(t *testing.T) {
	b := newChipBench(false)
	if err := b.start(); err != nil {
		t.Fatal(err)
	}
	b.encode(t)
	if err := b.SetBitRate(2000); err != nil {
		t.Fatal(err)
	}
	b.break1(t, m2m.ErrStalled)
	b.encode(t)
	if s := b.State(); s.Name != "chip" || s.Warning != "" || s.Copied != 2 {
		t.Errorf("%+v", s)
	}
	if len(b.chips) != 2 || !b.chips[0].closed || b.chips[1].rate != 2000 || len(b.soft) != 0 {
		t.Errorf("%d chips, %d in software", len(b.chips), len(b.soft))
	}
	b.Close()
	b.Close()
	if !b.chips[1].closed || b.lent != 0 {
		t.Error("left open")
	}
}

func TestAChipThatFailsOftenIsReplacedAndTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newChipBench(false)
		if err := b.start(); err != nil {
			t.Fatal(err)
		}
		if b.ProfileLevelID() != "42e01f" {
			t.Errorf("profile %q", b.ProfileLevelID())
		}
		for range 2 { // failures that lie apart are no reason
			b.break1(t, m2m.ErrStalled)
			time.Sleep(50 * time.Second)
		}
		for range 2 {
			b.break1(t, m2m.ErrStalled)
		}
		s := b.State()
		if s.Name != "software" || !strings.Contains(s.Warning, "3 failures in a minute") || !strings.Contains(s.Warning, "stalled; it is tried again at ") {
			t.Errorf("%+v", s)
		}
		b.ForceKeyFrame()
		b.SetBitRate(3000)
		if !b.soft[0].forced || b.soft[0].rate != 3000 {
			t.Error("software hears nothing")
		}
		b.encode(t)
		time.Sleep(firstWait - time.Second)
		b.encode(t)
		b.refuses = errors.New("gone")
		time.Sleep(2 * time.Second)
		b.encode(t) // tried, in vain
		if s := b.State(); s.Name != "software" || !strings.Contains(s.Warning, "gone") || len(b.soft) != 1 {
			t.Errorf("%+v, %d in software", s, len(b.soft))
		}
		b.refuses = nil
		time.Sleep(2*firstWait - time.Second)
		b.encode(t)
		time.Sleep(2 * time.Second)
		b.encode(t)
		if s := b.State(); s.Name != "chip" || s.Warning != "" || !b.soft[0].closed {
			t.Errorf("%+v", s)
		}
		if got := strings.Join(b.by, " "); got != "software software software software chip" {
			t.Errorf("encoded by %s", got)
		}
		b.Close()
	})
}

func TestAChipThatCannotBeOpened(t *testing.T) {
	b := newChipBench(false)
	b.refuses = errors.New("busy")
	if err := b.start(); err != nil {
		t.Fatal(err)
	}
	if s := b.State(); s.Name != "software" || !strings.Contains(s.Warning, "busy") {
		t.Errorf("%+v", s)
	}
	b.Close()
	b = newChipBench(true)
	b.refuses = errors.New("busy")
	if err := b.start(); !errors.Is(err, b.refuses) || len(b.soft) != 0 {
		t.Errorf("hardware only: %v", err)
	}
	b.Close()
}

func TestHardwareOnly(t *testing.T) {
	b := newChipBench(true)
	if err := b.start(); err != nil {
		t.Fatal(err)
	}
	for range maxFailures - 1 {
		b.break1(t, m2m.ErrStalled)
	}
	b.chips[len(b.chips)-1].fails = m2m.ErrStalled
	if err := b.Encode(capture.Frame{}); !errors.Is(err, m2m.ErrStalled) || len(b.soft) != 0 {
		t.Errorf("got %v", err)
	}
	b.Close()
}

func TestAChipThatMakesSomethingElse(t *testing.T) {
	b := newChipBench(false)
	if err := b.start(); err != nil {
		t.Fatal(err)
	}
	b.break1(t, m2m.ErrUnsupported)
	b.encode(t)
	if s := b.State(); s.Name != "software" || len(b.chips) != 1 {
		t.Errorf("%+v, %d chips", s, len(b.chips))
	}
	b.Close()
}

// Where neither the chip nor software opens, each picture is an error that names
// the cause, however often one is tried.
func TestNoEncoderOpens(t *testing.T) {
	chip, soft := errors.New("chip is gone"), errors.New("no memory")
	for name, strict := range map[string]bool{"hardware only": true, "both fail": false} {
		t.Run(name, func(t *testing.T) {
			h := &chipFirst{
				open:   func(encoder.BitRate) (chipEncoder, error) { return nil, chip },
				soft:   func(encoder.BitRate) (session.VideoEncoder, error) { return nil, soft },
				strict: strict, log: slog.New(slog.DiscardHandler),
			}
			if err := h.start(); !errors.Is(err, chip) {
				t.Errorf("start: %v", err)
			}
			for range 3 {
				released := false
				f := capture.Frame{}.WithFree(func() { released = true })
				if err := h.Encode(f); !errors.Is(err, chip) || errors.Is(err, soft) == strict {
					t.Errorf("encode: %v", err)
				}
				if !released {
					t.Error("the picture was not released: its camera would never be freed")
				}
			}
			for range 2 {
				if err := h.Close(); err != nil {
					t.Error(err)
				}
			}
		})
	}
}
