package pixel

import (
	"encoding/binary"

	"github.com/bril-edge/bril/capture"
)

// The loops below take eight bytes at a time as a 64-bit word, the first one
// lowest: several times as fast as byte by byte, and still plain Go.

const (
	even8  = 0x00ff00ff00ff00ff // every second byte
	even16 = 0x0000ffff0000ffff
	ones   = 0x0001000100010001
)

// pack moves the bytes of a word that even8 selects into its lower half.
func pack(v uint64) uint32 {
	v &= even8
	v = (v | v>>8) & even16
	return uint32(v | v>>16)
}

// average returns the mean of the bytes that even8 selects, rounded up.
func average(a, b uint64) uint64 { return ((a&even8 + b&even8 + ones) >> 1) & even8 }

// row returns row y of a plane, n bytes long.
func row(p capture.Plane, y, n int) []byte { return p.Data[y*p.Stride:][:n] }

func copyPlane(to, from capture.Plane, w, h int) {
	for y := range h {
		copy(row(to, y, w), row(from, y, w))
	}
}

// fromYUYV takes each pair of rows to two rows of luma and one of each chroma,
// the mean of both (4:2:2 to 4:2:0).
func fromYUYV(out, in *capture.Frame) {
	w := in.Width
	for y := 0; y < in.Height; y += 2 {
		a, b := row(in.Planes[0], y, 2*w), row(in.Planes[0], y+1, 2*w)
		lumaOfYUYV(row(out.Planes[0], y, w), a)
		lumaOfYUYV(row(out.Planes[0], y+1, w), b)
		chromaOfYUYV(row(out.Planes[1], y/2, w/2), row(out.Planes[2], y/2, w/2), a, b)
	}
}

func lumaOfYUYV(luma, in []byte) {
	for len(luma) >= 4 && len(in) >= 8 {
		binary.LittleEndian.PutUint32(luma, pack(binary.LittleEndian.Uint64(in)))
		luma, in = luma[4:], in[8:]
	}
	for i := range luma {
		luma[i] = in[2*i]
	}
}

func chromaOfYUYV(u, v, a, b []byte) {
	for len(u) >= 4 && len(v) >= 4 && len(a) >= 16 && len(b) >= 16 {
		low := average(binary.LittleEndian.Uint64(a)>>8, binary.LittleEndian.Uint64(b)>>8)
		high := average(binary.LittleEndian.Uint64(a[8:])>>8, binary.LittleEndian.Uint64(b[8:])>>8)
		uv := uint64(pack(low)) | uint64(pack(high))<<32
		binary.LittleEndian.PutUint32(u, pack(uv))
		binary.LittleEndian.PutUint32(v, pack(uv>>8))
		u, v, a, b = u[4:], v[4:], a[16:], b[16:]
	}
	for i := range u {
		u[i] = mean(a[4*i+1], b[4*i+1])
		v[i] = mean(a[4*i+3], b[4*i+3])
	}
}

func mean(a, b byte) byte { return byte((uint(a) + uint(b) + 1) / 2) }

func fromNV12(out, in *capture.Frame) {
	w, h := in.Width, in.Height
	copyPlane(out.Planes[0], in.Planes[0], w, h)
	for y := range h / 2 {
		split(row(out.Planes[1], y, w/2), row(out.Planes[2], y, w/2), row(in.Planes[1], y, w))
	}
}

// split takes interleaved chroma apart.
func split(u, v, uv []byte) {
	for len(u) >= 4 && len(v) >= 4 && len(uv) >= 8 {
		word := binary.LittleEndian.Uint64(uv)
		binary.LittleEndian.PutUint32(u, pack(word))
		binary.LittleEndian.PutUint32(v, pack(word>>8))
		u, v, uv = u[4:], v[4:], uv[8:]
	}
	for i := range u {
		u[i], v[i] = uv[2*i], uv[2*i+1]
	}
}
