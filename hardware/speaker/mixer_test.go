package speaker

import (
	"errors"
	"slices"
	"testing"

	"github.com/bril-edge/bril/hardware/alsa"
)

// played is a device that asks when a test wants it to.
type played struct {
	fill   func([]int16)
	gone   chan struct{}
	closed int
}

func (p *played) Gone() <-chan struct{} { return p.gone }
func (p *played) Close() error          { p.closed++; return nil }

// ask returns the next 10 ms.
func (p *played) ask() []int16 {
	out := make([]int16, alsa.SampleRate/100)
	for i := range out {
		out[i] = 99 // of before
	}
	p.fill(out)
	return out
}

func newMixer(t *testing.T) (*Mixer, *[]*played) {
	t.Helper()
	m, devices := NewMixer(Config{}), &[]*played{}
	m.open = func(_ Config, fill func([]int16)) (device, error) {
		d := &played{fill: fill, gone: make(chan struct{})}
		*devices = append(*devices, d)
		return d, nil
	}
	return m, devices
}

func same(value int16) func([]int16) {
	return func(out []int16) {
		for i := range out {
			out[i] = value
		}
	}
}

// voice puts the same value everywhere.
func voice(value int16) func(*Ear) {
	return func(e *Ear) {
		samples := make([]int16, e.Len()+5) // more than fits
		same(value)(samples)
		e.Put(0, samples[:100])
		e.Put(100, samples)
		e.Put(-1, samples)
		e.Put(e.Len(), samples)
	}
}

// Cues and the voice share one device, and the voice steps back for cues.
func TestMixer(t *testing.T) {
	m, devices := newMixer(t)
	below, err := m.Below(voice(10_000))
	if err != nil {
		t.Fatal(err)
	}
	d := (*devices)[0]
	if out := d.ask(); !slices.Equal(out, slices.Repeat([]int16{10_000}, len(out))) {
		t.Errorf("the voice alone is %v", out[:5])
	}
	above, err := m.Above(same(300))
	if err != nil {
		t.Fatal(err)
	}
	if len(*devices) != 1 {
		t.Fatalf("%d devices were opened", len(*devices))
	}
	last := int16(10_000 + 300)
	for range 5 {
		out := d.ask()
		for i, x := range out {
			if x > last || last-x > 30 {
				t.Fatalf("sample %d is %d after %d", i, x, last)
			}
			last = x
		}
	}
	if last != 2000+300 {
		t.Errorf("under a cue the voice is %d", last-300)
	}
	for range 2 {
		if err := above.Close(); err != nil {
			t.Error(err)
		}
	}
	for range 31 {
		d.ask()
	}
	if out := d.ask(); out[0] != 10_000 || d.closed != 0 {
		t.Errorf("after the cue the voice is %d, and the device closed %d times", out[0], d.closed)
	}
	for range 2 {
		if err := below.Close(); err != nil {
			t.Error(err)
		}
	}
	if d.closed != 1 {
		t.Errorf("the device was closed %d times", d.closed)
	}
	if out := d.ask(); out[0] != 0 {
		t.Error("heard after its end")
	}
	if _, err := m.Above(same(1)); err != nil || len(*devices) != 2 {
		t.Errorf("opened again: %v, %d devices", err, len(*devices))
	}
}

func TestMixerIsAsLoudAsFits(t *testing.T) {
	m, devices := newMixer(t)
	for _, v := range []int16{30_000, 30_000} {
		if _, err := m.Above(same(v)); err != nil {
			t.Fatal(err)
		}
	}
	if out := (*devices)[0].ask(); out[7] != 32_767 {
		t.Errorf("%d", out[7])
	}
}

func TestMixerWithoutDevice(t *testing.T) {
	m, devices := newMixer(t)
	works := m.open
	m.open = func(Config, func([]int16)) (device, error) { return nil, ErrNoSpeaker }
	if s, err := m.Below(voice(1)); s != nil || !errors.Is(err, ErrNoSpeaker) {
		t.Errorf("%v, %v", s, err)
	}
	m.open = works
	first, err := m.Below(voice(1))
	if err != nil {
		t.Fatal(err)
	}
	close((*devices)[0].gone)
	if s, err := m.Above(same(1)); s != nil || !errors.Is(err, alsa.ErrGone) {
		t.Errorf("on a device that was unplugged: %v, %v", s, err)
	}
	<-first.Gone()
	first.Close()
	if _, err := m.Above(same(1)); err != nil {
		t.Errorf("on the next: %v", err)
	}
}
