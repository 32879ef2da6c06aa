// Command pacer takes 48 kHz of 16 channels of 32 bits on standard input as fast as a
// sound card does, and writes to standard output when it took each 10 ms, and the
// first channel in 16 bits. It is for tests: what no card holds back, ALSA plays in
// no time. There are so many channels because a pipe holds 4096 bytes at least, which
// are 1.3 ms of them.
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
	samples = 480    // of 10 ms
	frame   = 16 * 4 // bytes
	held    = 4096   // the least that a pipe holds
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
	chunk, record := make([]byte, samples*frame), make([]byte, 8+2*samples)
	next := time.Now()
	for {
		if _, err := io.ReadFull(in, chunk); err != nil {
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
		for i := range samples {
			copy(record[8+2*i:], chunk[i*frame+2:i*frame+4]) // the upper half
		}
		if _, err := out.Write(record); err != nil {
			return err
		}
		if err := out.Flush(); err != nil {
			return err
		}
	}
}
