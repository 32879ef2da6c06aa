package m2m

import (
	"fmt"

	"github.com/bril-edge/bril/encoder"
	"github.com/bril-edge/bril/hardware/v4l2"
)

// BitRates returns the range in which the device can be told its rate; both 0 where it
// does not say. Open keeps within that range silently, as a rate that changes while
// live has to; who chooses one for good wants to know.
func (d Device) BitRates() (lowest, highest encoder.BitRate, err error) { return machine().bitRates(d) }

func (s system) bitRates(d Device) (lowest, highest encoder.BitRate, err error) {
	node, err := v4l2.OpenOn(s.kernel, d.Path)
	if err != nil {
		return 0, 0, fmt.Errorf("ask encoder %s for its bit rates: %w", d.Path, err)
	}
	defer node.Close()
	q, err := node.QueryCtrl(cidBitRate)
	switch {
	case v4l2.Unsupported(err), err == nil && (q.Flags&disabledOrReadOnly != 0 || q.Maximum <= q.Minimum):
		return 0, 0, nil
	case err != nil:
		return 0, 0, fmt.Errorf("ask encoder %s for its bit rates: %w", d.Path, err)
	}
	return encoder.BitRate(q.Minimum), encoder.BitRate(q.Maximum), nil
}
