package session

import (
	"sync"

	"github.com/bril-edge/bril/capture"
	"github.com/bril-edge/bril/encoder"
)

// Tap is shown what is captured for a conversation, beside the connection: never
// black, notices or silence, nothing from a pause, and nothing that the endpoint
// sends. It is also shown what is captured while the connection is lost, and what
// is captured for it alone; see Session.Keep. Its methods return at once, keep
// copies only, and call nothing of the session.
//
// Frame and Video are called by one goroutine and Audio by another; Begin and End
// only while none of them runs.
type Tap interface {
	// Begin says that a conversation has become live, or goes on after a pause, or
	// that somebody keeps the sources running without one: what was kept before is
	// forgotten. What follows begins with a key frame.
	Begin()
	// End says that this has ended or pauses: likewise, and a running clip is
	// finished with what it has.
	End()
	// Frame shows a frame as the source delivered it, encoded or not, before it is
	// converted: also one that is not encoded, because the board is too hot.
	Frame(f *capture.Frame)
	// Video shows an access unit that was made of them.
	Video(au encoder.AccessUnit)
	// Audio shows a packet of the advisor's own microphone.
	Audio(p encoder.Packet)
}

// take numbers the times between a Begin of the Tap and its End; 0 is none of
// them.
type take int

// record is the way to the Tap. What is shown says of which take it is: what comes
// late, from before a pause, is not shown after it.
type record struct {
	tap Tap // nil for none

	// mu is held while the tap is called, which returns at once: once End has
	// returned nothing more is shown.
	mu   sync.RWMutex
	take take // that is open
	last take
}

// begin opens a take and returns it; 0 where there is no tap.
func (r *record) begin() take {
	if r.tap == nil {
		return 0
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.last++
	r.take = r.last
	r.tap.Begin()
	return r.take
}

func (r *record) end() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.take != 0 {
		r.take = 0
		r.tap.End()
	}
}

func (r *record) frame(of take, f *capture.Frame) {
	if of == 0 {
		return
	}
	r.mu.RLock()
	defer r.mu.RUnlock()
	if of == r.take {
		r.tap.Frame(f)
	}
}

func (r *record) video(of take, au encoder.AccessUnit) {
	if of == 0 {
		return
	}
	r.mu.RLock()
	defer r.mu.RUnlock()
	if of == r.take {
		r.tap.Video(au)
	}
}

func (r *record) audio(of take, p encoder.Packet) {
	if of == 0 {
		return
	}
	r.mu.RLock()
	defer r.mu.RUnlock()
	if of == r.take {
		r.tap.Audio(p)
	}
}

// record begins or ends a take. The stages hear of it after the beginning and
// before the end.
func (l *loop) record(on bool) {
	if on {
		l.media.out.record(l.recording.begin(), l.state.Kept)
		return
	}
	l.media.out.record(0, false)
	l.recording.end()
}
