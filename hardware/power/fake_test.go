package power

import (
	"io/fs"
	"strings"
	"sync"
	"testing/fstest"
)

// board is a sysfs that changes while it is read.
type board struct {
	mu    sync.Mutex
	files fstest.MapFS
}

func (b *board) Open(name string) (fs.File, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.files.Open(name)
}

// set changes devices: each line is FILE VALUE below class.
func (b *board) set(lines string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.files == nil {
		b.files = fstest.MapFS{}
	}
	for line := range strings.Lines(lines) {
		name, value, ok := strings.Cut(strings.TrimSpace(line), " ")
		switch {
		case ok:
			b.files["class/"+name] = &fstest.MapFile{Data: []byte(value + "\n")}
		case name != "":
			delete(b.files, "class/"+name)
		}
	}
}

func sysfsOf(lines string) *board {
	b := &board{}
	b.set(lines)
	return b
}

// counting counts how often temperatures are read.
type counting struct {
	*board
	looks int
}

func (c *counting) Open(name string) (fs.File, error) {
	if strings.HasSuffix(name, "/temp") {
		c.looks++
	}
	return c.board.Open(name)
}
