package photo

import (
	"bytes"
	"context"
	"errors"
	"image"
	"image/jpeg"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bril-edge/bril/capture"
)

// texture returns a picture of fine detail that is blurred over so many pixels.
func texture(format capture.PixelFormat, w, h, blur int) *capture.Frame {
	pool, err := capture.NewPool(format, w, h)
	if err != nil {
		panic(err)
	}
	f := pool.Get()
	for i, p := range f.Planes {
		for j := range p.Data {
			if p.Data[j] = 128; i == 0 {
				x, y := j%p.Stride, j/p.Stride
				if format == capture.YUYV {
					x /= 2
				}
				p.Data[j] = detail(x, y, blur)
			}
		}
	}
	return &f
}

// detail is the mean of blur neighbours in a row of a pattern.
func detail(x, y, blur int) byte {
	sum := 0
	for i := range blur {
		sum += 50 + ((x+i)*(x+i)*7+y*y*13+(x+i)*y*3)%140
	}
	return byte(sum / blur)
}

func mjpeg(t testing.TB, f *capture.Frame) *capture.Frame {
	t.Helper()
	var b bytes.Buffer
	p := &f.Planes
	if err := jpeg.Encode(&b, &image.YCbCr{Y: p[0].Data, Cb: p[1].Data, Cr: p[2].Data, YStride: p[0].Stride, CStride: p[1].Stride,
		SubsampleRatio: image.YCbCrSubsampleRatio420, Rect: image.Rect(0, 0, f.Width, f.Height)}, nil); err != nil {
		t.Fatal(err)
	}
	return &capture.Frame{Format: capture.MJPEG, Width: f.Width, Height: f.Height, PTS: f.PTS, Planes: [3]capture.Plane{{Data: b.Bytes()}}}
}

var noon = time.Date(2026, 3, 14, 12, 0, 0, 0, time.FixedZone("", 2*60*60))

func wall(pts time.Duration) time.Time { return noon.Add(pts) }

// mustTaker returns a Taker that is closed at the end of the test, twice.
func mustTaker(t testing.TB, cfg Config) *Taker {
	t.Helper()
	if cfg.Wall == nil {
		cfg.Wall = wall
	}
	taker, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for range 2 {
			if err := taker.Close(); err != nil {
				t.Error(err)
			}
		}
		if len(taker.idle)+len(taker.filled) != shots {
			t.Errorf("%d+%d of %d frames' memory came back", len(taker.idle), len(taker.filled), shots)
		}
	})
	return taker
}

type outcome struct {
	photo Photo
	err   error
}

// press calls Take, which waits for frames when press returns.
func press(ctx context.Context, taker *Taker) <-chan outcome {
	done := make(chan outcome, 1)
	go func() {
		p, err := taker.Take(ctx)
		done <- outcome{p, err}
	}()
	synctest.Wait()
	return done
}

const second = time.Second

func TestTakesTheSharpest(t *testing.T) {
	tests := map[string]struct {
		blurs  []int         // of the frames
		first  time.Duration // after the press
		every  time.Duration
		best   int // of the frames
		frames int
		within time.Duration
	}{
		"first":                    {[]int{1, 3, 3, 3, 3}, 0, second / 30, 0, 5, 135 * time.Millisecond},
		"middle":                   {[]int{4, 2, 1, 2, 4}, 0, second / 30, 2, 5, 135 * time.Millisecond},
		"last":                     {[]int{4, 4, 3, 3, 2}, 0, second / 30, 4, 5, 135 * time.Millisecond},
		"all the same":             {[]int{2, 2, 2, 2, 2}, 0, second / 30, 0, 5, 135 * time.Millisecond},
		"the sixth does not count": {[]int{4, 3, 4, 4, 4, 1}, 0, second / 60, 1, 5, 67 * time.Millisecond},
		"nor one after 150 ms":     {[]int{4, 3, 1, 1}, 60 * time.Millisecond, second / 20, 1, 2, window},
		"15 frames a second":       {[]int{4, 2, 3, 1}, 10 * time.Millisecond, second / 15, 1, 3, window},
		"5 frames a second":        {[]int{4, 1}, 100 * time.Millisecond, second / 5, 0, 1, window},
		"1 frame a second":         {[]int{4, 1}, 900 * time.Millisecond, second, 0, 1, 900 * time.Millisecond},
	}
	for name, test := range tests {
		for _, kind := range []capture.PixelFormat{capture.I420, capture.NV12, capture.YUYV, capture.MJPEG} {
			t.Run(name+"/"+kind.String(), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					taker := mustTaker(t, Config{})
					done := press(t.Context(), taker)
					time.Sleep(test.first)
					for i, blur := range test.blurs {
						f := frameOf(t, kind, blur)
						f.PTS = time.Duration(i)
						taker.Offer(f)
						time.Sleep(test.every)
					}
					got := <-done
					if got.err != nil {
						t.Fatal(got.err)
					}
					p := got.photo
					if int(p.PTS) != test.best || p.Frames != test.frames || p.Choose > test.within {
						t.Errorf("took frame %d of %d after %v, want %d of %d within %v", p.PTS, p.Frames, p.Choose, test.best, test.frames, test.within)
					}
					if p.Sharpness < p.LastSharpness {
						t.Errorf("sharpness %.1f, the last frame's %.1f", p.Sharpness, p.LastSharpness)
					}
					decoded, err := jpeg.Decode(bytes.NewReader(p.JPEG))
					if err != nil || decoded.Bounds().Size() != image.Pt(p.Width, p.Height) {
						t.Errorf("decoded: %v, want %dx%d: %v", decoded.Bounds(), p.Width, p.Height, err)
					}
				})
			})
		}
	}
}

func frameOf(t testing.TB, kind capture.PixelFormat, blur int) *capture.Frame {
	if kind == capture.MJPEG {
		return mjpeg(t, texture(capture.I420, 64, 48, blur))
	}
	return texture(kind, 64, 48, blur)
}

// A frame that no photo was wanted for leaves no trace.
func TestLooksAtNothingUnasked(t *testing.T) {
	taker := mustTaker(t, Config{})
	f := texture(capture.I420, 64, 48, 1)
	if n := testing.AllocsPerRun(100, func() { taker.Offer(f) }); n > 0 {
		t.Errorf("%v allocations a frame", n)
	}
	if len(taker.idle) != shots || len(taker.filled) != 0 {
		t.Error("a frame was kept")
	}
	for range shots {
		if s := <-taker.idle; s.Frame.Width != 0 {
			t.Error("a frame was copied")
		} else {
			taker.idle <- s
		}
	}
}

// The frame's memory is the source's again as soon as Offer returns.
func TestKeepsACopy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		taker := mustTaker(t, Config{})
		sharpest := func(spoil bool) Photo {
			done := press(t.Context(), taker)
			for _, blur := range []int{3, 1, 3, 3, 3} {
				f := texture(capture.NV12, 64, 48, blur)
				taker.Offer(f)
				if spoil {
					clear(f.Planes[0].Data)
					clear(f.Planes[1].Data)
				}
				synctest.Wait()
			}
			got := <-done
			if got.err != nil {
				t.Fatal(got.err)
			}
			return got.photo
		}
		if a, b := sharpest(false), sharpest(true); !bytes.Equal(a.JPEG, b.JPEG) {
			t.Error("the photo changed with the frame it was copied of")
		}
	})
}

func TestOfferCopyingAllocatesNothing(t *testing.T) {
	taker := mustTaker(t, Config{})
	f := texture(capture.YUYV, 64, 48, 1)
	b := &burst{began: time.Now()}
	b.left.Store(1 << 20)
	if n := testing.AllocsPerRun(100, func() {
		taker.offer(b, f)
		taker.idle <- <-taker.filled
	}); n > 0 {
		t.Errorf("%v allocations a frame", n)
	}
}

// Offer returns although nobody takes what it copies.
func TestOfferNeverBlocks(t *testing.T) {
	taker := mustTaker(t, Config{})
	b := &burst{began: time.Now()}
	b.left.Store(frames)
	for range 3 * frames {
		taker.offer(b, texture(capture.I420, 64, 48, 1))
	}
	if len(taker.filled) != shots || b.left.Load() != frames-shots {
		t.Errorf("%d frames were copied and %d are wanted, of %d", len(taker.filled), b.left.Load(), frames)
	}
	for range 2 {
		taker.offer(b, &capture.Frame{Format: capture.H264, Width: 64, Height: 48})
	}
	// A photo is none the worse for what another has left.
	takeAmongStale(t, taker)
}

// takeAmongStale takes a photo while frames of another one are in the way.
func takeAmongStale(t *testing.T, taker *Taker) {
	t.Helper()
	done := make(chan outcome, 1)
	go func() {
		p, err := taker.Take(t.Context())
		done <- outcome{p, err}
	}()
	f := texture(capture.I420, 64, 48, 1)
	f.PTS = 77
	for {
		select {
		case got := <-done:
			if got.err != nil || got.photo.PTS != 77 {
				t.Errorf("frame %d, %v", got.photo.PTS, got.err)
			}
			return
		default:
			taker.Offer(f)
			runtime.Gosched()
		}
	}
}

func TestNoFrame(t *testing.T) {
	cut := mjpeg(t, texture(capture.I420, 64, 48, 1))
	cut.Planes[0].Data = cut.Planes[0].Data[:len(cut.Planes[0].Data)/2]
	short := texture(capture.NV12, 64, 48, 1)
	short.Planes[1].Data = short.Planes[1].Data[:7]
	tests := map[string]struct {
		offer *capture.Frame
		says  string
		hint  string
	}{
		"none":         {nil, "take photo: no frame in 2s", "bril doctor"},
		"only damaged": {cut, "take photo: no usable frame in 2s: read luma of MJPEG", "damaged"},
		"only short":   {short, "take photo: no usable frame in 2s: copy NV12", "damaged"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				taker := mustTaker(t, Config{})
				began := time.Now()
				done := press(t.Context(), taker)
				for range 50 {
					if test.offer != nil {
						taker.Offer(test.offer)
					}
					time.Sleep(30 * time.Millisecond)
				}
				got := <-done
				var none *NoFrameError
				if !errors.As(got.err, &none) || !strings.Contains(got.err.Error(), test.says) || !strings.Contains(none.Hint(), test.hint) {
					t.Errorf("got %v", got.err)
				}
				if waited := time.Since(began); waited != patience {
					t.Errorf("after %v", waited)
				}
			})
		})
	}
}

// A damaged picture costs its own place only.
func TestDamagedFramesAreLeftOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		taker := mustTaker(t, Config{})
		done := press(t.Context(), taker)
		for i := range 12 {
			f := frameOf(t, capture.MJPEG, 1+i)
			if f.PTS = time.Duration(i); i < 7 {
				f.Planes[0].Data = f.Planes[0].Data[:100]
			}
			taker.Offer(f)
			synctest.Wait()
		}
		got := <-done
		if got.err != nil || got.photo.PTS != 7 || got.photo.Frames != frames {
			t.Errorf("frame %d of %d, %v", got.photo.PTS, got.photo.Frames, got.err)
		}
	})
}

func TestH264IsToBeDecoded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		taker := mustTaker(t, Config{})
		done := press(t.Context(), taker)
		taker.Offer(&capture.Frame{Format: capture.H264, Width: 64, Height: 48, Planes: [3]capture.Plane{{Data: []byte{0, 0, 1, 9}}}})
		got := <-done
		var format *FormatError
		if !errors.As(got.err, &format) || !strings.Contains(got.err.Error(), "H264") {
			t.Errorf("got %v", got.err)
		}
	})
}

// Two presses are two photos, one after the other.
func TestTwoAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		taker := mustTaker(t, Config{})
		first, other := press(t.Context(), taker), press(t.Context(), taker)
		var took []Photo
		for i := range 2 * frames {
			f := texture(capture.I420, 64, 48, 2)
			f.PTS = time.Duration(i)
			taker.Offer(f)
			time.Sleep(second / 40)
		}
		for _, done := range []<-chan outcome{first, other} {
			got := <-done
			if got.err != nil {
				t.Fatal(got.err)
			}
			took = append(took, got.photo)
		}
		if took[0].PTS != 0 || took[1].PTS != frames {
			t.Errorf("took frames %d and %d, want 0 and %d", took[0].PTS, took[1].PTS, frames)
		}
	})
}

func TestTakeEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		taker := mustTaker(t, Config{})
		ctx, cancel := context.WithCancel(t.Context())
		waits, queued := press(ctx, taker), press(ctx, taker)
		taker.Offer(texture(capture.I420, 64, 48, 2))
		synctest.Wait()
		cancel()
		for _, done := range []<-chan outcome{waits, queued} {
			if got := <-done; !errors.Is(got.err, context.Canceled) {
				t.Errorf("got %v", got.err)
			}
		}
	})
}

func TestClose(t *testing.T) {
	before := runtime.NumGoroutine()
	synctest.Test(t, func(t *testing.T) {
		taker := mustTaker(t, Config{})
		waits, queued := press(t.Context(), taker), press(t.Context(), taker)
		taker.Offer(texture(capture.I420, 64, 48, 2))
		for range 2 {
			if err := taker.Close(); err != nil {
				t.Error(err)
			}
		}
		for _, done := range []<-chan outcome{waits, queued, press(t.Context(), taker)} {
			if got := <-done; !errors.Is(got.err, os.ErrClosed) {
				t.Errorf("got %v", got.err)
			}
		}
		taker.Offer(texture(capture.I420, 64, 48, 2))
	})
	for deadline := time.Now().Add(5 * time.Second); runtime.NumGoroutine() > before; runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatalf("%d goroutines before, %d after", before, runtime.NumGoroutine())
		}
	}
}

// For the race detector: frames come as fast as they can while photos are taken
// and given up, and the Taker is closed in the middle.
func TestUnderLoad(t *testing.T) {
	taker := mustTaker(t, Config{Rotation: 90})
	var stop atomic.Bool
	var source, takers sync.WaitGroup
	source.Go(func() {
		list := []*capture.Frame{frameOf(t, capture.I420, 1), frameOf(t, capture.MJPEG, 2), texture(capture.YUYV, 32, 80, 3), {Format: capture.NV12, Width: 4, Height: 4}}
		for i := 0; !stop.Load(); i++ {
			taker.Offer(list[i%len(list)])
			runtime.Gosched()
		}
	})
	for range 4 {
		takers.Go(func() {
			for range 10 {
				if _, err := taker.Take(t.Context()); err != nil {
					t.Error(err)
				}
				ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
				if _, err := taker.Take(ctx); err != nil && !errors.Is(err, context.DeadlineExceeded) {
					t.Error(err)
				}
				cancel()
			}
		})
	}
	takers.Wait()
	takers.Go(func() {
		for {
			if _, err := taker.Take(t.Context()); errors.Is(err, os.ErrClosed) {
				return
			} else if err != nil {
				t.Error(err)
				return
			}
		}
	})
	if err := taker.Close(); err != nil {
		t.Error(err)
	}
	takers.Wait()
	stop.Store(true)
	source.Wait()
}

func TestRotation(t *testing.T) {
	for _, kind := range []capture.PixelFormat{capture.I420, capture.MJPEG} {
		for _, rotation := range []int{0, 90, 180, 270} {
			synctest.Test(t, func(t *testing.T) {
				taker := mustTaker(t, Config{Rotation: rotation})
				done := press(t.Context(), taker)
				taker.Offer(frameOf(t, kind, 1))
				got := <-done
				if got.err != nil {
					t.Fatal(got.err)
				}
				turned := rotation == 90 || rotation == 270
				if p := got.photo; (p.Width == 48) != turned || (p.Height == 64) != turned {
					t.Errorf("%v by %d is shown as %dx%d", kind, rotation, p.Width, p.Height)
				}
				size, err := jpeg.DecodeConfig(bytes.NewReader(got.photo.JPEG))
				if err != nil || (size.Width == 48) != (turned && kind != capture.MJPEG) {
					t.Errorf("%v by %d has %d columns, %v", kind, rotation, size.Width, err)
				}
			})
		}
	}
}

func TestConfig(t *testing.T) {
	for _, cfg := range []Config{{Rotation: 1}, {Quality: 101}, {Quality: -1}} {
		if _, err := New(cfg); err == nil || !strings.HasPrefix(err.Error(), "photos: ") {
			t.Errorf("%+v: %v", cfg, err)
		}
	}
	for in, want := range map[string]string{
		"": "", " Bril 7\n": "Bril 7", "a\x00b\xffc": "abc", strings.Repeat("é", 200): strings.Repeat("é", 128),
		"x" + strings.Repeat("é", 200): "x" + strings.Repeat("é", 127),
	} {
		if got := label(in); got != want {
			t.Errorf("label %q is %q, want %q", in, got, want)
		}
	}
}
