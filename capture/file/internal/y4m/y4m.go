// Package y4m reads YUV4MPEG2: 8-bit 4:2:0, progressive. It reads straight into
// the planes of frames and keeps nothing but a line of text.
package y4m

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/bril-edge/bril/capture"
)

const (
	magic = "YUV4MPEG2"
	// maxLine bounds the header and each frame's line, in bytes.
	maxLine = 4096
	// maxSide bounds the picture, in pixels.
	maxSide = 8192
	// fallbackFPS is for a header without a rate, as Y4M allows.
	fallbackFPS = 30
)

var (
	// ErrNotY4M says that the input does not begin as Y4M does.
	ErrNotY4M = errors.New("not Y4M")
	// ErrUnsupported says that the pictures are of a kind that is not played.
	ErrUnsupported = errors.New("unsupported Y4M")
)

// Header is what the first line says.
type Header struct {
	Width, Height int // in pixels, both even
	FPS           float64
	Size          int64 // of the line, in bytes, with its end
}

// FrameSize returns the bytes of one picture.
func (h Header) FrameSize() int64 { return int64(h.Width) * int64(h.Height) * 3 / 2 }

// Reader reads one stream.
type Reader struct {
	Header  Header
	lines   *bufio.Reader // small: pictures pass it by
	source  io.Reader
	scratch []byte
}

// NewReader reads the header.
func NewReader(r io.Reader) (*Reader, error) {
	y := &Reader{lines: bufio.NewReaderSize(r, maxLine), source: r}
	if start, err := y.lines.Peek(len(magic) + 1); string(start) != magic+" " {
		return nil, notY4M(start, err)
	}
	line, err := y.line()
	if err != nil {
		return nil, fmt.Errorf("read the header: %w", err)
	}
	if y.Header, err = parseHeader(line[len(magic)+1:]); err != nil {
		return nil, err
	}
	y.Header.Size = int64(len(line)) + 1
	return y, nil
}

// notY4M tells an input that broke off from one of another kind.
func notY4M(start []byte, err error) error {
	if err != nil && err != io.EOF {
		return err
	}
	if strings.HasPrefix(magic, string(start)) {
		return fmt.Errorf("read the header: %w", io.ErrUnexpectedEOF)
	}
	return ErrNotY4M
}

// Restart goes on with r, the same stream from behind its header.
func (y *Reader) Restart(r io.Reader) {
	y.lines.Reset(r)
	y.source = r
}

// line reads up to the end of a line, which it leaves out.
func (y *Reader) line() (string, error) {
	line, err := y.lines.ReadSlice('\n')
	switch {
	case err == bufio.ErrBufferFull:
		return "", fmt.Errorf("a line of more than %d bytes", maxLine)
	case err == io.EOF && len(line) == 0:
		return "", io.EOF
	case err == io.EOF:
		return "", io.ErrUnexpectedEOF
	case err != nil:
		return "", err
	}
	if string(line) == "FRAME\n" { // as nearly all are: nothing is allocated
		return "FRAME", nil
	}
	return string(line[:len(line)-1]), nil
}

func parseHeader(line string) (Header, error) {
	h := Header{FPS: fallbackFPS}
	for _, field := range strings.Fields(line) {
		if err := h.set(field[0], field[1:]); err != nil {
			return Header{}, err
		}
	}
	if h.Width == 0 || h.Height == 0 {
		return Header{}, fmt.Errorf("%w: no width and height", ErrUnsupported)
	}
	return h, nil
}

func (h *Header) set(name byte, value string) (err error) {
	switch name {
	case 'W':
		h.Width, err = side("width", value)
	case 'H':
		h.Height, err = side("height", value)
	case 'F':
		err = h.setRate(value)
	case 'I':
		if value != "p" && value != "?" {
			err = fmt.Errorf("%w: interlaced pictures (I%s)", ErrUnsupported, value)
		}
	case 'C':
		switch value {
		case "420", "420jpeg", "420mpeg2", "420paldv":
		default:
			err = fmt.Errorf("%w: pixel format %s, want 8-bit 4:2:0", ErrUnsupported, strconv.Quote(value))
		}
	}
	return err // aspect ratio, comments and what is not known are left out
}

func side(name, value string) (int, error) {
	n, err := strconv.Atoi(value)
	if err != nil || n <= 0 || n > maxSide {
		return 0, fmt.Errorf("%w: a %s of %s, want 2 to %d", ErrUnsupported, name, strconv.Quote(value), maxSide)
	}
	if n%2 != 0 {
		return 0, fmt.Errorf("%w: an odd %s of %d", ErrUnsupported, name, n)
	}
	return n, nil
}

// setRate reads a rate as numerator and denominator; 0:0 means unknown.
func (h *Header) setRate(value string) error {
	if value == "0:0" {
		return nil
	}
	above, below, ok := strings.Cut(value, ":")
	n, err1 := strconv.Atoi(above)
	d, err2 := strconv.Atoi(below)
	fps := float64(n) / float64(d)
	if !ok || err1 != nil || err2 != nil || d <= 0 || fps < 0.1 || fps > 1000 {
		return fmt.Errorf("%w: a frame rate of %s, want 0.1 to 1000 a second", ErrUnsupported, strconv.Quote(value))
	}
	h.FPS = fps
	return nil
}

// Next reads the next picture into f, an I420 frame of the header's size. It
// returns io.EOF at the end and io.ErrUnexpectedEOF when the input ends within a
// picture. It allocates nothing.
func (y *Reader) Next(f *capture.Frame) error {
	if err := y.begin(); err != nil {
		return err
	}
	for i := range f.Planes {
		width, height := y.Header.Width, y.Header.Height
		if i > 0 {
			width, height = width/2, height/2
		}
		if err := y.plane(f.Planes[i], width, height); err != nil {
			return within(err)
		}
	}
	return nil
}

// begin reads the line in front of a picture.
func (y *Reader) begin() error {
	line, err := y.line()
	if err != nil {
		return err
	}
	if line != "FRAME" && !strings.HasPrefix(line, "FRAME ") {
		return fmt.Errorf("damaged Y4M: %s where a frame should begin", strconv.Quote(line[:min(len(line), 20)]))
	}
	return nil
}

// plane reads rows without a gap at once.
func (y *Reader) plane(p capture.Plane, width, height int) error {
	if p.Stride == width {
		_, err := io.ReadFull(y.lines, p.Data[:width*height])
		return err
	}
	if len(y.scratch) < width*height {
		y.scratch = make([]byte, width*height)
	}
	packed := y.scratch[:width*height]
	if _, err := io.ReadFull(y.lines, packed); err != nil {
		return err
	}
	for row := range height {
		copy(p.Data[row*p.Stride:][:width], packed[row*width:])
	}
	return nil
}

// Skip passes over the next picture, without reading it when the input can seek.
func (y *Reader) Skip() error {
	if err := y.begin(); err != nil {
		return err
	}
	left := y.Header.FrameSize()
	if seeker, ok := y.source.(io.Seeker); ok && left > int64(y.lines.Buffered()) {
		left -= int64(y.lines.Buffered())
		if _, err := y.lines.Discard(y.lines.Buffered()); err != nil {
			return err
		}
		_, err := seeker.Seek(left, io.SeekCurrent)
		return err
	}
	_, err := y.lines.Discard(int(left))
	return within(err)
}

// within is the error for an input that ends where a picture should go on.
func within(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
