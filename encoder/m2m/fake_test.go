package m2m

import (
	"errors"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/bril-edge/bril/capture"
	"github.com/bril-edge/bril/encoder"
	"github.com/bril-edge/bril/encoder/h264"
	"github.com/bril-edge/bril/hardware/v4l2"
	"github.com/bril-edge/bril/hardware/v4l2/v4l2test"
)

const (
	testWidth, testHeight = 64, 48
	testSize              = testWidth * testHeight * 3 / 2
)

// scripted returns an encoder with the controls of a usual one.
func scripted(q v4l2test.Quirks) *v4l2test.Encoder {
	ranges := map[uint32][2]int32{
		cidBFrames: {0, 2}, cidGOPSize: {0, 1000}, cidBitRateMode: {0, 1}, cidBitRate: {25_000, 10_000_000},
		cidFrameRCEnable: {0, 1}, cidHeaderMode: {0, 1}, cidRepeatSeqHeader: {0, 1}, cidForceKeyFrame: {0, 0},
		cidIPeriod: {0, 1000}, cidLevel: {0, 15}, cidProfile: {0, 4},
	}
	e := &v4l2test.Encoder{
		Driver: "scripted-enc", Raw: []v4l2.FourCC{v4l2.PixFmtNV12, v4l2.PixFmtYUV420},
		Controls: map[uint32]v4l2.QueryCtrl{}, Quirks: q,
	}
	for id, r := range ranges {
		e.Controls[id] = v4l2.QueryCtrl{Minimum: r[0], Maximum: r[1]}
	}
	return e
}

// bench is a board with a camera, an encoder, and what came out.
type bench struct {
	t       *testing.T
	system  system
	kernel  *v4l2test.Kernel
	device  *v4l2test.Encoder
	encoder *Encoder
	units   []unit

	camera *v4l2.Device
	queue  *v4l2.Queue
	shared []*capture.Shared
	lent   int
	count  int
	stride int
}

type unit struct {
	pts, ready time.Duration
	key        bool
	nals       []h264.Type
	slice      v4l2test.Slice
}

func newBench(t *testing.T, device *v4l2test.Encoder) *bench {
	t.Helper()
	b := &bench{t: t, device: device, stride: testWidth}
	b.system, b.kernel = board(t, map[string]v4l2test.Device{
		"video0":  &v4l2test.Camera{Format: v4l2.PixFmtNV12, Width: testWidth, Height: testHeight, SizeImage: testSize},
		"video11": device,
	})
	return b
}

func (b *bench) config() Config {
	return Config{Format: capture.NV12, Width: testWidth, Height: testHeight, FPS: 50, BitRate: 500_000}
}

// share opens the camera and exports its buffers.
func (b *bench) share() {
	b.t.Helper()
	dir := filepath.Dir(b.system.nodes)
	var err error
	if b.camera, err = v4l2.OpenOn(b.kernel, filepath.Join(dir, "video0")); err != nil {
		b.t.Fatal(err)
	}
	if b.queue, err = b.camera.MapQueue(v4l2.VideoCapture, 6); err != nil {
		b.t.Fatal(err)
	}
	for i := range b.queue.Len() {
		parts, err := b.queue.Export(i)
		if err != nil {
			b.t.Fatal(err)
		}
		b.shared = append(b.shared, &capture.Shared{Slot: i, Slots: b.queue.Len(), Planes: []capture.DMABUF{{FD: parts[0].FD, Length: parts[0].Length}}})
	}
}

func (b *bench) open(cfg Config) error {
	var err error
	b.encoder, err = b.system.open(cfg, b.sink)
	if err == nil {
		b.encoder.stall = 100 * time.Millisecond
	}
	return err
}

func (b *bench) sink(au encoder.AccessUnit) error {
	u := unit{pts: au.PTS, ready: au.Ready, key: au.Key}
	for nal := range h264.NALs(au.Data) {
		u.nals = append(u.nals, nal.Type())
	}
	var ok bool
	if u.slice, ok = v4l2test.ReadSlice(au.Data); !ok {
		b.t.Errorf("an access unit of %v without a whole slice", u.nals)
	}
	b.units = append(b.units, u)
	return nil
}

// frame returns the next picture: it begins with its number.
func (b *bench) frame() capture.Frame {
	f := capture.Frame{
		Format: capture.NV12, Width: testWidth, Height: testHeight,
		PTS: time.Hour + time.Duration(b.count)*20*time.Millisecond + 7, Ready: time.Duration(b.count), Sequence: uint64(b.count),
	}
	memory := make([]byte, b.stride*testHeight*3/2)
	if b.queue != nil {
		i := b.count % b.queue.Len()
		f.Shared, memory = b.shared[i], b.queue.Planes(i)[0]
	}
	f.Planes = capture.LayOut(capture.NV12, b.stride, testHeight, memory)
	f.Planes[0].Data[0] = byte(b.count)
	b.count++
	b.lent++
	return f.WithFree(func() { b.lent-- })
}

// encode encodes n pictures, and fails the test when that fails.
func (b *bench) encode(n int) {
	b.t.Helper()
	for range n {
		if err := b.encoder.Encode(b.frame()); err != nil {
			b.t.Fatal(err)
		}
	}
}

// close closes everything; whatever is left behind then fails the test.
func (b *bench) close() {
	b.t.Helper()
	if b.encoder != nil {
		if err := errors.Join(b.encoder.Close(), b.encoder.Close()); err != nil && !errors.Is(err, unix.ENODEV) {
			b.t.Error("close: ", err)
		}
	}
	if b.lent != 0 {
		b.t.Errorf("%d pictures were not released", b.lent)
	}
	if b.queue != nil {
		if err := errors.Join(b.queue.Close(), b.camera.Close()); err != nil {
			b.t.Error(err)
		}
	}
	if leaks := b.kernel.Leaks(); leaks != "" {
		b.t.Errorf("left behind: %s", leaks)
	}
}

// inOrder checks that the units are of pictures that follow each other.
func (b *bench) inOrder() {
	b.t.Helper()
	for i, u := range b.units {
		if i > 0 && u.pts <= b.units[i-1].pts {
			b.t.Errorf("unit %d is of %v, behind %v", i, u.pts, b.units[i-1].pts)
		}
		number := int((u.pts - time.Hour) / (20 * time.Millisecond))
		if u.slice.First != byte(number) || u.ready != time.Duration(number) {
			b.t.Errorf("unit %d is of picture %d, and shows %d, ready %d", i, number, u.slice.First, u.ready)
		}
		if u.key != (u.nals[len(u.nals)-1] == h264.TypeIDR) {
			b.t.Errorf("unit %d of %v says key %v", i, u.nals, u.key)
		}
		if u.key && (u.nals[0] != h264.TypeSPS || u.nals[1] != h264.TypePPS) {
			b.t.Errorf("key frame %d begins with %v", i, u.nals)
		}
	}
}

// keys returns which units are key frames.
func (b *bench) keys() (list []int) {
	for i, u := range b.units {
		if u.key {
			list = append(list, i)
		}
	}
	return list
}
