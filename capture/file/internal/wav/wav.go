// Package wav reads the header of a WAV file (RIFF, Microsoft multimedia
// standards update, revision 3) and its PCM as 16-bit mono. It resamples nothing.
package wav

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
)

var (
	// ErrNotWAV says that the file does not begin as a WAV does.
	ErrNotWAV = errors.New("not a WAV file")
	// ErrUnsupported says that the sound is of a kind that is not played.
	ErrUnsupported = errors.New("unsupported WAV")
	// ErrTruncated says that the file ends before what it announces.
	ErrTruncated = errors.New("truncated")
)

// Format tags.
const (
	tagPCM        = 1
	tagFloat      = 3
	tagExtensible = 0xfffe // the tag is the first two bytes of a GUID
)

// maxChunks bounds the chunks in front of the sound.
const maxChunks = 1000

// unknownSize is what writers put that cannot seek back to the header.
const unknownSize = math.MaxUint32

// Header is what the file says of its sound.
type Header struct {
	Channels int
	Rate     int   // frames a second
	Bits     int   // of one sample
	Float    bool  // samples are IEEE 754
	Start    int64 // of the sound in the file
	End      int64
}

// FrameSize returns the bytes of one sample of all channels.
func (h Header) FrameSize() int { return h.Channels * h.Bits / 8 }

// Parse reads the header of the file r of size bytes.
func Parse(r io.ReaderAt, size int64) (Header, error) {
	var b [12]byte
	n := min(size, int64(len(b)))
	if _, err := r.ReadAt(b[:n], 0); err != nil {
		return Header{}, err
	}
	if n < int64(len(b)) && string(b[:min(n, 4)]) == "RIFF"[:min(n, 4)] {
		return Header{}, fmt.Errorf("%w: only %d bytes", ErrTruncated, n)
	}
	if string(b[:4]) == "RF64" {
		return Header{}, fmt.Errorf("%w: RF64, for files over 4 GiB", ErrUnsupported)
	}
	if string(b[:4]) != "RIFF" || string(b[8:]) != "WAVE" {
		return Header{}, ErrNotWAV
	}
	return chunks(r, size)
}

// chunks looks for the format and the sound, in that order.
func chunks(r io.ReaderAt, size int64) (h Header, err error) {
	var b [8]byte
	for pos, n := int64(12), 0; n < maxChunks; n++ {
		if pos+8 > size {
			return Header{}, fmt.Errorf("%w: it ends before the sound begins", ErrTruncated)
		}
		if _, err := r.ReadAt(b[:], pos); err != nil {
			return Header{}, err
		}
		length := int64(binary.LittleEndian.Uint32(b[4:]))
		switch pos += 8; string(b[:4]) {
		case "fmt ":
			if err := h.format(r, pos, length, size); err != nil {
				return Header{}, err
			}
		case "data":
			return h.data(pos, length, size)
		}
		pos += length + length%2 // padded to an even length
	}
	return Header{}, fmt.Errorf("%w: more than %d chunks before the sound", ErrUnsupported, maxChunks)
}

func (h *Header) format(r io.ReaderAt, pos, length, size int64) error {
	var b [40]byte
	n := min(length, int64(len(b)))
	if n < 16 || pos+n > size {
		return fmt.Errorf("%w: a format of %d bytes", ErrTruncated, min(length, size-pos))
	}
	if _, err := r.ReadAt(b[:n], pos); err != nil {
		return err
	}
	tag := binary.LittleEndian.Uint16(b[:])
	if tag == tagExtensible && n >= 26 {
		tag = binary.LittleEndian.Uint16(b[24:])
	}
	h.Channels = int(binary.LittleEndian.Uint16(b[2:]))
	h.Rate = int(binary.LittleEndian.Uint32(b[4:]))
	h.Bits = int(binary.LittleEndian.Uint16(b[14:]))
	h.Float = tag == tagFloat
	return h.check(tag)
}

func (h *Header) check(tag uint16) error {
	switch {
	case h.Channels < 1 || h.Channels > 64:
		return fmt.Errorf("%w: %d channels, want 1 to 64", ErrUnsupported, h.Channels)
	case tag == tagPCM && (h.Bits == 8 || h.Bits == 16 || h.Bits == 24 || h.Bits == 32):
	case tag == tagFloat && (h.Bits == 32 || h.Bits == 64):
	default:
		return fmt.Errorf("%w: format %d with %d bits, want PCM of 8, 16, 24 or 32 bits or float", ErrUnsupported, tag, h.Bits)
	}
	return nil
}

func (h Header) data(pos, length, size int64) (Header, error) {
	if h.Bits == 0 {
		return Header{}, fmt.Errorf("%w: the sound comes before its format", ErrUnsupported)
	}
	h.Start, h.End = pos, pos+length
	if length == unknownSize || length == 0 { // written to a pipe
		h.End = size
	}
	if h.End > size {
		return Header{}, fmt.Errorf("%w: of %d bytes of sound there are %d", ErrTruncated, length, size-pos)
	}
	h.End -= (h.End - h.Start) % int64(h.FrameSize())
	if h.End == h.Start {
		return Header{}, fmt.Errorf("%w: no sound in it", ErrUnsupported)
	}
	return h, nil
}

// AppendMono appends frames, the channels' average, to dst.
func (h Header) AppendMono(dst []int16, frames []byte) []int16 {
	width := h.Bits / 8
	for ; len(frames) >= h.FrameSize(); frames = frames[h.FrameSize():] {
		sum := 0.0
		for c := range h.Channels {
			sum += h.sample(frames[c*width:])
		}
		v := math.Round(sum / float64(h.Channels))
		dst = append(dst, int16(max(math.MinInt16, min(math.MaxInt16, v))))
	}
	return dst
}

// sample reads one sample on the scale of 16 bits.
func (h Header) sample(b []byte) float64 {
	switch {
	case h.Float && h.Bits == 32:
		return finite(float64(math.Float32frombits(binary.LittleEndian.Uint32(b))) * 32768)
	case h.Float:
		return finite(math.Float64frombits(binary.LittleEndian.Uint64(b)) * 32768)
	case h.Bits == 8: // the only unsigned one
		return float64(int(b[0])-128) * 256
	case h.Bits == 16:
		return float64(int16(binary.LittleEndian.Uint16(b)))
	case h.Bits == 24:
		return float64(int32(b[0])<<8|int32(b[1])<<16|int32(b[2])<<24) / 65536
	}
	return float64(int32(binary.LittleEndian.Uint32(b))) / 65536
}

// finite makes silence of what is not a number, and bounds the rest.
func finite(v float64) float64 {
	if math.IsNaN(v) {
		return 0
	}
	return max(-1<<20, min(1<<20, v))
}
