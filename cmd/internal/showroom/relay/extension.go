package relay

import (
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
)

// The RTP header extensions that travel from a publisher to its viewers. Each
// side numbers them as it likes (RFC 8285 section 6), so that they are remapped.
const (
	uriMid            = "urn:ietf:params:rtp-hdrext:sdes:mid"
	uriPlayoutDelay   = "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay"
	uriAbsCaptureTime = "http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time"
	uriTransportCC    = "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"
)

// extensionIDs are the numbers of one side, 0 where it did not negotiate one.
type extensionIDs struct {
	mid, playoutDelay, absCaptureTime uint8
}

func negotiatedIDs(parameters []webrtc.RTPHeaderExtensionParameter) (ids extensionIDs) {
	for _, p := range parameters {
		switch p.URI {
		case uriMid:
			ids.mid = uint8(p.ID)
		case uriPlayoutDelay:
			ids.playoutDelay = uint8(p.ID)
		case uriAbsCaptureTime:
			ids.absCaptureTime = uint8(p.ID)
		}
	}
	return ids
}

// extensions are the values that a packet carries, nil where it has none. They
// refer to the packet's memory.
type extensions struct {
	playoutDelay, absCaptureTime []byte
}

func readExtensions(h *rtp.Header, ids extensionIDs) (e extensions) {
	if ids.playoutDelay != 0 {
		e.playoutDelay = h.GetExtension(ids.playoutDelay)
	}
	if ids.absCaptureTime != 0 {
		e.absCaptureTime = h.GetExtension(ids.absCaptureTime)
	}
	return e
}

// writeExtensions replaces the extensions of h. Reusing its slice makes this free
// of allocations.
func writeExtensions(h *rtp.Header, ids extensionIDs, e extensions, mid []byte) {
	h.Extension, h.ExtensionProfile, h.Extensions = false, 0, h.Extensions[:0]
	put(h, ids.mid, mid)
	put(h, ids.playoutDelay, e.playoutDelay)
	put(h, ids.absCaptureTime, e.absCaptureTime)
}

// put adds one extension. The one-byte form (RFC 8285 section 4.2) holds ids up
// to 14 and up to 16 bytes, enough for all of these; what does not fit is left
// out, because every one of them is optional.
func put(h *rtp.Header, id uint8, value []byte) {
	if id == 0 || id > 14 || len(value) == 0 || len(value) > 16 {
		return
	}
	_ = h.SetExtension(id, value) // checks what the line above has checked
}
