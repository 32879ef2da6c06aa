// Package wire is what the host asks of the guest: net/rpc over a serial port.
package wire

import "time"

// Port is the name of the serial port.
const Port = "bril.guest"

// Service is the name under which the guest answers.
const Service = "Guest"

// Command is a program to run in the guest.
type Command struct {
	Args   []string
	Env    []string      // beside the guest's own
	Input  []byte        // on its standard input
	Limit  time.Duration // after which it is killed; 0 is never
	Output string        // Start: a file of the guest for its output; "" is none
}

// Result is how a program ended.
type Result struct {
	Code   int // 128 and more: by that signal
	Stdout []byte
	Stderr []byte
}

// Forward is a port of the guest's loopback that leads to one of the host's.
type Forward struct {
	Port int
	To   string // host:port
}

// Signal is for a program that was started.
type Signal struct{ PID, Signal int }

// File is a file of the guest with what is in it.
type File struct {
	Path string
	Data []byte
}
