package session

import (
	"time"

	"github.com/bril-edge/bril/encoder"
	"github.com/bril-edge/bril/hardware/monotonic"
	"github.com/bril-edge/bril/uplink/rtc"
)

// Rates below which a picture is of no use, and how the target moves: the
// loss-based part of draft-ietf-rmcat-gcc (section 6), with growth for quiet
// seconds only.
const (
	minBitRate  encoder.BitRate = 200_000
	lossMuch                    = 0.10 // above it, down
	lossLittle                  = 0.02 // below it, up
	growth                      = 1.05 // a second
	growthEvery                 = time.Second
	cutEvery                    = time.Second // a cut must show before the next

	// The network is strained when the target has been at its least for a while,
	// until it has grown well above.
	strainAfter = 5 * time.Second
	strainOver  = 1.5 // times the least
)

// rateController turns what the far end reports into the encoder's bit rate. It
// has no clock of its own.
type rateController struct {
	target, limit encoder.BitRate
	moved         time.Duration
	strained      bool
}

// setLimit is for when there may be less, or more again.
func (c *rateController) setLimit(limit encoder.BitRate, now time.Duration) {
	c.limit = limit
	if c.target > limit {
		c.target, c.moved = limit, now
	}
}

func newRateController(limit encoder.BitRate) rateController {
	return rateController{target: limit, limit: limit}
}

// heard returns the target after a report at the moment now.
func (c *rateController) heard(e rtc.Estimate, now time.Duration) encoder.BitRate {
	next := c.target
	switch since := now - c.moved; {
	case e.Lost > lossMuch && since >= cutEvery:
		next = encoder.BitRate(float64(next) * (1 - 0.5*e.Lost))
	case e.Lost >= 0 && e.Lost < lossLittle && since >= growthEvery:
		next = encoder.BitRate(float64(next) * growth)
	}
	if e.Available > 0 {
		next = min(next, e.Available)
	}
	next = min(max(next, c.least()), c.limit)
	if next != c.target {
		c.target, c.moved = next, now
	}
	c.judge(now)
	return c.target
}

func (c *rateController) least() encoder.BitRate { return min(minBitRate, c.limit) }

// judge says whether the network is strained. A limit that leaves no room below
// it says nothing of the network.
func (c *rateController) judge(now time.Duration) {
	switch least := c.least(); {
	case c.target == least && least < c.limit && now-c.moved >= strainAfter:
		c.strained = true
	case float64(c.target) >= min(strainOver*float64(least), float64(c.limit)):
		c.strained = false
	}
}

// heard is a report of the far end. The policy knows nothing of it, only of the
// strain that may come of it.
type heard struct {
	Generation
	estimate rtc.Estimate
}

func (heard) event() {}

// adapt sets the encoder's rate from what the far end reports, and returns what
// the policy is to know of it; nil for nothing.
func (l *loop) adapt(e heard) Event {
	if l.publisher == nil {
		return nil // heard while the connection was being made
	}
	l.media.setRate(l.rates.heard(e.estimate, monotonic.Now()))
	if l.rates.strained == l.state.Strained {
		return nil
	}
	return Strain{e.Generation, l.rates.strained}
}
