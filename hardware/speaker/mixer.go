package speaker

import (
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/bril-edge/bril/hardware/alsa"
)

// The sound below steps back while there is a cue above it, in this much time and
// by this much, and comes back more slowly.
const (
	duckGain  = 0.2 // -14 dB
	duckTime  = 40 * time.Millisecond
	raiseTime = 300 * time.Millisecond
)

// Mixer has several sources play on one device, which ALSA opens only once. The
// device is open while there is any source, and no longer.
type Mixer struct {
	cfg  Config
	open func(Config, func([]int16)) (device, error)

	opening sync.Mutex // held while the device is opened or closed; before mixing
	device  device     // nil while there is no source

	mixing  sync.Mutex // held during fill, so that what was closed is not called
	sources []*Source
	gain    float32 // of what is below
	scratch []int16
}

// device is a *Speaker.
type device interface {
	Gone() <-chan struct{}
	Close() error
}

// NewMixer makes a mixer. It opens nothing.
func NewMixer(cfg Config) *Mixer {
	return &Mixer{cfg: cfg, gain: 1, open: func(cfg Config, fill func([]int16)) (device, error) {
		s, err := Open(cfg, fill)
		if err != nil {
			return nil, err // not s: a nil *Speaker is not a nil interface
		}
		return s, nil
	}}
}

// Source is one of those that play.
type Source struct {
	mixer *Mixer
	gone  <-chan struct{}
	above func([]int16)
	below func(*Ear)
	close sync.Once
}

// Above adds a source in whose favour those below step back. Fill is called as
// Open's is.
func (m *Mixer) Above(fill func(out []int16)) (*Source, error) { return m.add(&Source{above: fill}) }

// Below adds a source that is for the ear alone. Hear is called as Open's fill is,
// and need not put anything.
func (m *Mixer) Below(hear func(*Ear)) (*Source, error) { return m.add(&Source{below: hear}) }

func (m *Mixer) add(s *Source) (*Source, error) {
	m.opening.Lock()
	defer m.opening.Unlock()
	s.mixer = m
	if m.device == nil {
		var err error
		if m.device, err = m.open(m.cfg, m.fill); err != nil {
			m.device = nil
			return nil, err
		}
	}
	s.gone = m.device.Gone()
	m.mixing.Lock()
	m.sources = append(m.sources, s)
	m.mixing.Unlock()
	select {
	case <-s.gone: // and another source has not closed it yet
		return nil, errors.Join(alsa.ErrGone, m.remove(s))
	default:
		return s, nil
	}
}

// Gone is closed when the device has stopped by itself, as Speaker's is.
func (s *Source) Gone() <-chan struct{} { return s.gone }

// Close ends the source, and closes the device after the last one. Nothing of the
// source is called once it has returned. A second call does nothing.
func (s *Source) Close() (err error) {
	s.close.Do(func() {
		s.mixer.opening.Lock()
		defer s.mixer.opening.Unlock()
		err = s.mixer.remove(s)
	})
	return err
}

// remove is called with opening held.
func (m *Mixer) remove(s *Source) error {
	m.mixing.Lock()
	m.sources = slices.DeleteFunc(m.sources, func(other *Source) bool { return other == s })
	last := len(m.sources) == 0
	m.mixing.Unlock()
	if !last {
		return nil
	}
	err := m.device.Close() // fill may wait for mixing meanwhile
	m.device, m.gain = nil, 1
	return err
}

// fill is called by the device.
func (m *Mixer) fill(out []int16) {
	m.mixing.Lock()
	defer m.mixing.Unlock()
	clear(out)
	from := m.gain
	m.gain = m.duck(len(out))
	ear := Ear{out: out, from: from, goal: m.gain}
	for _, s := range m.sources {
		if s.below != nil {
			s.below(&ear)
			continue
		}
		if len(m.scratch) < len(out) {
			m.scratch = make([]int16, len(out))
		}
		above := m.scratch[:len(out)]
		s.above(above)
		for i, a := range above {
			out[i] = add(out[i], a)
		}
	}
}

// duck returns the gain of what is below after n samples more.
func (m *Mixer) duck(n int) float32 {
	step := func(in time.Duration) float32 {
		return (1 - duckGain) * float32(n) / (float32(in.Seconds()) * alsa.SampleRate)
	}
	if slices.ContainsFunc(m.sources, func(s *Source) bool { return s.above != nil }) {
		return max(m.gain-step(duckTime), duckGain)
	}
	return min(m.gain+step(raiseTime), 1)
}
