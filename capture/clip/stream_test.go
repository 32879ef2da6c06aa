package clip

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/Eyevinn/mp4ff/mp4"

	"github.com/bril-edge/bril/encoder"
	"github.com/bril-edge/bril/encoder/h264"
)

// clock is CLOCK_MONOTONIC of a synctest bubble, or one that stands where a test
// sets it.
type clock struct{ start time.Time }

func newClock() *clock { return &clock{start: time.Now().Add(-time.Hour)} }

func (c *clock) now() time.Duration { return time.Since(c.start) }

// stream makes access units and packets of random bytes and remembers them.
type stream struct {
	random  *rand.Rand
	sets    []byte // in Annex B format
	units   []unit
	packets []unit
}

type unit struct {
	pts  time.Duration
	key  bool
	data []byte // as it should be in the file
}

func newStream(seed uint64, width, height int) *stream {
	s := &stream{random: rand.New(rand.NewPCG(seed, 0))}
	s.resize(width, height)
	return s
}

func (s *stream) resize(width, height int) {
	s.sets = h264.AppendNAL(h264.AppendNAL(nil, makeSPS(width/16, height/16)), h264.NAL{0x68, 0xce, 0x3c, 0x80})
}

// makeSPS is baseline, level 3.1, of that many macroblocks (7.3.2.1.1).
func makeSPS(width, height int) h264.NAL {
	var bits strings.Builder
	ue := func(v int) {
		n := 0
		for 1<<(n+1) <= v+1 {
			n++
		}
		bits.WriteString(strings.Repeat("0", n))
		for i := n; i >= 0; i-- {
			bits.WriteByte('0' + byte((v+1)>>i&1))
		}
	}
	for _, v := range []int{0, 0, 2, 1} { // id, frame numbers, picture order, references
		ue(v)
	}
	bits.WriteString("0")
	ue(width - 1)
	ue(height - 1)
	bits.WriteString("11001") // frames only, direct inference, no cropping, no VUI, stop
	for bits.Len()%8 != 0 {
		bits.WriteString("0")
	}
	nal := h264.NAL{0x67, 66, 0xc0, 31}
	for i := 0; i < bits.Len(); i += 8 {
		var b byte
		for _, bit := range bits.String()[i : i+8] {
			b = b<<1 | byte(bit-'0')
		}
		nal = append(nal, b)
	}
	return nal
}

// nal has random bytes without zeros, so that no start code is among them.
func (s *stream) nal(header byte, size int) h264.NAL {
	nal := make(h264.NAL, 0, size+8)
	for len(nal) < size {
		nal = binary.BigEndian.AppendUint64(nal, s.random.Uint64()|0x0101010101010101)
	}
	nal[0] = header
	return nal[:size]
}

// unit makes an access unit of that size: with a delimiter, which the file
// leaves out, in one slice or in a few.
func (s *stream) unit(pts time.Duration, key bool, size int) encoder.AccessUnit {
	au := h264.AppendNAL(nil, h264.NAL{9, 0xf0})
	header := byte(0x41)
	if key {
		au, header = append(au, s.sets...), 0x65
	}
	u := unit{pts: pts, key: key}
	slices := 1 + s.random.IntN(3)
	for range slices {
		nal := s.nal(header, max(2, size/slices))
		au = append(append(au, 0, 0, 1), nal...)
		u.data = append(binary.BigEndian.AppendUint32(u.data, uint32(len(nal))), nal...)
	}
	s.units = append(s.units, u)
	return encoder.AccessUnit{Data: au, PTS: pts, Key: key}
}

func (s *stream) packet(pts time.Duration) encoder.Packet {
	p := encoder.Packet{Data: s.nal(0x78, 20+s.random.IntN(200)), PTS: pts, Length: 20 * time.Millisecond}
	s.packets = append(s.packets, unit{pts: pts, data: p.Data})
	return p
}

// movie is a file that was read back, by a library that did not write it.
type movie struct {
	video, audio  []mp4.FullSample
	width, height int
	fragments     int
}

func readMovie(t *testing.T, data []byte) movie {
	t.Helper()
	m, err := parseMovie(data)
	if err != nil {
		t.Fatalf("read the clip of %d bytes: %v", len(data), err)
	}
	return m
}

func parseMovie(data []byte) (m movie, err error) {
	file, err := mp4.DecodeFile(bytes.NewReader(data))
	if err != nil {
		return movie{}, err
	}
	if file.Moov == nil {
		return movie{}, errors.New("no moov")
	}
	for _, segment := range file.Segments {
		for _, f := range segment.Fragments {
			m.fragments++
			for _, traf := range f.Moof.Trafs {
				id := traf.Tfhd.TrackID
				trex, _ := file.Moov.Mvex.GetTrex(id)
				samples, err := f.GetFullSamples(trex)
				if err != nil {
					return movie{}, err
				}
				if id == videoTrack {
					m.video = append(m.video, samples...)
				} else {
					m.audio = append(m.audio, samples...)
				}
			}
		}
	}
	entry := file.Moov.Traks[0].Mdia.Minf.Stbl.Stsd.AvcX
	m.width, m.height = int(entry.Width), int(entry.Height)
	return m, nil
}

// duration is the video's.
func (m movie) duration() time.Duration {
	var n uint64
	for _, s := range m.video {
		n += uint64(s.Dur)
	}
	return ticksToTime(n, videoScale)
}

// checkSamples fails the test unless the samples are the units that follow each
// other from the first one on, byte for byte and at their times since origin.
func checkSamples(t *testing.T, name string, samples []mp4.FullSample, units []unit, origin time.Duration, scale uint64) {
	t.Helper()
	if len(samples) == 0 {
		return
	}
	first := slices.IndexFunc(units, func(u unit) bool { return bytes.Equal(u.data, samples[0].Data) })
	if first < 0 {
		t.Fatalf("%s begins with something that was not put in", name)
	}
	if len(samples) > len(units)-first {
		t.Fatalf("%s has %d samples, %d were put in from its first one on", name, len(samples), len(units)-first)
	}
	for i, s := range samples {
		u := units[first+i]
		if !bytes.Equal(u.data, s.Data) {
			t.Fatalf("%s: sample %d of %d bytes differs from what was put in", name, i, len(s.Data))
		}
		if want := ticks(u.pts-origin, scale); s.DecodeTime != want {
			t.Fatalf("%s: sample %d is at %d, want %d", name, i, s.DecodeTime, want)
		}
		if sync := !mp4.DecodeSampleFlags(s.Flags).SampleIsNonSync; scale == videoScale && sync != u.key {
			t.Fatalf("%s: sample %d is marked as a key frame: %v, want %v", name, i, sync, u.key)
		}
		if i > 0 && samples[i-1].DecodeTime+uint64(samples[i-1].Dur) != s.DecodeTime {
			t.Fatalf("%s: sample %d does not follow the one before at once", name, i)
		}
	}
}
