package clip

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// chunkSize is the grain in which memory is taken and given back: what the
// oldest and the newest chunk waste is small beside the 300 kB of a second.
const chunkSize = 32 << 10

// arena hands out the ring's memory in chunks. It is mapped, not on the heap: Go
// lets garbage grow in proportion to the heap that lives, so that four megabytes
// there would cost the process six. A page exists from its first use on.
type arena struct {
	chunks int
	memory []byte
	free   []int32 // given back; the last one is the first to be used again
	fresh  int32   // chunks from here on were not used yet
}

func newArena(chunks int) *arena {
	return &arena{chunks: chunks, free: make([]int32, 0, chunks)}
}

// take returns a chunk, if one is left.
func (a *arena) take() (int32, bool) {
	if n := len(a.free); n > 0 {
		chunk := a.free[n-1]
		a.free = a.free[:n-1]
		return chunk, true
	}
	if int(a.fresh) == a.chunks {
		return 0, false
	}
	if a.memory == nil {
		a.memory = reserve(a.chunks * chunkSize)
	}
	a.fresh++
	return a.fresh - 1, true
}

// reserve maps memory. A kernel that refuses would refuse the heap as well, which
// ends the program with a message of its own.
func reserve(size int) []byte {
	memory, err := unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		return make([]byte, size)
	}
	keepOffDisk(memory)
	return memory
}

// mlockOnFault is MLOCK_ONFAULT of linux/mman.h.
const mlockOnFault = 1

// keepOffDisk keeps what was captured out of the swap space and out of core dumps,
// where it would lie in clear: for seconds nobody touches most of the ring. The
// pages are locked as they come into being. It is an effort: RLIMIT_MEMLOCK may be
// less than the ring, and a kernel before 4.4 does not know the call.
func keepOffDisk(memory []byte) {
	_ = unix.Madvise(memory, unix.MADV_DONTDUMP)
	_, _, _ = unix.Syscall(unix.SYS_MLOCK2, uintptr(unsafe.Pointer(unsafe.SliceData(memory))), uintptr(len(memory)), mlockOnFault)
}

func (a *arena) give(chunk int32) { a.free = append(a.free, chunk) }

func (a *arena) left() int { return len(a.free) + a.chunks - int(a.fresh) }

func (a *arena) data(chunk int32) []byte {
	return a.memory[int(chunk)*chunkSize:][:chunkSize]
}

// touched is how much memory exists, in bytes.
func (a *arena) touched() int { return int(a.fresh) * chunkSize }

// clear gives all memory back to the system when no chunk is in use: what it held
// is gone.
func (a *arena) clear() {
	if a.fresh == 0 || len(a.free) < int(a.fresh) {
		return
	}
	a.unmap()
	a.free, a.fresh = a.free[:0], 0
}

// unmap forgets the memory. Memory of the heap is not the kernel's to take, and
// is left to the collector.
func (a *arena) unmap() {
	memory := a.memory
	a.memory = nil
	_ = unix.Munmap(memory)
}
