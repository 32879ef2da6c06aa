package v4l2test

import (
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/bril-edge/bril/hardware/v4l2"
)

// The controls of the scripted encoder that have an effect (v4l2-controls.h).
const (
	ctrlBitRate  = 0x9909cf
	ctrlForceKey = 0x9909e5
	ctrlProfile  = 0x990a6b
	ctrlLevel    = 0x990a67
)

func align(v, to uint32) uint32 {
	if to == 0 {
		return v
	}
	return (v + to - 1) / to * to
}

// format is S_FMT and G_FMT of either queue and either API.
func (e *Encoder) format(f *v4l2.Format, set bool) unix.Errno {
	pix := &e.rawPix
	switch f.Type {
	case e.coded.kind:
		pix = &e.codedPix
	case e.raw.kind:
	default:
		return unix.EINVAL
	}
	if set {
		s := e.streamOf(reqBufs, unsafe.Pointer(&v4l2.RequestBuffers{Type: f.Type}))
		if len(s.buffers) > 0 {
			return unix.EBUSY
		}
		e.setFormat(pix, f)
	}
	if !f.Type.Multiplanar() {
		*f.Pix() = *pix
		return 0
	}
	out := f.PixMplane()
	*out = v4l2.PixFormatMplane{Width: pix.Width, Height: pix.Height, PixelFormat: pix.PixelFormat, Field: pix.Field, NumPlanes: 1}
	out.PlaneFmt[0] = v4l2.PlanePixFormat{SizeImage: pix.SizeImage, BytesPerLine: pix.BytesPerLine}
	return 0
}

func (e *Encoder) setFormat(pix *v4l2.PixFormat, f *v4l2.Format) {
	if f.Type.Multiplanar() {
		in := f.PixMplane()
		*pix = v4l2.PixFormat{
			Width: in.Width, Height: in.Height, PixelFormat: in.PixelFormat, Field: v4l2.FieldNone,
			BytesPerLine: in.PlaneFmt[0].BytesPerLine, SizeImage: in.PlaneFmt[0].SizeImage,
		}
	} else {
		*pix = *f.Pix()
	}
	if pix == &e.codedPix {
		pix.SizeImage, pix.BytesPerLine = max(pix.SizeImage, 4096), 0
		return
	}
	row := pix.Width
	if pix.PixelFormat == v4l2.PixFmtYUYV {
		row *= 2
	}
	pix.BytesPerLine = align(max(row, pix.BytesPerLine), e.Quirks.Align)
	pix.Height = align(pix.Height, e.Quirks.AlignHeight)
	pix.SizeImage = pix.BytesPerLine * pix.Height
	if pix.PixelFormat != v4l2.PixFmtYUYV {
		pix.SizeImage = pix.SizeImage * 3 / 2
	}
}

func (e *Encoder) control(number uintptr, arg unsafe.Pointer) unix.Errno {
	id := (*v4l2.Control)(arg).ID // stands first in QueryCtrl too
	known, ok := e.Controls[id]
	if !ok {
		return unix.EINVAL
	}
	if e.values == nil {
		e.values = map[uint32]int32{}
	}
	switch number {
	case queryCtrl:
		known.ID = id
		*(*v4l2.QueryCtrl)(arg) = known
	case gCtrl:
		(*v4l2.Control)(arg).Value = e.values[id]
	case sCtrl:
		c := (*v4l2.Control)(arg)
		c.Value = min(max(c.Value, known.Minimum), known.Maximum)
		e.values[id] = c.Value
		e.set = append(e.set, id)
		e.took(id, c.Value)
	}
	return 0
}

// took lets a control work, where it does.
func (e *Encoder) took(id uint32, value int32) {
	streaming := e.raw.on && e.coded.on
	switch id {
	case ctrlForceKey:
		e.state.force = !e.Quirks.DeafToKeys && (streaming || !e.Quirks.KeyOnlyStreaming)
	case ctrlBitRate:
		if !streaming || !e.Quirks.RateAtStart {
			e.state.rate = value
		}
	}
}

// work encodes what is queued, into what buffers there are.
func (e *Encoder) work() {
	if !e.raw.on || !e.coded.on {
		return
	}
	e.put()
	for len(e.raw.queued) > e.lag() && !e.stalled() {
		e.picture()
		e.put()
	}
	if e.state.draining && len(e.raw.queued) == 0 && len(e.state.pieces) == 0 && len(e.coded.queued) > 0 {
		e.state.draining = false
		e.coded.finish(v4l2.Done{Flags: v4l2.BufLast})
		e.state.events = append(e.state.events, v4l2.Event{Type: v4l2.EventEOS})
	}
}

// lag is how many pictures are kept, of which draining lets go.
func (e *Encoder) lag() int {
	if e.state.draining {
		return 0
	}
	return e.Quirks.Lag
}

func (e *Encoder) stalled() bool {
	return e.Quirks.StallAfter > 0 && e.state.pictures >= e.Quirks.StallAfter
}

// picture encodes the oldest queued picture.
func (e *Encoder) picture() {
	e.state.pictures++
	in := e.raw.buffers[e.raw.queued[0]]
	of := in.state
	if e.Quirks.Broken || e.Quirks.ErrorEvery > 0 && e.state.pictures%e.Quirks.ErrorEvery == 0 {
		e.raw.finish(v4l2.Done{Time: of.Time, Flags: v4l2.BufError})
		e.add(nil, v4l2.BufError, of)
		return
	}
	first := e.raw.data(in, 0)[of.Parts[0].Offset]
	e.raw.finish(v4l2.Done{Time: of.Time})
	key := !e.state.began || e.state.force
	if e.Quirks.Canned && !key {
		e.add(canned, 0, of)
		return
	}
	data := e.begin(key, of)
	e.state.force = false
	data = append(data, slice(key, uint32(e.state.pictures-1), first)...)
	if e.Quirks.Filler > 0 {
		data = append(data, filler(e.Quirks.Filler)...)
	}
	e.split(data, key, of)
}

var canned = slice(false, 0, 0)

// begin returns what stands before a picture, and sends what stands apart.
func (e *Encoder) begin(key bool, of v4l2.Done) []byte {
	first := !e.state.began
	e.state.began = true
	if first && e.Quirks.EmptyFirst {
		e.add(nil, 0, of)
	}
	if first && e.Quirks.JunkFirst {
		e.add([]byte{0xde, 0xad, 0xbe, 0xef, 1, 2, 3}, 0, of)
	}
	if !key || !first && (e.Quirks.HeaderOnce || e.Quirks.SeparateHeader) {
		return nil
	}
	head := append(e.sps(), pps...)
	if e.Quirks.SeparateHeader {
		e.add(head, 0, of)
		return nil
	}
	return head
}

// sps is of the profile and level that were set.
func (e *Encoder) sps() []byte {
	level := map[int32]uint8{9: 31, 10: 32, 11: 40}[e.values[ctrlLevel]]
	if e.Quirks.HighProfile {
		return sps(100, 0, level, e.codedPix.Width, e.codedPix.Height)
	}
	return sps(66, 0xc0, level, e.codedPix.Width, e.codedPix.Height)
}

func (e *Encoder) split(data []byte, key bool, of v4l2.Done) {
	var flags v4l2.BufFlags
	if key && !e.Quirks.NoKeyFlag {
		flags = v4l2.BufKeyframe
	}
	size := len(data)
	if e.Quirks.Split > 1 {
		size = (len(data) + e.Quirks.Split - 1) / e.Quirks.Split
	}
	for len(data) > size {
		e.add(data[:size], flags, of)
		data = data[size:]
	}
	e.add(data, flags, of)
}

func (e *Encoder) add(data []byte, flags v4l2.BufFlags, of v4l2.Done) {
	e.state.pieces = append(e.state.pieces, piece{data, flags, of})
}

// put puts finished pieces into the program's buffers.
func (e *Encoder) put() {
	for len(e.state.pieces) > 0 && len(e.coded.queued) > 0 {
		p := e.state.pieces[0]
		e.state.pieces = append(e.state.pieces[:0], e.state.pieces[1:]...)
		b := e.coded.buffers[e.coded.queued[0]]
		d := v4l2.Done{Flags: p.flags, Sequence: e.state.sequence, Time: p.of.Time}
		d.Parts[0].Used = copy(b.planes[0].data, p.data)
		e.state.sequence++
		e.coded.finish(d)
	}
}
