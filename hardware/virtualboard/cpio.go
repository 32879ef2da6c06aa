package virtualboard

import (
	"fmt"
	"io"
)

// The file types of cpio's mode field (cpio(5)).
const (
	cpioDir  = 0o040000
	cpioFile = 0o100000
	cpioLink = 0o120000
)

// cpio writes an archive in the format that the kernel takes for its initramfs:
// "newc" (Documentation/driver-api/early-userspace/buffer-format.rst).
type cpio struct {
	w     io.Writer
	inode int
	err   error
}

func (c *cpio) add(name string, mode uint32, data []byte) {
	c.inode++
	links := 1
	if mode&cpioDir != 0 && mode&cpioFile == 0 {
		links = 2
	}
	header := fmt.Sprintf("070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X",
		c.inode, mode, 0, 0, links, 0, len(data), 0, 0, 0, 0, len(name)+1, 0)
	c.write([]byte(header + name + "\x00"))
	c.pad(len(header) + len(name) + 1)
	c.write(data)
	c.pad(len(data))
}

func (c *cpio) dir(name string)                { c.add(name, cpioDir|0o755, nil) }
func (c *cpio) link(name, target string)       { c.add(name, cpioLink|0o777, []byte(target)) }
func (c *cpio) program(name string, d []byte)  { c.add(name, cpioFile|0o755, d) }
func (c *cpio) document(name string, d []byte) { c.add(name, cpioFile|0o644, d) }

// close writes the entry that ends an archive.
func (c *cpio) close() error {
	c.add("TRAILER!!!", 0, nil)
	return c.err
}

// pad fills up to a multiple of four bytes.
func (c *cpio) pad(written int) { c.write(make([]byte, -written&3)) }

func (c *cpio) write(p []byte) {
	if c.err == nil {
		_, c.err = c.w.Write(p)
	}
}
