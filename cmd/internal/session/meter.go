package session

import (
	"sync/atomic"

	"github.com/bril-edge/bril/cmd/internal/control"
	"github.com/bril-edge/bril/cmd/internal/percentile"
	"github.com/bril-edge/bril/hardware/monotonic"
)

// meter counts what passes the stages, since the daemon's start.
type meter struct {
	captured, encoded, sent, keyFrames atomic.Uint64
	copied                             atomic.Uint64 // or converted, before the encoder
	missed                             atomic.Uint64 // by the camera itself

	// dropped, by stage: capture (the path was behind, or the frame was broken),
	// encode (the encoder gave nothing), send (paused, or encoded for the recording
	// only as there is no connection), heat (the board is too hot for all of them).
	droppedCapture, droppedEncode, droppedSend, droppedHeat atomic.Uint64

	queue, encode, send, total percentile.Window

	rate rate // of what is sent
}

func (m *meter) video() control.Video {
	return control.Video{
		Captured:  m.captured.Load(),
		Encoded:   m.encoded.Load(),
		Sent:      m.sent.Load(),
		KeyFrames: m.keyFrames.Load(),
		Copies:    m.copied.Load(),
		Missed:    m.missed.Load(),
		FPS:       m.rate.read(monotonic.Now()),
		Dropped: map[string]uint64{
			"capture": m.droppedCapture.Load(),
			"encode":  m.droppedEncode.Load(),
			"send":    m.droppedSend.Load(),
			"heat":    m.droppedHeat.Load(),
		},
	}
}

func (m *meter) latency() control.Latency {
	return control.Latency{Queue: m.queue.Read(), Encode: m.encode.Read(), PacketiseSend: m.send.Read(), Total: m.total.Read()}
}
