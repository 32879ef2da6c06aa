package openh264

import (
	"time"

	"github.com/bril-edge/bril/encoder"
)

// window is the time over which the bitrate's ceiling holds, wherever it starts.
const window = 2 * time.Second

// budget decides what rate to ask of an encoder that does not keep to it. With
// frame skip off openh264 makes some 10 % more than asked, and its IDR pictures
// take what they need. It knows what left in the last 2 s, and so what may still
// leave. It has no clock: time is the pictures' PTS.
type budget struct {
	rate encoder.BitRate // the ceiling
	sent []sent          // pictures of the last window, oldest first
	gain gain
	last int // bits of the last picture that was not an IDR picture
}

type sent struct {
	at   time.Duration
	bits int
}

func newBudget(rate encoder.BitRate) *budget {
	return &budget{rate: rate, sent: make([]sent, 0, 256)}
}

// Shares of the ceiling, in percent: what is aimed at, and what never leaves.
// Between them is the room for an IDR picture that somebody asks for.
const (
	aim   = 95
	limit = 102 // leaves 3 % for RTP's headers, below 5 %
)

// over returns share percent of what the ceiling allows in d, in bits.
func (b *budget) over(d time.Duration, share int64) int {
	return int(int64(b.rate) * share / 100 * d.Milliseconds() / 1000)
}

// kept returns how many bits of what was sent count in the window that ends at t.
func (b *budget) kept(t time.Duration) int {
	sum := 0
	for _, s := range b.sent {
		if s.at > t-window {
			sum += s.bits
		}
	}
	return sum
}

// room returns how many bits a picture at t may have.
func (b *budget) room(t time.Duration) int { return b.over(window, limit) - b.kept(t) }

// least returns how many bits a picture has at least, by the last one: if there
// is no room for these, encoding it is a waste.
func (b *budget) least() int { return b.last / 2 }

// horizons are how far ahead ask looks. A longer one alone would let the rate
// stay too high until just before the window is full.
var horizons = [...]time.Duration{window / 8, window / 4, window / 2, window}

// ask returns the rate to ask for at t: the highest that, kept up, exceeds what
// is aimed at in no window that ends at one of the horizons.
func (b *budget) ask(t time.Duration) encoder.BitRate {
	aimed := b.over(window, aim)
	rate := b.rate
	for _, h := range horizons {
		allowed := encoder.BitRate(float64(aimed-b.kept(t+h)) / h.Seconds())
		rate = min(rate, allowed)
	}
	return b.clamp(encoder.BitRate(float64(rate) / b.gain.value()))
}

// askKey returns the rate to ask for an IDR picture at t. Each further attempt
// halves it.
func (b *budget) askKey(t time.Duration, attempt int) encoder.BitRate {
	return b.clamp(b.ask(t) >> attempt)
}

// clamp keeps the asked rate in the range in which the encoder follows it.
func (b *budget) clamp(rate encoder.BitRate) encoder.BitRate {
	return min(max(rate, b.rate/16, 16_000), 2*b.rate)
}

// add notes a picture that left at t and the rate that was asked for it.
func (b *budget) add(t time.Duration, bits int, asked encoder.BitRate, key bool) {
	if n := len(b.sent); n > 0 && !key {
		b.gain.add(bits, asked, t-b.sent[n-1].at)
	}
	if !key {
		b.last = bits
	}
	stale := 0
	for stale < len(b.sent) && b.sent[stale].at <= t-window {
		stale++
	}
	b.sent = append(b.sent[:copy(b.sent, b.sent[stale:])], sent{t, bits})
}

// gain is how much an encoder makes of what it is asked for, over the last
// second or so. It also covers a camera that delivers fewer or more frames than
// its nominal rate, which is what the encoder divides its rate by.
type gain struct{ made, asked float64 } // bits, older ones weighing less

const gainTime = time.Second

func (g *gain) add(bits int, asked encoder.BitRate, passed time.Duration) {
	passed = min(max(passed, 0), gainTime)
	keep := 1 - passed.Seconds()/gainTime.Seconds()
	g.made = g.made*keep + float64(bits)
	g.asked = g.asked*keep + float64(asked)*passed.Seconds()
}

// value returns the gain, within what is believed: a still scene makes less than
// asked whatever is asked, and the rate must not run away meanwhile.
func (g *gain) value() float64 {
	if g.asked == 0 {
		return 1
	}
	return min(max(g.made/g.asked, 0.9), 2)
}
