package rtc

import (
	"net"
	"strings"
	"testing"

	"github.com/bril-edge/bril/uplink/whip"
)

// A server is one that gives an address away; one that does not is named.
func TestReach(t *testing.T) {
	r := newRelay(t)
	silent, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	password := whip.NewSecret(turnPassword)
	tests := []struct {
		server whip.ICEServer
		words  string // of the error; "" for none
	}{
		{whip.ICEServer{URL: "stun:" + r.address["udp"]}, ""},
		{whip.ICEServer{URL: r.url("udp"), Username: turnUser, Credential: password}, ""},
		{whip.ICEServer{URL: r.url("tcp"), Username: turnUser, Credential: password}, ""},
		{whip.ICEServer{URL: r.url("udp"), Username: turnUser, Credential: whip.NewSecret("wrong")}, "turn:"},
		{whip.ICEServer{URL: r.url("udp")}, "without username"},
		{whip.ICEServer{URL: "stun:" + silent.LocalAddr().String()}, "no answer"},
	}
	for _, test := range tests {
		took, err := Reach(t.Context(), test.server)
		switch {
		case test.words == "" && (err != nil || took <= 0):
			t.Errorf("%s: %v, %v", test.server.URL, took, err)
		case test.words != "" && (err == nil || !strings.Contains(err.Error(), test.words) || strings.Contains(err.Error(), turnPassword)):
			t.Errorf("%s: %v", test.server.URL, err)
		}
	}
}
