package m2m

import (
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/bril-edge/bril/capture"
	"github.com/bril-edge/bril/encoder"
	"github.com/bril-edge/bril/encoder/h264"
	"github.com/bril-edge/bril/hardware/v4l2"
	"github.com/bril-edge/bril/hardware/v4l2/v4l2test"
)

func TestPicturesAreImported(t *testing.T) {
	for _, single := range []bool{false, true} {
		device := scripted(v4l2test.Quirks{})
		device.SinglePlane = single
		b := newBench(t, device)
		b.share()
		if err := b.open(b.config()); err != nil {
			t.Fatal(err)
		}
		if got := b.encoder.ProfileLevelID(); got != "42e01f" {
			t.Errorf("before the first picture the profile is %q", got)
		}
		b.encode(20)
		if len(b.units) != 20 || !slices.Equal(b.keys(), []int{0}) {
			t.Errorf("%d units, keys %v", len(b.units), b.keys())
		}
		b.inOrder()
		if !device.Imports() || b.encoder.Copied() != 0 || !strings.HasSuffix(b.encoder.Name(), "video11 (dmabuf)") {
			t.Errorf("%s, %d copied, imports %v", b.encoder.Name(), b.encoder.Copied(), device.Imports())
		}
		b.close()
	}
}

func TestPicturesAreCopiedWhereTheyCannotBeImported(t *testing.T) {
	tests := []struct {
		name   string
		quirks v4l2test.Quirks
		share  bool
		stride int
		says   string
	}{
		{"not shared", v4l2test.Quirks{}, false, testWidth, "copy: the camera's memory cannot be shared"},
		{"not offered", v4l2test.Quirks{NoImport: true}, true, testWidth, "copy: import refused: invalid argument"},
		{"refused", v4l2test.Quirks{RefuseImport: unix.EINVAL}, true, testWidth, "copy: import refused: invalid argument"},
		{"not contiguous", v4l2test.Quirks{RefuseImport: unix.EFAULT}, true, testWidth, "copy: import refused: bad address"},
		{"rows", v4l2test.Quirks{Align: 128}, true, testWidth, "copy: the encoder wants rows of 128 bytes, the camera has 64"},
		{"height", v4l2test.Quirks{AlignHeight: 32}, true, testWidth, "copy: the encoder wants 64 rows"},
		{"odd rows of a file", v4l2test.Quirks{Align: 32}, false, 80, "copy: the camera's memory cannot be shared"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			b := newBench(t, scripted(test.quirks))
			b.stride = test.stride
			if test.share {
				b.share()
			}
			if err := b.open(b.config()); err != nil {
				t.Fatal(err)
			}
			b.encode(10)
			b.inOrder()
			if len(b.units) != 10 || b.encoder.Copied() != 10 || b.lent != 0 {
				t.Errorf("%d units, %d copied, %d lent", len(b.units), b.encoder.Copied(), b.lent)
			}
			if !strings.Contains(b.encoder.Name(), test.says) {
				t.Errorf("it is called %q", b.encoder.Name())
			}
			b.close()
		})
	}
}

func TestTheCamerasRowsAreAskedFor(t *testing.T) {
	device := scripted(v4l2test.Quirks{})
	b := newBench(t, device)
	if err := b.open(b.config()); err != nil {
		t.Fatal(err)
	}
	f := b.frame()
	f.Planes = capture.LayOut(capture.NV12, 96, testHeight, make([]byte, 96*testHeight*3/2))
	f.Shared = &capture.Shared{Slots: 4, Planes: []capture.DMABUF{{FD: -1, Length: 96 * testHeight * 3 / 2}}}
	if err := b.encoder.Encode(f); err != nil { // no such descriptor: refused, and copied
		t.Fatal(err)
	}
	if got := device.RawFormat().BytesPerLine; got != 96 {
		t.Errorf("rows of %d bytes", got)
	}
	b.close()
}

func TestQuirks(t *testing.T) {
	tests := []struct {
		name string
		v4l2test.Quirks
		without uint32 // a control that it does not have
		lost    int    // pictures that may be missing
	}{
		{name: "none"},
		{name: "key frames only while streaming", Quirks: v4l2test.Quirks{KeyOnlyStreaming: true}},
		{name: "no forced key frames", without: cidForceKeyFrame},
		{name: "headers once", Quirks: v4l2test.Quirks{HeaderOnce: true}},
		{name: "headers apart", Quirks: v4l2test.Quirks{SeparateHeader: true}},
		{name: "no key frame flag", Quirks: v4l2test.Quirks{NoKeyFlag: true}},
		{name: "empty first buffer", Quirks: v4l2test.Quirks{EmptyFirst: true}},
		{name: "junk first buffer", Quirks: v4l2test.Quirks{JunkFirst: true}},
		{name: "split in 2", Quirks: v4l2test.Quirks{Split: 2}},
		{name: "split in 9, headers apart", Quirks: v4l2test.Quirks{Split: 9, SeparateHeader: true}},
		{name: "filler", Quirks: v4l2test.Quirks{Filler: 500}},
		{name: "rows of 128", Quirks: v4l2test.Quirks{Align: 128}},
		{name: "errors", Quirks: v4l2test.Quirks{ErrorEvery: 7}, lost: 8},
		{name: "no commands, no selection", Quirks: v4l2test.Quirks{NoCommand: true, NoSelection: true}, without: cidForceKeyFrame},
		{name: "deaf to key frames", Quirks: v4l2test.Quirks{DeafToKeys: true}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			device := scripted(test.Quirks)
			delete(device.Controls, test.without)
			b := newBench(t, device)
			b.share()
			if err := b.open(b.config()); err != nil {
				t.Fatal(err)
			}
			b.encode(10)
			b.encoder.restarted -= time.Hour // as if it ran for long
			b.encoder.ForceKeyFrame()
			b.encode(10)
			b.encoder.restarted -= time.Hour
			b.encode(30)
			b.inOrder()
			if len(b.units) < 50-test.lost {
				t.Errorf("%d units of 50 pictures", len(b.units))
			}
			asked := slices.ContainsFunc(b.keys(), func(i int) bool { return i > 7 && i < 22 })
			if !asked || b.keys()[0] != 0 {
				t.Errorf("keys are %v, asked for one at 10", b.keys())
			}
			if skipped := int(b.encoder.Skipped()); skipped != 50-len(b.units) {
				t.Errorf("%d skipped, %d came out of 50", skipped, len(b.units))
			}
			for _, u := range b.units {
				if slices.Contains(u.nals, h264.TypeFiller) {
					t.Fatal("filler came out")
				}
			}
			b.close()
		})
	}
}

func TestControls(t *testing.T) {
	device := scripted(v4l2test.Quirks{})
	b := newBench(t, device)
	if err := b.open(b.config()); err != nil {
		t.Fatal(err)
	}
	b.encode(1)
	for id, want := range map[uint32]int32{
		cidBFrames: 0, cidGOPSize: 500, cidIPeriod: 500, cidBitRateMode: 1, cidBitRate: 500_000, cidFrameRCEnable: 1,
		cidHeaderMode: 1, cidRepeatSeqHeader: 0, cidLevel: 9, cidProfile: 1,
	} {
		if got := device.Value(id); got != want || !slices.Contains(device.Set(), id) {
			t.Errorf("control %#x is %d, want %d", id, got, want)
		}
	}
	if err := b.encoder.SetBitRate(300_000); err != nil {
		t.Fatal(err)
	}
	b.encode(1)
	if device.Rate() != 300_000 || len(b.keys()) != 1 {
		t.Errorf("bitrate %d, keys %v", device.Rate(), b.keys())
	}
	b.close()
}

func TestBitRateByRestart(t *testing.T) {
	device := scripted(v4l2test.Quirks{RateAtStart: true})
	device.Driver = "wave5-enc"
	b := newBench(t, device)
	if err := b.open(b.config()); err != nil {
		t.Fatal(err)
	}
	b.encode(5)
	change := func(rate int64, want int32) {
		t.Helper()
		b.encoder.rate.Store(rate)
		b.encode(5)
		if got := device.Rate(); got != want {
			t.Errorf("bitrate %d, want %d", got, want)
		}
	}
	change(300_000, 500_000) // it has only just been started
	b.encoder.restarted -= time.Hour
	change(300_000, 300_000)
	b.encoder.restarted -= time.Hour
	change(310_000, 300_000) // not worth it
	b.inOrder()
	if len(b.units) != 20 || len(b.keys()) != 2 {
		t.Errorf("%d units, keys %v", len(b.units), b.keys())
	}
	b.close()
}

func TestADeviceThatExceedsItsBitRateIsStartedAnew(t *testing.T) {
	device := scripted(v4l2test.Quirks{RateAtStart: true, Filler: 1000})
	b := newBench(t, device)
	if err := b.open(b.config()); err != nil {
		t.Fatal(err)
	}
	b.encode(5)
	b.encoder.SetBitRate(25_000)
	b.encode(100)
	if device.Rate() != 500_000 {
		t.Fatalf("bitrate %d", device.Rate())
	}
	b.encoder.rates.since -= 4 * time.Second
	b.encode(1)
	if device.Rate() != 25_000 {
		t.Errorf("bitrate %d", device.Rate())
	}
	b.close()
}

func TestLatencyOfADeviceThatLags(t *testing.T) {
	device := scripted(v4l2test.Quirks{Lag: 1})
	delete(device.Controls, cidForceKeyFrame)
	b := newBench(t, device)
	b.share()
	if err := b.open(b.config()); err != nil {
		t.Fatal(err)
	}
	b.encode(10)
	if len(b.units) != 9 || b.lent != 1 {
		t.Errorf("%d units of 10, %d pictures lent", len(b.units), b.lent)
	}
	b.encoder.restarted -= time.Hour
	b.encoder.ForceKeyFrame() // a start anew, which drains it
	b.encode(10)
	if len(b.units) != 19 || b.encoder.Skipped() != 0 {
		t.Errorf("%d units of 20, %d skipped", len(b.units), b.encoder.Skipped())
	}
	b.inOrder()
	b.close()
}

func TestStall(t *testing.T) {
	b := newBench(t, scripted(v4l2test.Quirks{StallAfter: 5}))
	b.share()
	if err := b.open(b.config()); err != nil {
		t.Fatal(err)
	}
	b.encode(5)
	start := time.Now()
	var err error
	for range 10 {
		if err = b.encoder.Encode(b.frame()); err != nil {
			break
		}
	}
	if !errors.Is(err, ErrStalled) || !strings.Contains(err.Error(), "video11") {
		t.Errorf("got %v", err)
	}
	if took := time.Since(start); took < 100*time.Millisecond || took > 2*time.Second {
		t.Errorf("noticed after %v", took)
	}
	if b.lent > depth {
		t.Errorf("%d pictures are held", b.lent)
	}
	if again := b.encoder.Encode(b.frame()); !errors.Is(again, ErrStalled) {
		t.Errorf("then %v", again)
	}
	b.close()
}

func TestErrorsThatStay(t *testing.T) {
	b := newBench(t, scripted(v4l2test.Quirks{}))
	b.share()
	if err := b.open(b.config()); err != nil {
		t.Fatal(err)
	}
	b.encode(3)
	b.device.SetQuirks(v4l2test.Quirks{Broken: true})
	var err error
	for range persistent {
		if err != nil {
			t.Fatalf("gave up early: %v", err)
		}
		err = b.encoder.Encode(b.frame())
	}
	if !errors.Is(err, unix.EIO) || b.encoder.Errors() != persistent {
		t.Errorf("got %v, %d errors", err, b.encoder.Errors())
	}
	b.close()
}

func TestUnplugged(t *testing.T) {
	b := newBench(t, scripted(v4l2test.Quirks{}))
	b.share()
	if err := b.open(b.config()); err != nil {
		t.Fatal(err)
	}
	b.encode(3)
	b.device.Unplug()
	if err := b.encoder.Encode(b.frame()); !errors.Is(err, unix.ENODEV) {
		t.Errorf("got %v", err)
	}
	b.close()
}

func TestEveryFailureLeavesNothingBehind(t *testing.T) {
	for _, test := range []struct {
		name    string
		share   bool
		without uint32 // with this, the key frame in between is a start anew
	}{{"imported", true, 0}, {"copied", false, 0}, {"started anew", true, cidForceKeyFrame}} {
		t.Run(test.name, func(t *testing.T) {
			run := func(fail int, errno unix.Errno) ([]string, error) {
				device := scripted(v4l2test.Quirks{})
				delete(device.Controls, test.without)
				b := newBench(t, device)
				defer b.close()
				if test.share {
					b.share()
				}
				b.kernel.FailStep(fail, errno)
				err := b.open(b.config())
				for i := 0; err == nil && i < 4; i++ {
					if i == 2 {
						b.encoder.restarted -= time.Hour
						b.encoder.ForceKeyFrame()
					}
					err = b.encoder.Encode(b.frame())
				}
				return b.kernel.Steps(), err
			}
			steps, err := run(0, 0)
			if err != nil {
				t.Fatal(err)
			}
			for i, step := range steps {
				for _, errno := range []unix.Errno{unix.EIO, unix.ENOMEM} {
					_, err := run(i+1, errno)
					if errors.Is(err, errno) && strings.Contains(err.Error(), "video11") {
						continue
					}
					// The search passes over what does not answer, first of all the camera.
					if i < 2 && err == nil || i < 20 && errors.Is(err, os.ErrNotExist) {
						continue
					}
					t.Errorf("%s (step %d) fails: %v", step, i+1, err)
				}
			}
		})
	}
}

func TestOpenExplains(t *testing.T) {
	tests := []struct {
		name   string
		change func(b *bench, cfg *Config)
		want   error
		says   string
	}{
		{"no device", func(b *bench, _ *Config) { b.device.Unplug() }, os.ErrNotExist, "no device of this machine"},
		{"too large", func(_ *bench, c *Config) { c.Width = 4096 }, os.ErrNotExist, "does at most 1920x1088"},
		{"odd", func(_ *bench, c *Config) { c.Width = 63 }, nil, "must be even"},
		{"format", func(_ *bench, c *Config) { c.Format = capture.YUYV }, ErrUnsupported, "takes [NV12 YU12], not YUYV"},
		{"a camera", func(b *bench, c *Config) { c.Device = strings.Replace(b.system.nodes, "video*", "video0", 1) },
			errNotEncoder, "video0"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			b := newBench(t, scripted(v4l2test.Quirks{}))
			cfg := b.config()
			test.change(b, &cfg)
			err := b.open(cfg)
			if err == nil || test.want != nil && !errors.Is(err, test.want) || !strings.Contains(err.Error(), test.says) {
				t.Errorf("got %v", err)
			}
			b.close()
		})
	}
}

func TestAnotherProfileThanOffered(t *testing.T) {
	b := newBench(t, scripted(v4l2test.Quirks{HighProfile: true}))
	if err := b.open(b.config()); err != nil {
		t.Fatal(err)
	}
	err := b.encoder.Encode(b.frame())
	if !errors.Is(err, ErrUnsupported) || !strings.Contains(err.Error(), "42e01f, and makes 64001f") {
		t.Errorf("got %v", err)
	}
	b.close()
}

func TestProfileThatNoControlTells(t *testing.T) {
	device := scripted(v4l2test.Quirks{})
	delete(device.Controls, cidLevel)
	b := newBench(t, device)
	if err := b.open(b.config()); err != nil {
		t.Fatal(err)
	}
	if got := b.encoder.ProfileLevelID(); got != "" {
		t.Errorf("at first %q", got)
	}
	b.encode(1)
	if got := b.encoder.ProfileLevelID(); got != "42c000" {
		t.Errorf("then %q", got)
	}
	b.close()
}

func TestI420BecomesNV12(t *testing.T) {
	device := scripted(v4l2test.Quirks{})
	device.Raw = []v4l2.FourCC{v4l2.PixFmtNV12}
	b := newBench(t, device)
	cfg := b.config()
	cfg.Format = capture.I420
	if err := b.open(cfg); err != nil {
		t.Fatal(err)
	}
	f := b.frame()
	f.Format = capture.I420
	memory := make([]byte, testSize)
	f.Planes = capture.LayOut(capture.I420, testWidth, testHeight, memory)
	for i := range f.Planes {
		for j := range f.Planes[i].Data {
			f.Planes[i].Data[j] = byte(i)
		}
	}
	if err := b.encoder.Encode(f); err != nil {
		t.Fatal(err)
	}
	got := b.encoder.raw.Planes(0)[0]
	for i, want := range []byte{0, 1, 2, 1, 2} {
		at := testWidth*testHeight - 1 + i
		if got[at] != want {
			t.Errorf("byte %d is %d, want %d", at, got[at], want)
		}
	}
	b.close()
}

func TestFramesAllocateNothing(t *testing.T) {
	for _, share := range []bool{false, true} {
		b := newBench(t, scripted(v4l2test.Quirks{Canned: true}))
		if share {
			b.share()
		}
		if err := b.open(b.config()); err != nil {
			t.Fatal(err)
		}
		b.encode(20)
		units := 0
		f := b.frame()
		b.lent--
		f = f.WithFree(nil)
		b.encoder.sink = func(encoder.AccessUnit) error { units++; return nil }
		allocs := testing.AllocsPerRun(100, func() {
			f.PTS += 20 * time.Millisecond
			if err := b.encoder.Encode(f); err != nil {
				t.Fatal(err)
			}
		})
		if allocs > 0 || units != 101 {
			t.Errorf("share %v: %v allocations a frame, %d units", share, allocs, units)
		}
		b.close()
	}
}
