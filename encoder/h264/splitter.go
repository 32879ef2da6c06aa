package h264

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

// DefaultMaxAccessUnit bounds an access unit, in bytes. The largest that level
// 5.2 allows at 2160p is about 7 MB; a 720p IDR is below 200 kB.
const DefaultMaxAccessUnit = 8 << 20

var (
	// ErrTooLarge says that an access unit is over the limit: most likely the
	// input is not H.264, or not in Annex B format.
	ErrTooLarge = errors.New("access unit too large")
	// ErrNoStartCode says that the input does not begin as Annex B does.
	ErrNoStartCode = errors.New("no start code at the beginning")
)

// lookAhead is how much of a NAL unit must be there to read the fields of
// Slice: three Exp-Golomb codes of at most 63, 7 and 17 bits, with emulation
// prevention.
const lookAhead = 24

// maxLeadingZeros bounds the zero bytes before the first start code, so that a
// file of zeros is refused at once.
const maxLeadingZeros = 4096

// Splitter cuts a byte stream (Annex B) into access units by the rules of
// 7.4.1.2.3 and 7.4.1.2.4. It reads in steps as large as its free buffer, so that
// one read serves many access units.
type Splitter struct {
	r      io.Reader
	max    int
	buf    []byte
	start  int   // of the access unit being collected
	end    int   // of what was read
	offset int64 // in the stream, of buf[0]
	synced bool
	eof    bool
}

// NewSplitter makes a splitter that reads at most about chunk bytes at a time
// and allows access units of up to max bytes; zero means 512 KiB and
// DefaultMaxAccessUnit.
func NewSplitter(r io.Reader, chunk, max int) *Splitter {
	if chunk <= 0 {
		chunk = 512 << 10
	}
	if max <= 0 {
		max = DefaultMaxAccessUnit
	}
	return &Splitter{r: r, max: max, buf: make([]byte, chunk)}
}

// Reset starts over on r, which continues a stream at offset bytes. The buffer
// is kept.
func (s *Splitter) Reset(r io.Reader, offset int64) {
	*s = Splitter{r: r, max: s.max, buf: s.buf, offset: offset}
}

// Offset returns where in the stream the next access unit begins, in bytes.
func (s *Splitter) Offset() int64 { return s.offset + int64(s.start) }

// Next returns the next access unit, valid until the next call. At the end of
// the stream it returns io.EOF; NAL units without a picture there are dropped.
func (s *Splitter) Next() ([]byte, error) {
	if err := s.sync(); err != nil {
		return nil, err
	}
	var u unit
	for at := 0; ; {
		code, err := s.find(at)
		if err == io.EOF {
			return s.last(u)
		}
		if err != nil {
			return nil, err
		}
		at = code + len(startCode)
		nal := s.buf[s.start+at : min(s.end, s.start+at+lookAhead)]
		if len(nal) > 0 && u.ends(nal) {
			return s.cut(code)
		}
	}
}

// find returns where the next start code is, counted from the beginning of the
// access unit, at or after at, once what unit.ends looks at has been read too.
func (s *Splitter) find(at int) (int, error) {
	for {
		unread := s.buf[s.start+at : s.end]
		i := bytes.Index(unread, startCode)
		if i >= 0 && (s.eof || i+len(startCode)+lookAhead <= len(unread)) {
			return at + i, nil
		}
		if s.eof {
			return 0, io.EOF
		}
		if i < 0 {
			i = max(0, len(unread)-len(startCode)+1) // it may be there in part
		}
		at += i
		if err := s.fill(); err != nil && err != io.EOF {
			return 0, err
		}
	}
}

// fill reads more behind what is there.
func (s *Splitter) fill() error {
	if s.eof {
		return io.EOF
	}
	if s.end == len(s.buf) {
		if err := s.makeRoom(); err != nil {
			return err
		}
	}
	for range 100 {
		n, err := s.r.Read(s.buf[s.end:])
		s.end += n
		s.eof = err == io.EOF
		if n > 0 {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return io.ErrNoProgress
}

// makeRoom moves the access unit being collected to the front of the buffer, or
// doubles the buffer when it fills it.
func (s *Splitter) makeRoom() error {
	if s.start > 0 {
		copy(s.buf, s.buf[s.start:s.end])
		s.offset += int64(s.start)
		s.start, s.end = 0, s.end-s.start
		return nil
	}
	if len(s.buf) > s.max {
		return s.tooLarge()
	}
	s.buf = append(s.buf, make([]byte, len(s.buf))...)
	return nil
}

// cut returns the access unit that ends before the start code at code. A
// zero_byte there belongs to the start code.
func (s *Splitter) cut(code int) ([]byte, error) {
	if code > 0 && s.buf[s.start+code-1] == 0 {
		code--
	}
	if code > s.max {
		return nil, s.tooLarge()
	}
	au := s.buf[s.start : s.start+code]
	s.start += code
	return au, nil
}

func (s *Splitter) last(u unit) ([]byte, error) {
	if !u.picture {
		s.start = s.end
		return nil, io.EOF
	}
	return s.cut(s.end - s.start)
}

func (s *Splitter) tooLarge() error {
	return fmt.Errorf("%w: over %d bytes from byte %d on", ErrTooLarge, s.max, s.Offset())
}

// sync checks that the stream begins with a start code, before which there may
// be zero bytes (B.1.1).
func (s *Splitter) sync() error {
	if s.synced {
		return nil
	}
	for n := 0; n <= maxLeadingZeros; n++ {
		if s.start+n == s.end {
			if err := s.fill(); err == io.EOF && n > 0 {
				return ErrNoStartCode
			} else if err != nil {
				return err
			}
		}
		if b := s.buf[s.start+n]; b == 1 && n >= 2 {
			s.synced = true
			return nil
		} else if b != 0 {
			return ErrNoStartCode
		}
	}
	return ErrNoStartCode
}

// unit follows the NAL units of the access unit being collected.
type unit struct {
	picture bool  // it has a slice
	slice   Slice // the latest, when it could be read
}

// ends says whether nal begins the next access unit, and takes note of it when
// it does not.
func (u *unit) ends(nal NAL) bool {
	t := nal.Type()
	if t >= TypeSEI && t <= TypeAUD || t >= 14 && t <= 18 { // 7.4.1.2.3
		return u.picture
	}
	if !t.sliced() {
		return false
	}
	s, err := ParseSlice(nal)
	if err != nil { // damaged: nothing tells it from the picture before
		u.picture = true
		return false
	}
	if u.picture && s.follows(u.slice) {
		return true
	}
	u.picture, u.slice = true, s
	return false
}
