package main

import (
	"fmt"
	"os"
	"strings"
	"time"
)

// ringFull is longer than it takes a pre-roll of ten seconds to come and to be
// overtaken by a GOP.
const ringFull = 15 * time.Second

// recording measures what it costs in memory to be ready for clips. An agent asks
// 127.0.0.1 whom clips are for, and no host by its name: at localhost there is
// nobody, and nothing is kept.
func (b *bench) recording() (lines []string, err error) {
	config := b.path("bril.yaml")
	if err := os.WriteFile(config, []byte("clip: {pre_roll: 10s, sound: true}\ntalkback: {output: in-ear}\n"), 0o600); err != nil {
		return nil, err
	}
	nowhere := strings.Replace(b.endpoint, "127.0.0.1", "localhost", 1)
	b.length = max(b.length, ringFull)
	for _, way := range []struct {
		name    string
		sources []string
	}{{"passed through", b.encoded()}, {"through openh264", b.raw()}} {
		b.say("memory with and without a pre-roll, %s, %v", way.name, b.length)
		sources := append(way.sources, "--config", config)
		list, err := b.sideBySide(b.agentAt("with", b.endpoint, sources), b.agentAt("without", nowhere, sources))
		if err != nil {
			return nil, err
		}
		with, without := list[0].PeakMiB, list[1].PeakMiB
		lines = append(lines, fmt.Sprintf("a pre-roll of 10 s at 2.5 Mb/s, %s, adds %.1f MiB: peak %.1f MiB, %.1f without",
			way.name, with-without, with, without))
	}
	return lines, nil
}
