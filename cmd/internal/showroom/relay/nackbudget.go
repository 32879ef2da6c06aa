package relay

import (
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/rtcp"
	"golang.org/x/time/rate"
)

// A viewer that loses everything asks for some hundred packets a second. One
// RTCP packet can name thousands, so that a hostile one would have the relay
// send a thousand times what it receives.
const (
	nackRate  = 1500 // packets a second
	nackBurst = 1024
)

// nackBudgetFactory puts a limit on what one viewer can have sent again. It sits
// in front of the responder and hides from it the NACKs beyond.
type nackBudgetFactory struct{}

// NewInterceptor implements interceptor.Factory.
func (nackBudgetFactory) NewInterceptor(string) (interceptor.Interceptor, error) {
	return &nackBudget{limit: rate.NewLimiter(nackRate, nackBurst)}, nil
}

type nackBudget struct {
	interceptor.NoOp
	limit *rate.Limiter // of both tracks together
}

// BindRTCPReader implements interceptor.Interceptor.
func (n *nackBudget) BindRTCPReader(next interceptor.RTCPReader) interceptor.RTCPReader {
	return interceptor.RTCPReaderFunc(func(b []byte, a interceptor.Attributes) (int, interceptor.Attributes, error) {
		for {
			size, attributes, err := next.Read(b, a)
			if err != nil || n.allows(b[:size]) {
				return size, attributes, err
			}
		}
	})
}

// allows leaves packets that it cannot read to those who come after it.
func (n *nackBudget) allows(b []byte) bool {
	packets, err := rtcp.Unmarshal(b)
	if err != nil {
		return true
	}
	asked := 0
	for _, p := range packets {
		if request, ok := p.(*rtcp.TransportLayerNack); ok {
			for _, pair := range request.Nacks {
				asked += len(pair.PacketList())
			}
		}
	}
	return asked == 0 || n.limit.AllowN(time.Now(), asked)
}
