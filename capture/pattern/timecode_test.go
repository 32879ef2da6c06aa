package pattern

import (
	"fmt"
	"testing"
	"time"
)

func TestTimecodeIsReadAsDrawn(t *testing.T) {
	for _, size := range [][2]int{{64, 2}, {160, 90}, {320, 240}, {642, 362}, {1000, 500}, {1280, 720}, {3840, 2160}} {
		for _, ms := range []int64{0, 1, 1_700_000_000_123, 1<<timeBits - 1} {
			luma, stride := strip(size[0], size[1], time.UnixMilli(ms))
			got, ok := ReadTimecode(luma, stride, size[0], size[1])
			if !ok || got.UnixMilli() != ms {
				t.Errorf("%v: %d ms is read as %d (%v)", size, ms, got.UnixMilli(), ok)
			}
		}
	}
}

// TestCodeword pins the format, which the customer's page reads too.
func TestCodeword(t *testing.T) {
	tests := []struct {
		ms   int64
		want uint64
	}{
		{0, 0xa00000000000_0055},
		{1, 0xa00000000001_0755},
		{1_700_000_000_123, 0xa18bcfe5687b_0055 | uint64(crc8(1_700_000_000_123))<<8},
	}
	for _, test := range tests {
		if got := codeword(time.UnixMilli(test.ms)); got != test.want {
			t.Errorf("%d ms: %#016x, want %#016x", test.ms, got, test.want)
		}
	}
	// By an independent implementation that gives CRC-8/SMBUS' check value, 0xf4 for 123456789.
	if got := crc8(0x313233343536); got != 0xfd {
		t.Errorf("CRC of 123456 is %#x, want 0xfd", got)
	}
}

func TestReadTimecodeToleratesCompression(t *testing.T) {
	const width, height = 640, 360
	at := time.UnixMilli(1_700_000_000_123)
	damage := []struct {
		name string
		do   func(luma []byte, stride int)
	}{
		{"less contrast", func(luma []byte, _ int) { each(luma, func(_ int, v byte) byte { return 90 + v/4 }) }},
		{"full range", func(luma []byte, _ int) {
			each(luma, func(_ int, v byte) byte { return byte(min(max((int(v)-16)*255/219, 0), 255)) })
		}},
		{"noise", func(luma []byte, _ int) {
			each(luma, func(i int, v byte) byte { return byte(min(max(int(v)+int(uint32(i)*2654435761>>26)-32, 0), 255)) })
		}},
		{"ringing at the edges", func(luma []byte, stride int) {
			for x := 1; x < width; x++ {
				if x*cells%width < 2*cells {
					for y := range 20 {
						luma[y*stride+x] = 125
					}
				}
			}
		}},
		{"blurred", func(luma []byte, stride int) {
			for y := range 20 {
				row := luma[y*stride : y*stride+width]
				for x := 2; x < width; x++ {
					row[x] = byte((int(row[x]) + int(row[x-1]) + int(row[x-2])) / 3)
				}
			}
		}},
	}
	for _, d := range damage {
		luma, stride := strip(width, height, at)
		d.do(luma, stride)
		if got, ok := ReadTimecode(luma, stride, width, height); !ok || !got.Equal(at) {
			t.Errorf("%s: read as %v (%v)", d.name, got, ok)
		}
	}
}

func TestReadTimecodeRefusesWhatIsNone(t *testing.T) {
	const width, height = 640, 360
	good, stride := strip(width, height, time.UnixMilli(1_700_000_000_123))
	flipped := func(cell int) []byte {
		luma, _ := strip(width, height, time.UnixMilli(1_700_000_000_123))
		for y := range stripHeight(width) {
			for x := cell * width / cells; x < (cell+1)*width/cells; x++ {
				luma[y*stride+x] = white + black - luma[y*stride+x]
			}
		}
		return luma
	}
	type call struct {
		name                  string
		luma                  []byte
		stride, width, height int
	}
	calls := []call{
		{"nothing", nil, 0, 0, 0},
		{"a negative size", good, stride, -width, -height},
		{"grey", make([]byte, len(good)), stride, width, height},
		{"a narrow picture", good, stride, 63, height},
		{"a low picture", good, stride, width, 19},
		{"short rows", good, width - 1, width, height},
		{"cut off", good[:19*stride], stride, width, height},
		{"shifted", good[30:], stride, width, height},
	}
	for cell := range cells {
		calls = append(calls, call{fmt.Sprintf("cell %d flipped", cell), flipped(cell), stride, width, height})
	}
	for _, c := range calls {
		if got, ok := ReadTimecode(c.luma, c.stride, c.width, c.height); ok {
			t.Errorf("%s: read as %v", c.name, got)
		}
	}
}

func FuzzReadTimecode(f *testing.F) {
	luma, stride := strip(128, 4, time.UnixMilli(1_700_000_000_123))
	f.Add(luma, stride, 128, 4)
	f.Add([]byte{}, 0, 0, 0)
	f.Fuzz(func(t *testing.T, luma []byte, stride, width, height int) {
		at, ok := ReadTimecode(luma, stride, width, height)
		if !ok {
			return
		}
		again, stride := strip(width, stripHeight(width), at)
		if got, ok := ReadTimecode(again, stride, width, stripHeight(width)); !ok || !got.Equal(at) {
			t.Errorf("%v drawn again is read as %v (%v)", at, got, ok)
		}
	})
}

// strip returns a luma plane with a timecode in rows that are longer than the picture.
func strip(width, height int, at time.Time) (luma []byte, stride int) {
	stride = width + 7
	luma = make([]byte, stride*height)
	drawTimecode(luma, stride, width, at)
	return luma, stride
}

func each(luma []byte, f func(i int, v byte) byte) {
	for i, v := range luma {
		luma[i] = f(i, v)
	}
}
