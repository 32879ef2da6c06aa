package clip

import (
	"encoding/binary"

	"github.com/bril-edge/bril/encoder/h264"
)

// The boxes are written here and not by a library: mediacommon's fmp4 makes 711 kB
// of garbage in 2,378 pieces for each fragment of half a second at 2.5 Mb/s, this
// none (BenchmarkFragment), and it registers boxes globally. Names and fields are
// those of ISO/IEC 14496-12, section 8.

const (
	videoTrack = 1
	audioTrack = 2

	mdatHeader = 8
)

// boxes are boxes of an MP4, appended to by the methods.
type boxes []byte

func (b *boxes) u8(v ...byte)  { *b = append(*b, v...) }
func (b *boxes) u16(v uint16)  { *b = binary.BigEndian.AppendUint16(*b, v) }
func (b *boxes) u32(v uint32)  { *b = binary.BigEndian.AppendUint32(*b, v) }
func (b *boxes) u64(v uint64)  { *b = binary.BigEndian.AppendUint64(*b, v) }
func (b *boxes) text(s string) { *b = append(*b, s...) }
func (b *boxes) zeros(n int)   { *b = append(*b, make([]byte, n)...) }
func (b *boxes) words(v ...int) { // of 32 bits
	for _, w := range v {
		b.u32(uint32(w))
	}
}

// open begins a box, and close ends the one that began there.
func (b *boxes) open(name string) (at int) {
	at = len(*b)
	b.u32(0)
	b.text(name)
	return at
}

func (b *boxes) close(at int) { binary.BigEndian.PutUint32((*b)[at:], uint32(len(*b)-at)) }

// full begins a box with version and flags.
func (b *boxes) full(name string, version byte, flags uint32) (at int) {
	at = b.open(name)
	b.u32(uint32(version)<<24 | flags)
	return at
}

// header appends what precedes the fragments. Durations are 0: they are not known
// yet, and those of the fragments hold. Of times and names it says nothing.
func (b *boxes) header(sets []byte, sps h264.SPS, sound bool) {
	ftyp := b.open("ftyp")
	b.text("iso5")
	b.u32(512)
	b.text("iso5iso6mp41")
	b.close(ftyp)

	moov := b.open("moov")
	b.mvhd()
	b.videoTrak(sets, sps)
	if sound {
		b.audioTrak()
	}
	mvex := b.open("mvex")
	b.trex(videoTrack)
	if sound {
		b.trex(audioTrack)
	}
	b.close(mvex)
	b.close(moov)
}

func (b *boxes) mvhd() {
	mvhd := b.full("mvhd", 0, 0)
	b.words(0, 0, 1000, 0)  // creation, modification, time scale, duration
	b.words(1<<16, 1<<24)   // rate 1.0, volume 1.0
	b.zeros(8)              // reserved
	b.matrix()              //
	b.zeros(24)             // pre_defined
	b.words(audioTrack + 1) // next track
	b.close(mvhd)
}

// matrix is the one that turns nothing.
func (b *boxes) matrix() { b.words(1<<16, 0, 0, 0, 1<<16, 0, 0, 0, 1<<30) }

func (b *boxes) trex(track int) {
	trex := b.full("trex", 0, 0)
	b.words(track, 1, 0, 0, 0) // the first description; default duration, size, flags
	b.close(trex)
}

func (b *boxes) videoTrak(sets []byte, sps h264.SPS) {
	trak := b.open("trak")
	b.tkhd(videoTrack, 0, sps.Width, sps.Height)
	mdia := b.open("mdia")
	b.mdhd(videoScale)
	b.hdlr("vide")
	minf := b.open("minf")
	vmhd := b.full("vmhd", 0, 1)
	b.zeros(8) // graphicsmode copy, opcolor
	b.close(vmhd)
	b.dinf()
	stbl := b.open("stbl")
	stsd := b.full("stsd", 0, 0)
	b.words(1)
	b.avc1(sets, sps)
	b.close(stsd)
	b.noSamples()
	b.close(stbl)
	b.close(minf)
	b.close(mdia)
	b.close(trak)
}

func (b *boxes) audioTrak() {
	trak := b.open("trak")
	b.tkhd(audioTrack, 1<<8, 0, 0)
	mdia := b.open("mdia")
	b.mdhd(audioScale)
	b.hdlr("soun")
	minf := b.open("minf")
	smhd := b.full("smhd", 0, 0)
	b.zeros(4) // balance
	b.close(smhd)
	b.dinf()
	stbl := b.open("stbl")
	stsd := b.full("stsd", 0, 0)
	b.words(1)
	b.opus()
	b.close(stsd)
	b.noSamples()
	b.close(stbl)
	b.close(minf)
	b.close(mdia)
	b.close(trak)
}

func (b *boxes) tkhd(track int, volume uint16, width, height int) {
	tkhd := b.full("tkhd", 0, 3) // enabled, in the movie
	b.words(0, 0, track, 0, 0)   // creation, modification, track, reserved, duration
	b.zeros(8 + 4)               // reserved; layer, alternate group
	b.u16(volume)
	b.u16(0)
	b.matrix()
	b.words(width<<16, height<<16)
	b.close(tkhd)
}

func (b *boxes) mdhd(scale int) {
	mdhd := b.full("mdhd", 0, 0)
	b.words(0, 0, scale, 0) // creation, modification, time scale, duration
	b.u16(0x55c4)           // language: und
	b.u16(0)
	b.close(mdhd)
}

func (b *boxes) hdlr(kind string) {
	hdlr := b.full("hdlr", 0, 0)
	b.u32(0)
	b.text(kind)
	b.zeros(12 + 1) // reserved; no name
	b.close(hdlr)
}

// dinf says that the data is in this file.
func (b *boxes) dinf() {
	dinf := b.open("dinf")
	dref := b.full("dref", 0, 0)
	b.words(1)
	b.close(b.full("url ", 0, 1))
	b.close(dref)
	b.close(dinf)
}

// noSamples are the tables of samples: all are in fragments.
func (b *boxes) noSamples() {
	for _, name := range [...]string{"stts", "stsc", "stsz", "stco"} {
		table := b.full(name, 0, 0)
		b.u32(0)
		if name == "stsz" {
			b.u32(0)
		}
		b.close(table)
	}
}

// avc1 is ISO/IEC 14496-15, section 5.4.2, with the avcC of section 5.3.3.
func (b *boxes) avc1(sets []byte, sps h264.SPS) {
	avc1 := b.open("avc1")
	b.zeros(6)
	b.u16(1)    // data reference
	b.zeros(16) // pre_defined, reserved
	b.u16(uint16(sps.Width))
	b.u16(uint16(sps.Height))
	b.words(72<<16, 72<<16, 0) // dots an inch; reserved
	b.u16(1)                   // pictures a sample
	b.zeros(32)                // no name of a compressor
	b.u16(24)                  // depth
	b.u16(0xffff)

	seq, pic := cutSets(sets)
	avcC := b.open("avcC")
	b.u8(1, seq[0][1], seq[0][2], seq[0][3], 0xfc|(lengthSize-1), 0xe0|byte(len(seq)))
	b.sets(seq)
	b.u8(byte(len(pic)))
	b.sets(pic)
	if sps.Profile == 100 { // High: what encoders make of 4:2:0 with 8 bits, without extensions
		b.u8(0xfc|1, 0xf8, 0xf8, 0)
	}
	b.close(avcC)
	b.close(avc1)
}

func (b *boxes) sets(sets []h264.NAL) {
	for _, nal := range sets {
		b.u16(uint16(len(nal)))
		b.u8(nal...)
	}
}

// preSkip is how far libopus looks ahead, in samples: what a decoder makes of the
// first packet before its sound begins.
const preSkip = 312

// opus is Encapsulation of Opus in ISO Base Media File Format, section 4.3.
func (b *boxes) opus() {
	opus := b.open("Opus")
	b.zeros(6)
	b.u16(1)   // data reference
	b.zeros(8) // reserved
	b.u16(1)   // channel
	b.u16(16)  // bits a sample
	b.zeros(4) // pre_defined, reserved
	b.u32(audioScale << 16)
	dOps := b.open("dOps")
	b.u8(0, 1) // version, channel
	b.u16(preSkip)
	b.u32(audioScale) // of the input
	b.u16(0)          // gain
	b.u8(0)           // mapping family
	b.close(dOps)
	b.close(opus)
}

// The sizes of boxes in a moof.
const (
	moofFixed   = 8 + 16           // moof, mfhd
	trafFixed   = 8 + 20 + 20 + 20 // traf, tfhd, tfdt, trun
	videoSample = 8                // in its trun: duration, size
	audioSample = 8

	firstFlags = 4 // in the video's trun
)

func moofSize(f *fragment) int {
	n := moofFixed + trafFixed + firstFlags + videoSample*len(f.video)
	if len(f.audio) > 0 {
		n += trafFixed + audioSample*len(f.audio)
	}
	return n
}

// What the standard's sample flags say (section 8.8.3.1).
const (
	syncSample    = 2 << 24           // depends on no other
	nonSyncSample = 1<<24 | 1<<16     // depends on others
	baseIsMoof    = 0x20000           // tfhd: offsets count from the moof
	defaultFlags  = 0x20              // tfhd
	perSample     = 1 | 0x100 | 0x200 // trun: data offset, duration and size
	hasFirstFlags = 4                 // trun
)

// moof appends a fragment's table of contents. Its pictures come first in the
// mdat behind it.
func (b *boxes) moof(f *fragment) {
	moof := b.open("moof")
	mfhd := b.full("mfhd", 0, 0)
	b.u32(f.sequence)
	b.close(mfhd)

	offset := moofSize(f) + mdatHeader
	first := uint32(nonSyncSample)
	if f.video[0].key() {
		first = syncSample
	}
	traf := b.traf(videoTrack, nonSyncSample, f.videoTime)
	trun := b.full("trun", 0, perSample|hasFirstFlags)
	b.words(len(f.video), offset)
	b.u32(first)
	offset += b.samples(f.video)
	b.close(trun)
	b.close(traf)
	if len(f.audio) > 0 {
		traf := b.traf(audioTrack, syncSample, f.audioTime)
		trun := b.full("trun", 0, perSample)
		b.words(len(f.audio), offset)
		b.samples(f.audio)
		b.close(trun)
		b.close(traf)
	}
	b.close(moof)
}

func (b *boxes) traf(track int, flags uint32, time uint64) (at int) {
	at = b.open("traf")
	tfhd := b.full("tfhd", 0, baseIsMoof|defaultFlags)
	b.words(track)
	b.u32(flags)
	b.close(tfhd)
	tfdt := b.full("tfdt", 1, 0)
	b.u64(time)
	b.close(tfdt)
	return at
}

// samples appends the table of a trun and returns how many bytes it describes.
func (b *boxes) samples(samples []sample) (size int) {
	for i := range samples {
		s := &samples[i]
		b.u32(s.duration)
		b.u32(s.bytes())
		size += int(s.bytes())
	}
	return size
}

// mdat begins the box that holds the samples.
func (b *boxes) mdat(payload int) {
	b.words(mdatHeader + payload)
	b.text("mdat")
}
