package passthrough

import (
	"bytes"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/bril-edge/bril/capture"
	"github.com/bril-edge/bril/encoder"
	"github.com/bril-edge/bril/encoder/h264"
)

const (
	sps      = "\x00\x00\x00\x01\x67\x42\xc0\x1f\x8c\x8d\x40\x28\x02\xdd"
	pps      = "\x00\x00\x00\x01\x68\xce\x3c\x80"
	idr      = "\x00\x00\x00\x01\x65\x88\x80\x11"
	p        = "\x00\x00\x00\x01\x41\x9a\x11"
	b        = "\x00\x00\x00\x01\x01\x9e\x11" // first_mb 0, slice_type 6
	aud      = "\x00\x00\x00\x01\x09\xf0"
	spsHigh2 = "\x00\x00\x00\x01\x67\x64\x00\x0b\xac\xd9\x42\x8d\xf9\x30\x11\x00\x00\x03\x00\x01\x00\x00\x03\x00\x32\x0f\x14\x29\x96"
)

func TestEncode(t *testing.T) {
	for _, c := range []struct {
		name  string
		known string
		in    []string
		want  []string // K in front marks a key frame
		err   error    // of the last frame
	}{
		{"as it is", "", []string{sps + pps + idr, p}, []string{"K" + sps + pps + idr, p}, nil},
		{"waits for the first IDR", "", []string{p, p, sps + pps + idr, p}, []string{"K" + sps + pps + idr, p}, nil},
		{"completes a later IDR", "", []string{sps + pps + idr, p, idr}, []string{"K" + sps + pps + idr, p, "K" + sps + pps + idr}, nil},
		{"parameter sets came alone", "", []string{sps, pps, idr}, []string{"K" + sps + pps + idr}, nil},
		{"parameter sets from the header", sps + pps, []string{idr, p}, []string{"K" + sps + pps + idr, p}, nil},
		{"behind the delimiter", sps + pps, []string{aud + idr}, []string{"K" + aud + sps + pps + idr[1:]}, nil},
		{"SPS without PPS", sps + pps, []string{sps + idr}, []string{"K" + sps + pps + sps + idr}, nil},
		{"no SPS", "", []string{idr}, nil, ErrNoParameterSets},
		{"no PPS", "", []string{sps + idr}, nil, ErrNoParameterSets},
		{"B slices", "", []string{sps + pps + idr, b}, []string{"K" + sps + pps + idr}, ErrReordered},
		{"SPS with reordering", "", []string{spsHigh2 + pps + idr}, nil, ErrReordered},
		{"damaged SPS", "", []string{"\x00\x00\x01\x67\x42" + pps + idr}, nil, errAny},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []string
			e, err := New(Config{Source: "h264:a.h264", ParameterSets: []byte(c.known)}, func(au encoder.AccessUnit) error {
				s := string(au.Data)
				if au.Key {
					s = "K" + s
				}
				got = append(got, s)
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			for _, au := range c.in {
				err = e.Encode(frame(au))
			}
			if !errors.Is(err, c.err) && (c.err != errAny || err == nil) {
				t.Errorf("got error %v, want %v", err, c.err)
			}
			if err != nil {
				checkHint(t, err)
			}
			if strings.Join(got, "|") != strings.Join(c.want, "|") {
				t.Errorf("got  %q\nwant %q", got, c.want)
			}
		})
	}
}

var errAny = errors.New("any error")

func checkHint(t *testing.T, err error) {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) || !strings.Contains(e.Hint(), "ff") {
		t.Errorf("%v: no hint", err)
	}
	if !strings.Contains(err.Error(), "h264:a.h264") {
		t.Errorf("%v: does not name the source", err)
	}
}

func TestNewRefusesBFramesInTheHeader(t *testing.T) {
	if _, err := New(Config{Source: "h264:a.h264", ParameterSets: []byte(spsHigh2 + pps)}, nil); !errors.Is(err, ErrReordered) {
		t.Errorf("got %v, want ErrReordered", err)
	} else {
		checkHint(t, err)
	}
}

func TestEncodeWithoutKeyFrames(t *testing.T) {
	e := newEncoder(t, func(encoder.AccessUnit) error { return nil })
	var err error
	for range patience {
		if err != nil {
			t.Fatalf("after %d pictures: %v", e.Dropped(), err)
		}
		err = e.Encode(frame(p))
	}
	if !errors.Is(err, ErrNoKeyFrame) || e.Dropped() != patience {
		t.Errorf("after %d pictures: %v, want ErrNoKeyFrame", e.Dropped(), err)
	}
}

func TestEncodeKeepsTimes(t *testing.T) {
	var got encoder.AccessUnit
	e := newEncoder(t, func(au encoder.AccessUnit) error { got = au; return nil })
	f := frame(sps + pps + idr)
	f.PTS, f.Ready = 3*time.Second, 4*time.Second
	if err := e.Encode(f); err != nil || got.PTS != f.PTS || got.Ready != f.Ready || !got.Key {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestParameterSets(t *testing.T) {
	e := newEncoder(t, func(encoder.AccessUnit) error { return nil })
	if _, ok := e.SPS(); ok || len(e.ParameterSets()) > 0 {
		t.Error("there are parameter sets before the first frame")
	}
	if err := e.Encode(frame(sps + pps + idr)); err != nil {
		t.Fatal(err)
	}
	got, ok := e.SPS()
	if !ok || got.ProfileLevelID() != "42c01f" || got.Width != 1280 {
		t.Errorf("got %+v, %v", got, ok)
	}
	if string(e.ParameterSets()) != sps+pps {
		t.Errorf("got %q", e.ParameterSets())
	}
	huge := "\x00\x00\x01\x68\xce" + strings.Repeat("\xff", 64<<10)
	if err := e.Encode(frame(huge + idr)); err == nil {
		t.Error("a PPS of 64 KiB: no error")
	}
}

func TestEncodeErrors(t *testing.T) {
	broken := errors.New("broken")
	e := newEncoder(t, func(encoder.AccessUnit) error { return broken })
	if err := e.Encode(frame(sps + pps + idr)); !errors.Is(err, broken) {
		t.Errorf("got %v, want the sink's error", err)
	}
	if err := e.Encode(capture.Frame{Format: capture.I420}); !errors.Is(err, ErrFormat) {
		t.Errorf("a raw frame: %v, want ErrFormat", err)
	}
	for range 2 {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	}
	if err := e.Encode(frame(p)); !errors.Is(err, os.ErrClosed) {
		t.Errorf("after Close: %v, want os.ErrClosed", err)
	}
}

func TestEncodeAllocatesNothing(t *testing.T) {
	e := newEncoder(t, func(encoder.AccessUnit) error { return nil })
	frames := []capture.Frame{frame(sps + pps + idr), frame(p), frame(idr)}
	if n := testing.AllocsPerRun(100, func() {
		for _, f := range frames {
			if err := e.Encode(f); err != nil {
				t.Fatal(err)
			}
		}
	}); n > 0 {
		t.Errorf("%v allocations for three frames", n)
	}
}

// A real stream comes out slice for slice as it went in.
func TestEncodeKeepsSlices(t *testing.T) {
	data, err := os.ReadFile("../h264/testdata/baseline.h264")
	if err != nil {
		t.Fatal(err)
	}
	var out []byte
	e := newEncoder(t, func(au encoder.AccessUnit) error { out = append(out, au.Data...); return nil })
	s := h264.NewSplitter(bytes.NewReader(data), 0, 0)
	for {
		au, err := s.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := e.Encode(frame(string(au))); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(out, data) {
		t.Error("the stream was changed")
	}
}

func BenchmarkEncode(b *testing.B) {
	e, err := New(Config{}, func(encoder.AccessUnit) error { return nil })
	if err != nil {
		b.Fatal(err)
	}
	if err := e.Encode(frame(sps + pps + idr)); err != nil {
		b.Fatal(err)
	}
	f := frame(p + strings.Repeat("\x55\x00\x66", 3400))
	b.SetBytes(int64(len(f.Planes[0].Data)))
	b.ReportAllocs()
	for b.Loop() {
		if err := e.Encode(f); err != nil {
			b.Fatal(err)
		}
	}
}

func newEncoder(t *testing.T, sink func(encoder.AccessUnit) error) *Encoder {
	t.Helper()
	e, err := New(Config{}, sink)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func frame(au string) capture.Frame {
	return capture.Frame{Format: capture.H264, Planes: [3]capture.Plane{{Data: []byte(au)}}}
}
