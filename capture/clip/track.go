package clip

import "time"

// entry is an access unit or a packet in a track.
type entry struct {
	at     uint64        // where it begins, in bytes since the track began
	pts    time.Duration // on CLOCK_MONOTONIC
	length time.Duration // of a packet
	size   uint32        // in bytes
	sets   uint32        // bytes of parameter sets at its beginning; 0 unless a clip can begin here
}

func (e *entry) key() bool { return e.sets > 0 }

// track is what the ring holds of one stream: entries with ascending PTS, and
// their bytes one behind the other in chunks. Entries are counted from the
// track's beginning, and the number of one stays the same while others leave.
type track struct {
	arena   *arena
	most    int // entries
	entries queue[entry]
	chunks  queue[int32] // numbered by at/chunkSize
	end     uint64       // where the next entry begins
}

func (t *track) empty() bool { return t.entries.base == t.entries.next }

// newest may be called when the track is not empty.
func (t *track) newest() *entry { return t.entries.at(t.entries.next - 1) }

func (t *track) oldest() *entry { return t.entries.at(t.entries.base) }

// fits says whether there is room for an entry of that many bytes.
func (t *track) fits(size int) bool {
	have := int(t.chunks.next*chunkSize - t.end)
	need := (size - have + chunkSize - 1) / chunkSize
	return t.entries.len() < t.most && (size <= have || need <= t.arena.left())
}

// push adds an entry, for which there must be room, without its bytes: append
// follows with as many as its size says.
func (t *track) push(e entry) {
	e.at = t.end
	t.entries.push(e)
	for t.chunks.next*chunkSize < t.end+uint64(e.size) {
		chunk, ok := t.arena.take()
		if !ok {
			panic("clip: an entry was pushed for which there is no room")
		}
		t.chunks.push(chunk)
	}
}

func (t *track) append(p []byte) {
	for len(p) > 0 {
		n := copy(t.arena.data(*t.chunks.at(t.end / chunkSize))[t.end%chunkSize:], p)
		t.end, p = t.end+uint64(n), p[n:]
	}
}

// read appends bytes of an entry to dst: those from from up to to.
func (t *track) read(dst []byte, e *entry, from, to uint32) []byte {
	for at, end := e.at+uint64(from), e.at+uint64(to); at < end; {
		piece := t.arena.data(*t.chunks.at(at / chunkSize))[at%chunkSize:]
		piece = piece[:min(uint64(len(piece)), end-at)]
		dst, at = append(dst, piece...), at+uint64(len(piece))
	}
	return dst
}

// drop forgets the entries before number to.
func (t *track) drop(to uint64) {
	for t.entries.base < to {
		t.entries.pop()
	}
	used := t.end / chunkSize
	if !t.empty() {
		used = t.oldest().at / chunkSize
	}
	for t.chunks.base < min(used, t.chunks.next) {
		t.arena.give(t.chunks.pop())
	}
	if t.empty() && t.chunks.len() > 0 { // nothing needs the chunk that is partly filled
		t.arena.give(t.chunks.pop())
		t.end = t.chunks.next * chunkSize
	}
}

// queue is a ring of values that are numbered from 0 as they come. It grows by
// doubling and keeps its memory.
type queue[T any] struct {
	items      []T // as many as a power of two
	base, next uint64
}

func (q *queue[T]) len() int { return int(q.next - q.base) }

func (q *queue[T]) at(i uint64) *T { return &q.items[i&uint64(len(q.items)-1)] }

func (q *queue[T]) push(v T) {
	if q.len() == len(q.items) {
		q.grow()
	}
	q.next++
	*q.at(q.next - 1) = v
}

func (q *queue[T]) grow() {
	larger := queue[T]{items: make([]T, max(64, 2*len(q.items))), base: q.base, next: q.next}
	for i := q.base; i < q.next; i++ {
		*larger.at(i) = *q.at(i)
	}
	*q = larger
}

// pop may be called when the queue is not empty.
func (q *queue[T]) pop() T {
	q.base++
	return *q.at(q.base - 1)
}
