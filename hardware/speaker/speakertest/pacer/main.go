// Command pacer takes 48 kHz mono samples of 16 bits on standard input as fast as a
// sound card does, and writes to standard output when it took each 10 ms, and them.
// It is for tests: what no card holds back, ALSA plays in no time.
package main

import (
	"bufio"
	"encoding/binary"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

const (
	chunk = 960 // bytes of 10 ms
	// held is the least that a pipe holds: 43 ms of sound.
	held = 4096
)

func main() {
	out := bufio.NewWriter(os.Stdout)
	if err := run(os.Stdin, out); err != nil {
		os.Stderr.WriteString("pacer: " + err.Error() + "\n")
		os.Exit(1)
	}
}

func run(in *os.File, out *bufio.Writer) error {
	small := false
	record := make([]byte, 8+chunk)
	next := time.Now()
	for {
		if _, err := io.ReadFull(in, record[8:]); err != nil {
			return nil // the device was closed
		}
		if !small { // what it holds already has to go first
			_, err := unix.FcntlInt(in.Fd(), unix.F_SETPIPE_SZ, held)
			small, next = err == nil, time.Now()
		}
		time.Sleep(time.Until(next))
		if next = next.Add(10 * time.Millisecond); time.Since(next) > 100*time.Millisecond {
			next = time.Now() // nothing came for a while
		}
		binary.LittleEndian.PutUint64(record, uint64(time.Now().UnixNano()))
		if _, err := out.Write(record); err != nil {
			return err
		}
		if err := out.Flush(); err != nil {
			return err
		}
	}
}
