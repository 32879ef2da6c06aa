package talkback

import "github.com/bril-edge/bril/encoder/opus"

// Voice is some of what the customer says, decoded. It is a type of its own, and
// nobody else can read its samples: it goes to the advisor's ear and nowhere else.
type Voice struct {
	// Twice what a packet holds, so that it can be stretched.
	samples [2 * opus.MaxSamples]int16
	at, end int  // what has not been heard lies between
	speech  bool // there is speech in it
}

func (v *Voice) empty() bool    { return v.at >= v.end }
func (v *Voice) length() int64  { return int64(v.end - v.at) }
func (v *Voice) rest() []int16  { return v.samples[v.at:v.end] }
func (v *Voice) hold(n int)     { v.at, v.end, v.speech = 0, n, false }
func (v *Voice) shorten(n int)  { v.end = v.at + len(shorten(v.rest(), n)) }
func (v *Voice) lengthen(n int) { v.end = v.at + len(lengthen(v.rest(), n)) }

// take moves to out what fits.
func (v *Voice) take(out []int16) int {
	n := copy(out, v.rest())
	v.at += n
	return n
}

func (v *Voice) silence(n int) {
	v.hold(min(n, len(v.samples)))
	clear(v.rest())
}

// decode returns how many samples came of a packet; 0 when it makes no sense.
func (v *Voice) decode(d decoder, packet []byte) int {
	n, err := d.Decode(packet, v.samples[:opus.MaxSamples])
	if err != nil {
		return 0
	}
	v.hold(n)
	return n
}

// granule is what concealed sound is a multiple of, 2.5 ms.
const granule = 5 * ms / 2

// whole rounds up to what libopus conceals at a time.
func whole(n int64) int {
	n = (n + granule - 1) / granule * granule
	return int(min(max(n, granule), opus.MaxSamples))
}

func (v *Voice) conceal(d decoder, n int64) int64 {
	v.hold(whole(n))
	if d.Conceal(v.rest()) != nil {
		clear(v.rest())
	}
	return v.length()
}

func (v *Voice) recover(d decoder, next []byte, n int64) int64 {
	v.hold(whole(n))
	if d.Recover(next, v.rest()) != nil {
		clear(v.rest())
	}
	return v.length()
}

// fade lets it end in silence.
func (v *Voice) fade() {
	rest := v.rest()
	for i := range rest {
		rest[i] = int16(int(rest[i]) * (len(rest) - i) / len(rest))
	}
}
