package openh264

import (
	"slices"
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
	sent []sent          // pictures of the window that ends now, oldest first
	gain gain
	last int // bits of the last picture that was not an IDR picture

	// The encoder divides what it is asked for by its nominal frame rate. A camera
	// in the dark halves its own, and each picture may then have twice as much.
	nominal time.Duration // from picture to picture
	pace    time.Duration // as it is, smoothed
	latest  time.Duration // PTS of the latest picture
}

type sent struct {
	at   time.Duration
	bits int
}

func newBudget(rate encoder.BitRate, fps float64) *budget {
	nominal := time.Duration(float64(time.Second) / fps)
	return &budget{rate: rate, sent: make([]sent, 0, 256), nominal: nominal, pace: nominal}
}

// Shares of what the ceiling allows in a window, in percent.
const (
	aim   = 94  // what is aimed at: the rest is room for an IDR picture that somebody asks for
	limit = 100 // beyond it a picture that refers to another is not even encoded
	// hardLimit is beyond what no picture leaves. RTP and SRTP add some 3 % to it.
	hardLimit = 102
	// keyShare is how large an IDR picture should be at most: a new viewer waits
	// for all of it, a quarter of a second at the ceiling's rate.
	keyShare = 12
)

// over returns share percent of what the ceiling allows in a window, in bits.
func (b *budget) over(share int64) int {
	return int(int64(b.rate) * share / 100 * int64(window/time.Second))
}

// setRate changes the ceiling. What was sent before counts as if it had been sent
// under the new one: a window across the change may hold what the old ceiling
// allowed for its part and the new one for its own. Otherwise a lower ceiling
// would stop the picture until the window is empty.
func (b *budget) setRate(rate encoder.BitRate) {
	for i := range b.sent {
		b.sent[i].bits = int(int64(b.sent[i].bits) * int64(rate) / int64(b.rate))
	}
	b.last = int(int64(b.last) * int64(rate) / int64(b.rate))
	b.rate = rate
}

// advance tells of the next picture, at t, and forgets what has left the window
// that ends there. Time that runs backwards is a source that began anew; all
// before it is forgotten.
func (b *budget) advance(t time.Duration) {
	stale := 0
	for stale < len(b.sent) && b.sent[stale].at <= t-window {
		stale++
	}
	if n := len(b.sent); n > 0 && b.sent[n-1].at > t {
		stale = n
	}
	b.sent = b.sent[:copy(b.sent, b.sent[stale:])]
	if passed := t - b.latest; passed > 0 && passed <= slowest*b.nominal {
		b.pace += (passed - b.pace) / 8
	}
	b.latest = t
}

// slowest is how many nominal frame times a picture is waited for; longer is a
// pause, not a frame rate.
const slowest = 5

// room returns how many bits the next picture may have under this share of the
// ceiling; below 0 if there is more than that already.
func (b *budget) room(share int64) int {
	room := b.over(share)
	for _, s := range b.sent {
		room -= s.bits
	}
	return room
}

// least returns how many bits a picture has at least, by the last one: if there
// is no room for these, encoding it is a waste.
func (b *budget) least() int { return b.last / 2 }

// nearest is how far ahead ask looks at least: a single picture cannot be held
// to its size, but a quarter of a second of them can.
const nearest = 250 * time.Millisecond

// ask returns the rate to ask for at t: the highest that, kept up, exceeds what
// is aimed at in no window to come. A window is fullest just before a picture
// leaves it, so those are the ends to look at.
func (b *budget) ask(t time.Duration) encoder.BitRate {
	aimed := b.over(aim)
	rate := float64(aimed) / window.Seconds()
	kept := 0
	for _, s := range slices.Backward(b.sent) {
		kept += s.bits
		ahead := s.at + window - t
		if ahead < nearest {
			break
		}
		rate = min(rate, float64(aimed-kept)/ahead.Seconds())
	}
	return b.clamp(encoder.BitRate(rate * float64(b.pace) / float64(b.nominal) / b.gain.value()))
}

// askKey returns the rate to ask for an IDR picture at t, after one for which
// asked was asked and which has become bits large, 0 for none.
func (b *budget) askKey(t time.Duration, asked encoder.BitRate, bits int) encoder.BitRate {
	if bits == 0 {
		return b.ask(t)
	}
	fits := min(b.room(hardLimit), b.over(keyShare))
	return b.clamp(encoder.BitRate(float64(asked) * float64(fits) / float64(bits) * 0.8))
}

// clamp keeps the asked rate in the range in which the encoder follows it.
func (b *budget) clamp(rate encoder.BitRate) encoder.BitRate {
	return min(max(rate, b.rate/16, 16_000), 4*b.rate)
}

// add notes a picture that left at t and the rate that was asked for it.
func (b *budget) add(t time.Duration, bits int, asked encoder.BitRate, key bool) {
	if !key {
		b.gain.add(bits, float64(asked)*b.nominal.Seconds())
		b.last = bits
	}
	b.sent = append(b.sent, sent{t, bits})
}

// gain is how much an encoder makes of what it is asked for, over the last
// pictures, a second or so of them.
type gain struct{ made, asked float64 } // bits, older ones weighing less

const gainKeep = 1 - 1.0/30 // weight of the pictures before, at each

func (g *gain) add(made int, asked float64) {
	g.made = g.made*gainKeep + float64(made)
	g.asked = g.asked*gainKeep + asked
}

// value returns the gain, within what is believed: a still scene makes less than
// asked whatever is asked, and the rate must not run away meanwhile.
func (g *gain) value() float64 {
	if g.asked == 0 {
		return 1
	}
	return min(max(g.made/g.asked, 0.9), 2)
}
