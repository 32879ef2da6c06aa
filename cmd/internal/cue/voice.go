package cue

import "sync"

// voice is what a device is filled with: one cue after the other, and silence
// between them.
type voice struct {
	mu   sync.Mutex
	left []int16       // of the cue
	done chan struct{} // closed when nothing is left; nil between cues
}

// say begins a cue, and returns what is closed once the device has taken all of
// it.
func (v *voice) say(pcm []int16) <-chan struct{} {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.left, v.done = pcm, make(chan struct{})
	return v.done
}

// cut ends the cue within the edge of a note, so that it does not click.
func (v *voice) cut() {
	v.mu.Lock()
	defer v.mu.Unlock()
	n := min(len(v.left), count(edge))
	v.left = append([]int16(nil), v.left[:n]...)
	for i := range v.left {
		v.left[i] = int16(int(v.left[i]) * (n - 1 - i) / n)
	}
}

// silence leaves out what is left of a cue, when its device is closed: the next
// device asks for sound as soon as it opens, before there is another cue.
func (v *voice) silence() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.left, v.done = nil, nil
}

// fill is called by the device.
func (v *voice) fill(out []int16) {
	v.mu.Lock()
	defer v.mu.Unlock()
	n := copy(out, v.left)
	clear(out[n:])
	v.left = v.left[n:]
	if len(v.left) == 0 && v.done != nil {
		close(v.done)
		v.done = nil
	}
}
