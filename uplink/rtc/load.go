package rtc

import (
	"bytes"
	"context"
	"sync"
	"time"

	"github.com/bril-edge/bril/encoder"
	"github.com/bril-edge/bril/hardware/monotonic"
)

// Load is what the far end reported of what was sent to it.
type Load struct {
	Sent    encoder.BitRate // that left, on average
	Lost    float64         // share of packets, before they are sent again
	Reports int
	RTT     time.Duration // the longest
}

// Gauge collects what the far end reports. Its Estimate goes into a Config.
type Gauge struct {
	mu      sync.Mutex
	lost    float64 // sum over the reports
	reports int
	rtt     time.Duration
}

// Estimate takes one report.
func (g *Gauge) Estimate(e Estimate) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.rtt = max(g.rtt, e.RTT)
	if e.Lost >= 0 {
		g.lost += e.Lost
		g.reports++
	}
}

const (
	loadFPS = 30
	// reportWait is how long the last report is waited for: receivers report once a
	// second, what is in a queue on the way comes later.
	reportWait = 1200 * time.Millisecond
)

// Measure sends a picture again and again, padded to the rate, for so long, and
// returns what came of it.
func (g *Gauge) Measure(ctx context.Context, p *Publisher, picture []byte, rate encoder.BitRate, length time.Duration) (Load, error) {
	au := fill(picture, int(rate)/8/loadFPS)
	ticker := time.NewTicker(time.Second / loadFPS)
	defer ticker.Stop()
	begun, sent := time.Now(), 0
	for time.Since(begun) < length {
		now := monotonic.Now()
		if err := p.WriteVideo(encoder.AccessUnit{Data: au, PTS: now, Ready: now, Key: true}); err != nil {
			return Load{}, err
		}
		sent += len(au)
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return Load{}, ctx.Err()
		}
	}
	took := time.Since(begun)
	wait := time.NewTimer(reportWait)
	defer wait.Stop()
	select {
	case <-wait.C:
	case <-ctx.Done():
		return Load{}, ctx.Err()
	}
	packets, lost := p.video.losses()
	g.mu.Lock()
	defer g.mu.Unlock()
	l := Load{Sent: encoder.BitRate(float64(8*sent) / took.Seconds()), Reports: g.reports, RTT: g.rtt}
	if g.reports > 0 {
		l.Lost = g.lost / float64(g.reports)
	}
	// What was sent again in time is not missing in a report. What is asked for again
	// was lost.
	l.Lost = max(l.Lost, float64(lost)/float64(max(packets, 1)))
	return l, nil
}

// fill puts a message that decoders pass over before a picture: supplemental
// enhancement information, user_data_unregistered (ITU-T H.264 section D.2.7). A
// filler NAL unit would not travel.
func fill(picture []byte, size int) []byte {
	n := size - len(picture) - 8
	if n < 32 {
		return picture
	}
	const unregistered = 5
	var b bytes.Buffer
	b.Write([]byte{0, 0, 0, 1, 6, unregistered})
	for left := n; ; left -= 255 {
		if left < 255 {
			b.WriteByte(byte(left))
			break
		}
		b.WriteByte(255)
	}
	for range n { // no byte that looks like a start code
		b.WriteByte(0x55)
	}
	b.WriteByte(0x80)
	b.Write(picture)
	return b.Bytes()
}
