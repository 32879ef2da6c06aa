package rtc

import (
	"context"
	"fmt"

	"github.com/pion/webrtc/v4"
)

// maxNominations is of sockets, of addresses and STUN servers: the others wait.
const maxNominations = 8

// nominateWhenHeard makes ICE nominate a way as soon as it was answered, which heard
// tells, until ctx ends. pion looks whether a pair has been answered every 200 ms, an
// interval that webrtc has no setting for, or when it gets a candidate. An ICE lite
// endpoint, which sends no checks of its own (RFC 8445 section 2.5), would wait for
// that each time.
//
// The candidate that it gets is one that nothing is ever sent to: a far end that
// would open a TCP connection at the same moment as we do (RFC 6544 section 4.5),
// which pion does from no candidate of its own. Its address is the documentation's
// (RFC 5737), and the port another each time, since pion passes over what it knows.
func nominateWhenHeard(ctx context.Context, peer *webrtc.PeerConnection, heard <-chan struct{}) {
	for n := range maxNominations {
		select {
		case <-heard:
		case <-ctx.Done():
			return
		}
		line := fmt.Sprintf("candidate:0 1 tcp 1 192.0.2.1 %d typ host tcptype so", n+1)
		zero := uint16(0)
		// An error means that the connection is being closed.
		_ = peer.AddICECandidate(webrtc.ICECandidateInit{Candidate: line, SDPMLineIndex: &zero})
	}
}
