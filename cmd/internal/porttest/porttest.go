// Package porttest finds ports for programs that tests start.
package porttest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"testing"
)

// The ports that are tried. Linux gives those from 32768 on to whoever asks for any
// (docs.kernel.org, ip_local_port_range): one that was free a moment ago may be taken by
// a connection when the program listens, or comes back.
const (
	lowest  = 12000
	highest = 32000
)

// Address returns an address on loopback of which nobody uses the port, by TCP and UDP.
func Address(t testing.TB) string {
	t.Helper()
	address, err := Find()
	if err != nil {
		t.Fatal(err)
	}
	return address
}

// Find is Address for what has no test of package testing.
func Find() (string, error) {
	for range 100 {
		address := fmt.Sprintf("127.0.0.1:%d", lowest+rand.IntN(highest-lowest))
		if free(address) {
			return address, nil
		}
	}
	return "", errors.New("find a free port: none was free")
}

func free(address string) bool {
	stream, err := net.Listen("tcp", address)
	if err != nil {
		return false
	}
	defer stream.Close()
	packets, err := net.ListenPacket("udp", address)
	if err != nil {
		return false
	}
	packets.Close()
	return true
}
