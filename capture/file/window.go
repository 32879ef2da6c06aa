package file

import (
	"fmt"
	"io"
)

// window reads a file in steps of readAhead and serves what lies within the
// latest step without another read.
type window struct {
	r    io.ReaderAt
	size int64
	buf  []byte
	pos  int64 // of buf in the file
}

// at returns n bytes at pos, valid until the next call.
func (w *window) at(pos int64, n int) ([]byte, error) {
	if pos < w.pos || pos+int64(n) > w.pos+int64(len(w.buf)) {
		if err := w.load(pos, n); err != nil {
			return nil, err
		}
	}
	return w.buf[pos-w.pos:][:n], nil
}

func (w *window) load(pos int64, n int) error {
	want := max(n, readAhead)
	if left := w.size - pos; int64(want) > left {
		want = int(max(left, 0))
	}
	if cap(w.buf) < want {
		w.buf = make([]byte, max(want, int(min(readAhead, w.size))))
	}
	w.buf, w.pos = w.buf[:want], pos
	got, err := w.r.ReadAt(w.buf, pos)
	w.buf = w.buf[:got]
	if got >= n {
		return nil
	}
	if err == nil || err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("%d bytes at byte %d: %w", n, pos, err)
}

// ReadAt reads by way of the window: for headers, which are small and near each
// other or the samples.
func (w *window) ReadAt(p []byte, pos int64) (int, error) {
	if len(p) > readAhead {
		return w.r.ReadAt(p, pos)
	}
	b, err := w.at(pos, len(p))
	return copy(p, b), err
}
