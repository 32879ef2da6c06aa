package h264

import (
	"bytes"
	"errors"
	"io"
	"os"
	"testing"
	"testing/iotest"
)

func TestSplitter(t *testing.T) {
	for _, name := range []string{"testdata/baseline.h264", "testdata/bframes.h264"} {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for reader, r := range map[string]io.Reader{
			"whole":         bytes.NewReader(data),
			"byte by byte":  iotest.OneByteReader(bytes.NewReader(data)),
			"data with EOF": iotest.DataErrReader(bytes.NewReader(data)),
		} {
			units, err := split(NewSplitter(r, 64, 0)) // a small chunk, to make it grow and move
			if err != nil || len(units) != 12 {
				t.Fatalf("%s, %s: %d access units, want 12, %v", name, reader, len(units), err)
			}
			if !bytes.Equal(bytes.Join(units, nil), data) {
				t.Errorf("%s, %s: the access units do not add up to the file", name, reader)
			}
			for i, au := range units {
				if !Inspect(au).Picture {
					t.Errorf("%s, %s: access unit %d has no picture", name, reader, i)
				}
			}
		}
	}
}

// Streams without delimiters, in the order of 7.4.1.2.3.
func TestSplitterBoundaries(t *testing.T) {
	const (
		sps, pps, sei, aud = "\x00\x00\x00\x01\x67a", "\x00\x00\x01\x68a", "\x00\x00\x01\x06a", "\x00\x00\x00\x01\x09\xf0"
		idr, idr2          = "\x00\x00\x01\x65\x88\x80", "\x00\x00\x01\x65\x58\x80" // first_mb 0 and 1, PPS 0
		p, p2, pUnref      = "\x00\x00\x01\x41\x88\x80", "\x00\x00\x01\x41\x58\x80", "\x00\x00\x01\x01\x58\x80"
		p2PPS1             = "\x00\x00\x01\x41\x54\x80"
		filler, eos        = "\x00\x00\x01\x0c\xff\x80", "\x00\x00\x01\x0a"
	)
	for name, want := range map[string][]string{
		"one slice each":                {sps + pps + idr, p, p},
		"several slices":                {idr + idr2 + idr2, p + p2, p},
		"SEI between":                   {idr, sei + p, sei + p + p2},
		"delimiters":                    {aud + sps + pps + idr, aud + p},
		"parameter sets between":        {p, sps + pps + p},
		"first slice lost: IDR changes": {idr + idr2, p2, idr2},
		"first slice lost: ref changes": {p + p2, pUnref},
		"first slice lost: PPS changes": {p + p2, p2PPS1},
		"filler and end of sequence":    {idr + filler + eos, p},
		"zeros behind":                  {idr + "\x00\x00", "\x00" + p},
	} {
		t.Run(name, func(t *testing.T) {
			var stream string
			for _, au := range want {
				stream += au
			}
			got, err := split(NewSplitter(bytes.NewReader([]byte(stream)), 0, 0))
			if err != nil || len(got) != len(want) {
				t.Fatalf("got %q, %v, want %q", got, err, want)
			}
			for i := range want {
				if string(got[i]) != want[i] {
					t.Errorf("access unit %d: %q, want %q", i, got[i], want[i])
				}
			}
		})
	}
}

func TestSplitterRefuses(t *testing.T) {
	broken := errors.New("broken")
	for _, c := range []struct {
		name string
		r    io.Reader
		want error
	}{
		{"empty", bytes.NewReader(nil), io.EOF},
		{"HTML", bytes.NewReader([]byte("<!DOCTYPE html>")), ErrNoStartCode},
		{"zeros", bytes.NewReader(make([]byte, 1<<20)), ErrNoStartCode},
		{"a few zeros", bytes.NewReader(make([]byte, 3)), ErrNoStartCode},
		{"endless", io.MultiReader(bytes.NewReader([]byte("\x00\x00\x01\x65\x88")), endless{}), ErrTooLarge},
		{"endless NAL units", io.MultiReader(bytes.NewReader([]byte("\x00\x00\x01\x65\x88")), bytes.NewReader(bytes.Repeat([]byte("\x00\x00\x01\x0c\xff"), 1<<14))), ErrTooLarge},
		{"a broken reader", iotest.ErrReader(broken), broken},
		{"parameter sets only", bytes.NewReader([]byte("\x00\x00\x01\x67ab\x00\x00\x01\x68a")), io.EOF},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := NewSplitter(c.r, 1024, 1<<15).Next(); !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 0xaa
	}
	return len(p), nil
}

func TestSplitterOffsets(t *testing.T) {
	data, err := os.ReadFile("testdata/baseline.h264")
	if err != nil {
		t.Fatal(err)
	}
	s := NewSplitter(bytes.NewReader(data), 700, 0)
	for {
		offset := s.Offset()
		au, err := s.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.HasPrefix(data[offset:], au) {
			t.Fatalf("the access unit is not at offset %d", offset)
		}
	}
	s.Reset(bytes.NewReader(data), 0)
	if units, err := split(s); err != nil || len(units) != 12 {
		t.Errorf("after Reset: %d access units, %v", len(units), err)
	}
}

func FuzzSplitter(f *testing.F) {
	data, err := os.ReadFile("testdata/baseline.h264")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data[:600], uint16(16))
	f.Fuzz(func(t *testing.T, data []byte, chunk uint16) {
		small, errSmall := split(NewSplitter(bytes.NewReader(data), int(chunk), 1<<12))
		large, errLarge := split(NewSplitter(bytes.NewReader(data), 1<<16, 1<<12))
		if (errSmall == nil) != (errLarge == nil) {
			t.Fatalf("in steps of %d: %v, at once: %v", chunk, errSmall, errLarge)
		}
		if errSmall == nil && !bytes.Equal(bytes.Join(small, nil), bytes.Join(large, nil)) {
			t.Fatalf("steps of %d change the result", chunk)
		}
	})
}

func BenchmarkSplitter(b *testing.B) {
	data, err := os.ReadFile("testdata/baseline.h264")
	if err != nil {
		b.Fatal(err)
	}
	r := bytes.NewReader(data)
	s := NewSplitter(r, 0, 0)
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		r.Reset(data)
		s.Reset(r, 0)
		for {
			if _, err := s.Next(); err == io.EOF {
				break
			} else if err != nil {
				b.Fatal(err)
			}
		}
	}
}

func split(s *Splitter) (units [][]byte, err error) {
	for {
		au, err := s.Next()
		if err == io.EOF {
			return units, nil
		}
		if err != nil {
			return units, err
		}
		units = append(units, bytes.Clone(au))
	}
}
