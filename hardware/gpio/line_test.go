package gpio

import (
	"errors"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/warthog618/go-gpiocdev/uapi"
	"golang.org/x/sys/unix"
	periph "periph.io/x/conn/v3/gpio"
)

func TestList(t *testing.T) {
	b := newBoard()
	b.takers["LED1"] = "another"
	chips := list(b)
	if len(chips) != 2 || chips[0].Name != "gpiochip0" || chips[0].Label != "pinctrl-test" || strings.Join(names(chips), ",") != ",BTN1,LED1,TWICE,ID_SD,TWICE" {
		t.Fatalf("got %+v", chips)
	}
	if got, want := chips[0].Lines[2], (LineInfo{Offset: 2, Name: "LED1", Direction: "out", Used: true, Consumer: "another"}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	for _, call := range []string{"open", "chip", "line"} {
		b.damage(call, unix.EACCES)
		if chips := list(b); len(chips) != 2 || !strings.Contains(chips[0].Error, "permission denied") {
			t.Errorf("%s fails: %+v", call, chips)
		}
		b.damage(call, 0)
	}
	b.hangUp(t)
}

func TestFind(t *testing.T) {
	tests := []struct{ line, want, err string }{
		{"BTN1", "gpiochip0/1", ""},
		{"ID_SD", "gpiochip1/0", ""},
		{"gpiochip1/7", "gpiochip1/7", ""}, // the kernel says if there is none
		{"TWICE", "", "2 lines have this name: gpiochip0/3 and gpiochip1/1"},
		{"LED9", "", "no GPIO chip has a line of this name"},
		{"", "", "no GPIO chip has a line"}, // not one without a name
		{"gpiochip0/x", "", "no GPIO chip"},
	}
	for _, test := range tests {
		got, err := find(newBoard(), test.line)
		switch {
		case test.err == "" && (err != nil || got.String() != test.want):
			t.Errorf("%q: %v, %v", test.line, got, err)
		case test.err != "" && (err == nil || !strings.Contains(err.Error(), test.err)):
			t.Errorf("%q: %v, %v, want %s", test.line, got, err, test.err)
		}
	}
}

func TestOutput(t *testing.T) {
	b := newBoard()
	l := newLine(b, LineConfig{Line: "LED1", ActiveLow: true})
	if l.Read() != periph.Low || !errors.Is(l.Err(), os.ErrClosed) || l.Number() != -1 {
		t.Errorf("before it is claimed: %v", l.Err())
	}
	for _, level := range []periph.Level{periph.High, periph.Low, periph.High} {
		if err := l.Out(level); err != nil {
			t.Fatal(err)
		}
		if got, claimed := b.level("LED1"); !claimed || got != bool(level) || l.Read() != level || l.Err() != nil {
			t.Errorf("driven to %v: it is %v, reads %v, %v", level, got, l.Read(), l.Err())
		}
	}
	if f := b.flags(); !f.IsOutput() || !f.IsActiveLow() || f.IsInput() || len(b.lines) != 1 {
		t.Errorf("flags %b, claimed %d times", f, len(b.lines))
	}
	if l.String() != "LED1 (gpiochip0/2)" || l.Number() != 2 || l.Function() != "Out" || l.Name() != "LED1" {
		t.Errorf("%v, %d, %s", l, l.Number(), l.Function())
	}
	for range 2 {
		if err := l.Halt(); err != nil {
			t.Error(err)
		}
	}
	if l.Read() != periph.Low {
		t.Error("reads high after Halt")
	}
	b.hangUp(t)
}

func TestInput(t *testing.T) {
	b := newBoard()
	l := newLine(b, LineConfig{Line: "BTN1", Debounce: 10 * ms, Consumer: "test"})
	if err := l.In(periph.PullUp, periph.BothEdges); err != nil {
		t.Fatal(err)
	}
	want := uapi.LineFlagV2Input | uapi.LineFlagV2EdgeBoth | uapi.LineFlagV2BiasPullUp
	if b.flags() != want || b.last.Config.Attrs[0].Attr.Value32() != 10_000 || text(b.last.Consumer[:]) != "test" || l.Pull() != periph.PullUp {
		t.Errorf("claimed with %+v", b.last)
	}
	if l.WaitForEdge(0) || l.WaitForEdge(ms) {
		t.Error("an edge that was none")
	}
	b.edge(t, "BTN1", true, 1_000_000)
	b.edge(t, "BTN1", false, 3_000_000)
	for i, want := range []Edge{{periph.High, ms}, {periph.Low, 3 * ms}} {
		// Also what has come before a timeout that is over already.
		if timeout := []time.Duration{0, -1}[i]; !l.WaitForEdge(timeout) || l.LastEdge() != want {
			t.Errorf("edge %d: %+v, %v", i, l.LastEdge(), l.Err())
		}
	}
	if err := l.In(periph.Float, periph.NoEdge); err != nil || l.WaitForEdge(-1) || l.Function() != "In" {
		t.Errorf("without edges: %v", err)
	}
	if err := l.Halt(); err != nil {
		t.Error(err)
	}
	b.hangUp(t)
}

func TestHaltEndsTheWait(t *testing.T) {
	before := runtime.NumGoroutine()
	b := newBoard()
	l := newLine(b, LineConfig{Line: "BTN1"})
	if err := l.In(periph.PullNoChange, periph.RisingEdge); err != nil {
		t.Fatal(err)
	}
	done := make(chan bool)
	go func() { done <- l.WaitForEdge(-1) }()
	runtime.Gosched()
	for range 2 {
		if err := l.Halt(); err != nil {
			t.Error(err)
		}
	}
	if <-done {
		t.Error("an edge after Halt")
	}
	b.hangUp(t)
	for range 100 {
		if runtime.NumGoroutine() <= before {
			return
		}
		time.Sleep(ms)
	}
	t.Errorf("%d goroutines, %d before", runtime.NumGoroutine(), before)
}

// Whichever call fails, the error names the line and keeps the errno, and
// nothing stays open.
func TestLineFailures(t *testing.T) {
	for _, call := range []string{"open", "chip", "line", "request", "file"} {
		t.Run(call, func(t *testing.T) {
			b := newBoard()
			b.damage(call, unix.ENODEV)
			l := newLine(b, LineConfig{Line: "BTN1"})
			err := l.In(periph.PullUp, periph.BothEdges)
			var advice interface{ Hint() string }
			if !errors.Is(err, unix.ENODEV) || !strings.Contains(err.Error(), "line BTN1") || !errors.As(err, &advice) || !errors.Is(l.Err(), unix.ENODEV) {
				t.Errorf("got %v", err)
			}
			if l.WaitForEdge(-1) || bool(l.Read()) {
				t.Error("a line that is not claimed is read")
			}
			b.hangUp(t)
		})
	}
}

func TestLineInUse(t *testing.T) {
	b := newBoard()
	b.takers["LED1"] = "gpioset"
	err := newLine(b, LineConfig{Line: "LED1"}).Out(periph.High)
	if !errors.Is(err, unix.EBUSY) || !strings.Contains(err.Error(), `in use by "gpioset"`) {
		t.Errorf("got %v", err)
	}
	b.hangUp(t)
}

// A chip that goes takes its lines with it: reads fail, and a claimed line can
// be claimed anew once the chip is back.
func TestChipGoes(t *testing.T) {
	b := newBoard()
	l := newLine(b, LineConfig{Line: "LED1"})
	if err := l.Out(periph.High); err != nil {
		t.Fatal(err)
	}
	b.damage("values", unix.ENODEV)
	if level, err := l.Level(); level != periph.Low || !errors.Is(err, unix.ENODEV) || !errors.Is(l.Err(), unix.ENODEV) {
		t.Errorf("got %v, %v", level, err)
	}
	b.damage("setValues", unix.ENODEV)
	if err := l.Out(periph.High); !errors.Is(err, unix.ENODEV) {
		t.Errorf("set: %v", err)
	}
	l.Halt()
	b.damage("values", 0)
	if err := l.Out(periph.High); err != nil || l.Read() != periph.High {
		t.Errorf("back again: %v", err)
	}
	l.Halt()
	b.hangUp(t)
}

func TestBrokenEvents(t *testing.T) {
	b := newBoard()
	l := newLine(b, LineConfig{Line: "BTN1"})
	if err := l.In(periph.PullUp, periph.BothEdges); err != nil {
		t.Fatal(err)
	}
	if _, err := unix.Write(b.find("BTN1").write, []byte{1, 2, 3}); err != nil {
		t.Fatal(err)
	}
	if l.WaitForEdge(-1) || !errors.Is(l.Err(), unix.EIO) {
		t.Errorf("part of an edge: %v", l.Err())
	}
	l.Halt()
	b.hangUp(t)
}

func TestReadAllocatesNothing(t *testing.T) {
	b := newBoard()
	l := newLine(b, LineConfig{Line: "LED1"})
	if err := l.Out(periph.High); err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(100, func() { l.Read() }); n > 0 {
		t.Errorf("%v allocations a read", n)
	}
	l.Halt()
	b.hangUp(t)
}

func TestNoPWM(t *testing.T) {
	if err := NewLine(LineConfig{Line: "LED1"}).PWM(periph.DutyHalf, 0); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("got %v", err)
	}
}
