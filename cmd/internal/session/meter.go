package session

import (
	"slices"
	"sync/atomic"
	"time"

	"github.com/bril-edge/bril/cmd/internal/control"
)

// window is how many frames the percentiles look back on: about 17 s at 30 fps.
const window = 512

// percentiles keeps the last durations of one stage. One goroutine adds, any
// may read; a read during an add is off by one sample at most.
type percentiles struct {
	ring  [window]atomic.Uint32 // in microseconds
	count atomic.Uint64
}

func (p *percentiles) add(d time.Duration) {
	n := p.count.Load()
	p.ring[n%window].Store(uint32(min(max(d, 0), time.Hour).Microseconds()))
	p.count.Store(n + 1)
}

// read returns the median and the 95th percentile in milliseconds.
func (p *percentiles) read() control.Percentiles {
	n := min(p.count.Load(), window)
	if n == 0 {
		return control.Percentiles{}
	}
	sorted := make([]uint32, n)
	for i := range sorted {
		sorted[i] = p.ring[i].Load()
	}
	slices.Sort(sorted)
	at := func(share float64) float64 {
		return float64(sorted[min(int(share*float64(n)), int(n)-1)]) / 1000
	}
	return control.Percentiles{P50: at(0.50), P95: at(0.95)}
}

// meter counts what passes the stages, since the daemon's start.
type meter struct {
	captured, encoded, sent, keyFrames atomic.Uint64
	copied                             atomic.Uint64 // or converted, before the encoder
	missed                             atomic.Uint64 // by the camera itself

	// dropped, by stage: capture (the path was behind, or the frame was broken),
	// encode (the encoder gave nothing), send (paused, or encoded for the recording
	// only as there is no connection), heat (the board is too hot for all of them).
	droppedCapture, droppedEncode, droppedSend, droppedHeat atomic.Uint64

	queue, encode, send percentiles
}

func (m *meter) video() control.Video {
	return control.Video{
		Captured:  m.captured.Load(),
		Encoded:   m.encoded.Load(),
		Sent:      m.sent.Load(),
		KeyFrames: m.keyFrames.Load(),
		Copies:    m.copied.Load(),
		Missed:    m.missed.Load(),
		Dropped: map[string]uint64{
			"capture": m.droppedCapture.Load(),
			"encode":  m.droppedEncode.Load(),
			"send":    m.droppedSend.Load(),
			"heat":    m.droppedHeat.Load(),
		},
	}
}

func (m *meter) latency() control.Latency {
	return control.Latency{Queue: m.queue.read(), Encode: m.encode.read(), PacketiseSend: m.send.read()}
}
