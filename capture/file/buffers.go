package file

import "sync"

// buffers lends memory for access units. It grows to what is in use at once, and
// each buffer to the largest access unit that it held.
type buffers struct {
	mu   sync.Mutex
	free []*buffer
}

type buffer struct {
	data []byte
	put  func() // made once, so that lending allocates nothing
}

func (b *buffers) get() *buffer {
	b.mu.Lock()
	defer b.mu.Unlock()
	if n := len(b.free); n > 0 {
		last := b.free[n-1]
		b.free = b.free[:n-1]
		return last
	}
	one := &buffer{}
	one.put = func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.free = append(b.free, one)
	}
	return one
}
