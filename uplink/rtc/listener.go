package rtc

import (
	"time"

	"github.com/bril-edge/bril/encoder"
	"github.com/bril-edge/bril/hardware/monotonic"
)

// listener acts on the feedback about one track.
type listener struct {
	publisher *Publisher
	track     *track
}

func (l *listener) nack(ssrc uint32, sequence uint16) {
	if ssrc == l.track.ssrc() {
		l.track.resend(sequence, monotonic.Now())
	}
}

func (l *listener) keyFrame(ssrc uint32) {
	if l.track != l.publisher.video || ssrc != l.track.ssrc() {
		return
	}
	l.publisher.stats.keyFrames.Add(1)
	if l.publisher.cfg.KeyFrame != nil {
		l.publisher.cfg.KeyFrame()
	}
}

func (l *listener) estimate(bitsPerSecond uint64) {
	l.publisher.stats.available.Store(bitsPerSecond)
	l.tell(Estimate{Lost: -1})
}

func (l *listener) received(ssrc uint32, r reception) {
	if ssrc != l.track.ssrc() {
		return
	}
	if r.rtt > 0 {
		l.publisher.stats.rtt.Store(int64(r.rtt))
	}
	if l.track == l.publisher.video {
		l.tell(Estimate{Lost: r.lost})
	}
}

// tell passes on what was just heard, with what is known already.
func (l *listener) tell(e Estimate) {
	if l.publisher.cfg.Estimate == nil {
		return
	}
	e.RTT = time.Duration(l.publisher.stats.rtt.Load())
	e.Available = encoder.BitRate(l.publisher.stats.available.Load())
	l.publisher.cfg.Estimate(e)
}

// Stats are counted since Dial.
type Stats struct {
	RTT     time.Duration   // 0 when unknown
	Sent    encoder.BitRate // picture and sound of the last whole second, without headers
	Packets uint64          // RTP packets of both, without retransmissions
	NACK    uint64          // packets asked for again
	PLI     uint64          // key frames asked for
	Dropped uint64          // packets that the kernel did not take
}

// Stats returns the counters as they stand.
func (p *Publisher) Stats() Stats {
	s := Stats{
		RTT:     time.Duration(p.stats.rtt.Load()),
		Sent:    p.leaves.rate(monotonic.Now()),
		PLI:     p.stats.keyFrames.Load(),
		Dropped: p.sockets.Stats().Dropped,
	}
	for _, t := range []*track{p.video, p.audio} {
		if t != nil {
			packets, nacked := t.counts()
			s.Packets += packets
			s.NACK += nacked
		}
	}
	return s
}
