package pixel

import (
	"encoding/binary"

	"github.com/bril-edge/bril/capture"
)

// tile is the height of the strips in which a plane is turned: the source rows
// of a strip and the rows they become stay in the first-level cache together.
const tile = 128

// rotatePlane turns a plane of w x h bytes clockwise.
func rotatePlane(to, from capture.Plane, w, h, degrees int) {
	switch degrees {
	case 0:
		copyPlane(to, from, w, h)
	case 180:
		for y := range h {
			reverse(row(to, h-1-y, w), row(from, y, w))
		}
	default:
		quarter(to, from, w, h, degrees == 90)
	}
}

func reverse(to, from []byte) {
	for len(to) >= 8 && len(from) >= 8 {
		binary.BigEndian.PutUint64(to[len(to)-8:], binary.LittleEndian.Uint64(from))
		to, from = to[:len(to)-8], from[8:]
	}
	for i, v := range from {
		to[len(to)-1-i] = v
	}
}

// quarter turns by 90 degrees, clockwise or not: whole blocks of 8x8 bytes, then
// what is left at the right and at the bottom byte by byte.
func quarter(to, from capture.Plane, w, h int, clockwise bool) {
	wide, high := w&^7, h&^7
	for top := 0; top < high; top += tile {
		for x := 0; x < wide; x += 8 {
			for y := top; y < min(top+tile, high); y += 8 {
				turnBlock(to, from, x, y, w, h, clockwise)
			}
		}
	}
	turnBytes(to, from, wide, w, 0, h, w, h, clockwise)
	turnBytes(to, from, 0, wide, high, h, w, h, clockwise)
}

// turnBytes turns the part of the plane between x0, x1, y0 and y1.
func turnBytes(to, from capture.Plane, x0, x1, y0, y1, w, h int, clockwise bool) {
	for y := y0; y < y1; y++ {
		for x := x0; x < x1; x++ {
			v := from.Data[y*from.Stride+x]
			if clockwise {
				to.Data[x*to.Stride+h-1-y] = v
			} else {
				to.Data[(w-1-x)*to.Stride+y] = v
			}
		}
	}
}

// turnBlock turns the block at x, y. Clockwise, its rows are read from the last
// to the first; else its columns become rows from the last to the first.
func turnBlock(to, from capture.Plane, x, y, w, h int, clockwise bool) {
	at, step := y*from.Stride+x, from.Stride
	out, down := (w-1-x)*to.Stride+y, -to.Stride
	if clockwise {
		at, step = at+7*step, -step
		out, down = x*to.Stride+h-8-y, to.Stride
	}
	var block [8]uint64
	for i := range block {
		block[i] = binary.LittleEndian.Uint64(from.Data[at:])
		at += step
	}
	transpose(&block)
	for _, word := range block {
		binary.LittleEndian.PutUint64(to.Data[out:], word)
		out += down
	}
}

// transpose makes columns of rows, the first byte of a row lowest: it swaps
// quarters of the block, then of each quarter, then single bytes.
func transpose(b *[8]uint64) {
	for i := range 4 {
		b[i], b[i+4] = b[i]&0xffffffff|b[i+4]<<32, b[i]>>32|b[i+4]&^0xffffffff
	}
	for _, i := range [4]int{0, 1, 4, 5} {
		b[i], b[i+2] = b[i]&even16|(b[i+2]&even16)<<16, (b[i]>>16)&even16|b[i+2]&^even16
	}
	for i := 0; i < 8; i += 2 {
		b[i], b[i+1] = b[i]&even8|(b[i+1]&even8)<<8, (b[i]>>8)&even8|b[i+1]&^even8
	}
}
