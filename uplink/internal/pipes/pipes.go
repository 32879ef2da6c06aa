// Package pipes is a network of net.Pipe for tests, on which the clock of
// testing/synctest runs: a test may wait for real bounds without waiting.
package pipes

import (
	"context"
	"net"
)

// Network is a listener, and the way to it.
type Network struct {
	conns  chan net.Conn
	closed chan struct{}
}

// New returns a network that nobody has dialled yet.
func New() *Network { return &Network{make(chan net.Conn), make(chan struct{})} }

// Accept returns the next connection.
func (n *Network) Accept() (net.Conn, error) {
	select {
	case conn := <-n.conns:
		return conn, nil
	case <-n.closed:
		return nil, net.ErrClosed
	}
}

// Close ends Accept. It is called once.
func (n *Network) Close() error { close(n.closed); return nil }

// Addr returns no address in particular.
func (n *Network) Addr() net.Addr { return &net.TCPAddr{} }

// Dial connects, whatever the address.
func (n *Network) Dial(ctx context.Context, _, _ string) (net.Conn, error) {
	here, there := net.Pipe()
	select {
	case n.conns <- there:
		return here, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
