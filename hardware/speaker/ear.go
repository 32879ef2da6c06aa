package speaker

// Ear is where sound goes that is for the advisor's ear and nobody else's: it can
// be put in, and only this package reads it, into the device. What is heard by an
// Ear can so be neither sent nor kept.
type Ear struct {
	out        []int16
	from, goal float32 // gain at the first sample and after the last
}

// Len returns how many samples the device asks for.
func (e *Ear) Len() int { return len(e.out) }

// Put adds samples to what is to be heard, from sample at on. What does not fit is
// left out.
func (e *Ear) Put(at int, samples []int16) {
	if at < 0 || at >= len(e.out) {
		return
	}
	out := e.out[at:]
	step := (e.goal - e.from) / float32(len(e.out))
	gain := e.from + step*float32(at)
	for i, s := range samples[:min(len(samples), len(out))] {
		out[i] = add(out[i], int16(float32(s)*gain))
		gain += step
	}
}

// add is what both are together, as loud as fits.
func add(a, b int16) int16 { return int16(min(max(int32(a)+int32(b), -1<<15), 1<<15-1)) }
