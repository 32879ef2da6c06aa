// Package ogg takes the packets of an Opus stream out of an Ogg file (RFC 3533,
// RFC 7845). It decodes nothing, and lets other streams in the file pass by.
package ogg

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// MaxPacket bounds a packet, in bytes: RFC 7845, section 6, has readers accept
// 61,440 a channel, and there are at most two. The tags, which may hold pictures
// of any size, are passed over.
const MaxPacket = 2 * 61440

var (
	// ErrNotOgg says that the file does not begin as Ogg does.
	ErrNotOgg = errors.New("not an Ogg file")
	// ErrNotOpus says that no stream of the file is Opus.
	ErrNotOpus = errors.New("no Opus stream")
	// ErrTruncated says that the file ends within a page.
	ErrTruncated = errors.New("truncated")
	// ErrDamaged says that a page is not what was written.
	ErrDamaged = errors.New("damaged")
)

// Flags of a page (RFC 3533, section 6).
const (
	flagContinued = 1
	flagFirst     = 2
)

const headerSize = 27

// Head is the identification header (RFC 7845, section 5.1).
type Head struct {
	Channels int
	PreSkip  int // samples at 48 kHz
}

// Reader reads one file. Chained streams follow each other without a seam.
type Reader struct {
	Head Head

	r      io.Reader
	pos    int64 // of the next page
	page   []byte
	lacing []byte // of the page, not done with
	body   []byte // likewise

	serial   uint32
	sequence uint32 // of the next page of the stream
	found    bool   // the stream
	headers  int    // packets of it that are not sound, still to come
	packet   []byte
	partial  bool // packet goes on in the next page
	tooLong  bool // packet is over MaxPacket and was let go
}

// NewReader reads up to the Opus stream's header.
func NewReader(r io.Reader) (*Reader, error) {
	o := &Reader{r: r, page: make([]byte, headerSize+255+255*255)}
	for !o.found {
		if err := o.readPage(); err == io.EOF && o.pos > 0 {
			return nil, ErrNotOpus
		} else if err != nil {
			return nil, err
		}
	}
	return o, nil
}

// Restart reads the file from its beginning, at which r stands.
func (o *Reader) Restart(r io.Reader) {
	*o = Reader{Head: o.Head, r: r, page: o.page, packet: o.packet[:0]}
}

// Next returns the next packet of sound, valid until the next call, and io.EOF
// behind the last.
func (o *Reader) Next() ([]byte, error) {
	for {
		complete, err := o.nextPacket()
		if err != nil {
			return nil, err
		}
		switch {
		case !complete:
		case o.headers > 0:
			o.headers--
		case o.tooLong:
			return nil, fmt.Errorf("%w: a packet of more than %d bytes before byte %d", ErrDamaged, MaxPacket, o.pos)
		case len(o.packet) > 0: // an empty one stands for a lost one
			return o.packet, nil
		}
	}
}

// nextPacket goes on with the page, or reads another. It says whether a packet
// is complete.
func (o *Reader) nextPacket() (bool, error) {
	for len(o.lacing) == 0 {
		if err := o.readPage(); err != nil {
			return false, o.ended(err)
		}
	}
	if !o.partial {
		o.packet, o.tooLong = o.packet[:0], false
	}
	for len(o.lacing) > 0 {
		n := int(o.lacing[0])
		o.append(o.body[:n])
		o.lacing, o.body = o.lacing[1:], o.body[n:]
		if n < 255 {
			o.partial = false
			return true, nil
		}
	}
	o.partial = true
	return false, nil
}

func (o *Reader) append(b []byte) {
	if o.tooLong = o.tooLong || len(o.packet)+len(b) > MaxPacket; !o.tooLong {
		o.packet = append(o.packet, b...)
	}
}

// ended is the error for a file that ends within a packet.
func (o *Reader) ended(err error) error {
	if err == io.EOF && o.partial {
		return fmt.Errorf("%w: it ends within a packet, at byte %d", ErrTruncated, o.pos)
	}
	return err
}

// readPage reads a page and, when it is of the Opus stream, makes it current.
func (o *Reader) readPage() error {
	start := o.pos
	page, err := o.readWhole()
	if err != nil {
		return err
	}
	if checksum(page) != binary.LittleEndian.Uint32(page[22:]) {
		return fmt.Errorf("%w: the page at byte %d has a wrong checksum", ErrDamaged, start)
	}
	segments := int(page[26])
	lacing, body := page[headerSize:headerSize+segments], page[headerSize+segments:]
	flags, serial, sequence := page[5], binary.LittleEndian.Uint32(page[14:]), binary.LittleEndian.Uint32(page[18:])
	if flags&flagFirst != 0 && len(body) >= 8 && string(body[:8]) == "OpusHead" && (!o.found || !o.partial && serial != o.serial) {
		return o.begin(body, lacing, serial, sequence)
	}
	if !o.found && flags&flagFirst == 0 { // all streams begin before any goes on
		return ErrNotOpus
	}
	if serial != o.serial || !o.found {
		return nil
	}
	if sequence != o.sequence {
		return fmt.Errorf("%w: page %d of the sound is missing before byte %d", ErrDamaged, o.sequence, start)
	}
	o.sequence++
	if o.partial != (flags&flagContinued != 0) && segments > 0 {
		return fmt.Errorf("%w: the page at byte %d does not go on where the one before ended", ErrDamaged, start)
	}
	o.lacing, o.body = lacing, body
	return nil
}

// readWhole reads one page.
func (o *Reader) readWhole() ([]byte, error) {
	if n, err := io.ReadFull(o.r, o.page[:headerSize]); err != nil {
		return nil, o.short(o.page[:n], err)
	}
	if string(o.page[:4]) != "OggS" || o.page[4] != 0 {
		return nil, o.notOgg()
	}
	lacing := o.page[headerSize : headerSize+int(o.page[26])]
	if _, err := io.ReadFull(o.r, lacing); err != nil {
		return nil, o.short(nil, err)
	}
	end := headerSize + len(lacing)
	for _, n := range lacing {
		end += int(n)
	}
	if _, err := io.ReadFull(o.r, o.page[headerSize+len(lacing):end]); err != nil {
		return nil, o.short(nil, err)
	}
	o.pos += int64(end)
	return o.page[:end], nil
}

// short is the error for a page that breaks off after start.
func (o *Reader) short(start []byte, err error) error {
	if err == io.EOF && start != nil {
		return io.EOF
	}
	if err != io.EOF && err != io.ErrUnexpectedEOF {
		return err
	}
	if o.pos == 0 && string(start[:min(4, len(start))]) != "OggS"[:min(4, len(start))] {
		return ErrNotOgg
	}
	return fmt.Errorf("%w: it ends within the page at byte %d", ErrTruncated, o.pos)
}

func (o *Reader) notOgg() error {
	if o.pos == 0 {
		return ErrNotOgg
	}
	return fmt.Errorf("%w: no page where one should begin, at byte %d", ErrDamaged, o.pos)
}

// begin takes a stream's identification header, which has a page for itself.
func (o *Reader) begin(body, lacing []byte, serial, sequence uint32) error {
	if len(body) < 19 || len(lacing) != 1 || body[8]&0xf0 != 0 {
		return fmt.Errorf("%w: an OpusHead of %d bytes, version %d", ErrDamaged, len(body), body[min(8, len(body)-1)])
	}
	channels, family := int(body[9]), body[18]
	if channels < 1 || channels > 2 || family > 1 {
		return fmt.Errorf("unsupported Opus: %d channels in mapping family %d, want one or two in family 0", channels, family)
	}
	o.Head = Head{Channels: channels, PreSkip: int(binary.LittleEndian.Uint16(body[10:]))}
	o.found, o.serial, o.sequence = true, serial, sequence+1
	o.headers = 1 // the tags
	return nil
}
