package rtc

import (
	"fmt"
	"sync/atomic"

	"github.com/pion/webrtc/v4"
)

// nominateNow returns what makes ICE nominate a way as soon as it was answered.
// pion looks whether a pair has been answered every 200 ms, an interval that
// webrtc has no setting for, or when it gets a candidate. An ICE lite endpoint,
// which sends no checks of its own (RFC 8445 section 2.5), would wait for that
// each time.
//
// The candidate that it gets is one that nothing is ever sent to: a far end that
// would open a TCP connection at the same moment as we do (RFC 6544 section 4.5),
// which pion does from no candidate of its own. Its address is the documentation's
// (RFC 5737), and the port another each time, since pion passes over what it knows.
func nominateNow(peer *webrtc.PeerConnection) func() {
	const most = 8 // sockets, of addresses and STUN servers: the others wait
	var heard atomic.Int32
	return func() {
		n := heard.Add(1)
		if n > most {
			return
		}
		line := fmt.Sprintf("candidate:0 1 tcp 1 192.0.2.1 %d typ host tcptype so", n)
		zero := uint16(0)
		go func() { // the reader of a socket must not wait for the connection's lock
			// An error means that the connection is being closed.
			_ = peer.AddICECandidate(webrtc.ICECandidateInit{Candidate: line, SDPMLineIndex: &zero})
		}()
	}
}
