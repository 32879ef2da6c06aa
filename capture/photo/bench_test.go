package photo

import (
	"fmt"
	"testing"
	"time"

	"github.com/bril-edge/bril/capture"
	"github.com/bril-edge/bril/capture/pixel"
)

var (
	sizes   = [][2]int{{1280, 720}, {1920, 1080}}
	formats = []capture.PixelFormat{capture.I420, capture.NV12, capture.YUYV, capture.MJPEG}
)

// each runs a benchmark with a frame of each size and format.
func each(b *testing.B, f func(b *testing.B, in *capture.Frame)) {
	for _, size := range sizes {
		for _, format := range formats {
			b.Run(fmt.Sprintf("%v/%dx%d", format, size[0], size[1]), func(b *testing.B) {
				in := texture(capture.I420, size[0], size[1], 6)
				switch format {
				case capture.I420:
				case capture.MJPEG:
					in = mjpeg(b, in)
				default:
					in = texture(format, size[0], size[1], 6)
				}
				b.ReportAllocs()
				f(b, in)
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/1e6/float64(b.N), "ms/frame")
			})
		}
	}
}

// BenchmarkOfferIdle is what each frame of the live stream costs.
func BenchmarkOfferIdle(b *testing.B) {
	taker, f := mustTaker(b, Config{}), texture(capture.I420, 64, 48, 1)
	b.ReportAllocs()
	for b.Loop() {
		taker.Offer(f)
	}
}

// BenchmarkOfferCopying is what a frame costs the live stream while a photo is
// taken.
func BenchmarkOfferCopying(b *testing.B) {
	each(b, func(b *testing.B, in *capture.Frame) {
		taker := mustTaker(b, Config{})
		burst := &burst{began: time.Now()}
		burst.left.Store(1 << 30)
		for b.Loop() {
			taker.offer(burst, in)
			taker.idle <- <-taker.filled
		}
	})
}

func BenchmarkScore(b *testing.B) {
	each(b, func(b *testing.B, in *capture.Frame) {
		reader := pixel.NewLumaReader(nil)
		defer reader.Close()
		for b.Loop() {
			luma, err := reader.Read(in)
			if err != nil {
				b.Fatal(err)
			}
			sharpness(luma)
		}
	})
}

// BenchmarkDevelop is from the chosen frame to the JPEG with its metadata.
func BenchmarkDevelop(b *testing.B) {
	each(b, func(b *testing.B, in *capture.Frame) {
		taker := mustTaker(b, Config{Device: "Bril 7", Software: "bril 1.2.3"})
		var s shot
		for b.Loop() {
			if err := s.Take(in); err != nil {
				b.Fatal(err)
			}
			if _, err := taker.develop(&s); err != nil {
				b.Fatal(err)
			}
		}
	})
}
