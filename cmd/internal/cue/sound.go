package cue

import (
	"math"
	"math/rand/v2"
	"time"

	"github.com/bril-edge/bril/cmd/internal/session"
	"github.com/bril-edge/bril/hardware/alsa"
)

// level is the peak of a sound: -10 dB of full scale, which is about -16 dB on
// average, and leaves room for cues.volume_db and for a voice beside it.
const level = 0.32

// edge is how long a note takes to begin and to end, so that it does not click.
const edge = 8 * time.Millisecond

// note is one tone, from one frequency to another; 0 Hz is a rest.
type note struct {
	from, to float64 // Hz
	length   time.Duration
	harsh    bool // odd harmonics, as of a buzzer
	noise    bool // below the frequency, as of a mechanism
}

// Frequencies of equal temperament, A4 = 440 Hz, in the range that small
// earpieces play and ears tell apart well.
const (
	e4 = 329.63
	g4 = 392.00
	c5 = 523.25
	e5 = 659.26
	g5 = 783.99
	a5 = 880.00
	b5 = 987.77
	c6 = 1046.50
	e6 = 1318.51
)

// notes returns the sound of a cue. No two have the same contour and rhythm: what
// begins rises, what ends falls, troubles repeat, only a refusal buzzes, and only a
// camera clicks.
func notes(c session.Cue) []note {
	tone := func(hz float64, ms int) note {
		return note{from: hz, to: hz, length: time.Duration(ms) * time.Millisecond}
	}
	glide := func(from, to float64, ms int) note {
		return note{from: from, to: to, length: time.Duration(ms) * time.Millisecond}
	}
	buzz := func(hz float64, ms int) note {
		return note{from: hz, to: hz, length: time.Duration(ms) * time.Millisecond, harsh: true}
	}
	click := func(hz float64, ms int) note {
		return note{from: hz, to: hz, length: time.Duration(ms) * time.Millisecond, noise: true}
	}
	rest := func(ms int) note { return note{length: time.Duration(ms) * time.Millisecond} }
	switch c {
	case session.CueLive: // up
		return []note{tone(c5, 90), tone(g5, 90), tone(c6, 190)}
	case session.CuePaused: // level: long, short
		return []note{tone(e5, 220), rest(60), tone(e5, 90)}
	case session.CueEnded: // down
		return []note{tone(g5, 120), tone(c5, 240)}
	case session.CueEndedItself: // down, further and slower
		return []note{tone(c6, 160), rest(40), tone(g5, 160), rest(40), tone(e5, 160), rest(40), tone(c5, 300)}
	case session.CueEnding: // a clock
		return []note{tone(b5, 40), rest(160), tone(b5, 40), rest(160), tone(b5, 40), rest(160), tone(b5, 40)}
	case session.CueRefused: // a buzzer, twice
		return []note{buzz(e4, 110), rest(50), buzz(e4, 190)}
	case session.CuePoorNetwork: // to and fro
		return []note{tone(c6, 70), tone(a5, 70), tone(c6, 70), tone(a5, 70), tone(c6, 70), tone(a5, 70), tone(c6, 70), tone(a5, 70)}
	case session.CueFrozen: // nothing moves
		return []note{tone(g4, 650)}
	case session.CueBattery: // sinks
		return []note{glide(a5, e5, 230), rest(90), glide(e5, g4, 330)}
	case session.CueHeat: // a siren
		return []note{glide(c5, e6, 260), rest(40), glide(c5, e6, 260)}
	case session.CuePhoto: // a shutter opens and closes
		return []note{click(c6, 40), rest(50), click(g4, 120)}
	case session.CueClip: // a film camera starts
		return []note{click(c6, 40), rest(40), glide(g4, g5, 240)}
	case session.CueClipEnd: // and stops
		return []note{glide(g5, g4, 240), rest(40), click(c6, 40)}
	case session.CueFull: // a buzzer, down
		return []note{buzz(g5, 90), buzz(c5, 90), buzz(g4, 300)}
	}
	return ofCall(c, tone, glide, rest)
}

// ofCall returns the sounds of a call and of the customer in it.
func ofCall(c session.Cue, tone func(hz float64, ms int) note, glide func(from, to float64, ms int) note, rest func(ms int) note) []note {
	switch c {
	case session.CueRing: // a telephone
		return []note{tone(e6, 90), tone(g5, 90), tone(e6, 90), tone(g5, 90), rest(170), tone(e6, 90), tone(g5, 90), tone(e6, 90), tone(g5, 90)}
	case session.CueJoined: // steps come
		return []note{tone(g5, 80), rest(40), tone(g5, 80), rest(40), tone(e6, 220)}
	case session.CueLeft: // and go
		return []note{tone(e6, 220), rest(40), tone(g5, 80), rest(40), tone(g5, 80)}
	case session.CueTheirNetwork: // up and down, as far off
		return []note{glide(g4, c5, 130), glide(c5, g4, 130), glide(g4, c5, 130), glide(c5, g4, 130)}
	case session.CueTheyFreeze: // nothing moves, twice
		return []note{tone(a5, 260), rest(90), tone(a5, 260)}
	case session.CueThumbUp: // a fanfare
		return []note{tone(c5, 70), tone(e5, 70), tone(g5, 70), tone(c6, 70), tone(e6, 260)}
	case session.CueThumbDown: // and its contrary
		return []note{tone(c5, 160), rest(40), tone(e4, 420)}
	case session.CueProvisioning: // a search
		return []note{tone(a5, 60), rest(240), tone(a5, 60), rest(240), glide(a5, e6, 200)}
	case session.CueProvisioned: // found, and home
		return []note{tone(e6, 90), tone(c6, 90), rest(60), tone(e6, 90), tone(c6, 90), tone(g5, 300)}
	case session.CueCodeRefused: // found, and not home
		return []note{tone(e6, 90), rest(60), tone(e6, 90), glide(c5, e4, 320)}
	}
	return nil
}

// synthesise makes the sound of a cue.
func synthesise(c session.Cue) []int16 {
	var out []int16
	for _, n := range notes(c) {
		out = n.append(out)
	}
	return out
}

func (n note) append(out []int16) []int16 {
	count := count(n.length)
	phase := 0.0
	hiss := hiss{random: rand.NewPCG(1, 2)} // the same each time
	for i := range count {
		share := float64(i) / float64(count)
		// A glide is even to the ear: its pitch moves by equal ratios.
		hz := n.from
		if n.to != n.from {
			hz = n.from * math.Pow(n.to/n.from, share)
		}
		phase += 2 * math.Pi * hz / alsa.SampleRate
		wave := n.wave(phase)
		if n.noise {
			wave = hiss.next(hz)
		}
		out = append(out, int16(math.Round(math.MaxInt16*level*n.envelope(i, count)*wave)))
	}
	return out
}

// hiss is noise whose peaks are little above its average, so that it is as loud as
// a tone of the same peak.
type hiss struct {
	random    *rand.PCG
	low, soft float64 // after one low-pass, and after two
}

// next returns a sample from -1 to 1 with little above hz.
func (h *hiss) next(hz float64) float64 {
	white := float64(int64(h.random.Uint64())) / (1 << 63)
	pole := 2 * math.Pi * hz / alsa.SampleRate
	h.low += pole * (white - h.low)
	h.soft += pole * (h.low - h.soft)
	return math.Tanh(5 * h.soft / math.Sqrt(pole))
}

// wave is from -1 to 1: a tone with some of its octave and twelfth, which makes it
// easier to place than a pure one.
func (n note) wave(phase float64) float64 {
	switch {
	case n.from == 0:
		return 0
	case n.harsh:
		return (math.Sin(phase) + math.Sin(3*phase)/1.5 + math.Sin(5*phase)/2.5 + math.Sin(7*phase)/3.5) / 1.75
	}
	return (math.Sin(phase) + 0.3*math.Sin(2*phase) + 0.1*math.Sin(3*phase)) / 1.2
}

// envelope begins and ends at zero, on a cosine, and sinks a little in between as
// a struck bell does.
func (n note) envelope(i, of int) float64 {
	e := count(edge)
	gain := 1 - 0.4*float64(i)/float64(of)
	if nearest := min(i, of-1-i); nearest < e {
		gain *= (1 - math.Cos(math.Pi*float64(nearest)/float64(e))) / 2
	}
	return gain
}

func count(d time.Duration) int { return int(d * alsa.SampleRate / time.Second) }
