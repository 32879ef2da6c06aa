package e2e

import (
	"fmt"
	"math"
	"slices"
	"testing"
)

// TestPhotoOfH264 takes photos of a file that is passed through: each shows a
// picture of the film, which nobody but the photo has decoded.
func TestPhotoOfH264(t *testing.T) {
	f := makeFilm(t)
	e := startEndpoint(t)
	a := startAgent(t, e.url("/whip/demo"), append(configured(t, "upload: {live_share: 100}\n"), "--camera", "mp4:"+f.mp4, "--microphone", "none", "--loop", "--live")...)
	a.waitLive()
	var ids []string
	for _, pictures := range []uint64{10, 25, 40} {
		a.capture(pictures)
		p := a.photo()
		t.Logf("%d frames, chosen in %.0f ms, encoded in %.0f ms, stored in %.0f ms", p.Frames, p.ChooseMS, p.EncodeMS, p.StoreMS)
		if p.Frames < 1 || p.Frames > 5 {
			t.Errorf("chosen from %d frames", p.Frames)
		}
		ids = append(ids, p.ID)
	}
	film := grey(t, f.mp4)
	for id, item := range a.delivered(e, "demo", ids...) {
		path := e.path("demo", item)
		size := string(run(t, nil, "ffprobe", "-v", "error", "-show_entries", "stream=codec_name,width,height", "-of", "csv=p=0", path))
		if want := fmt.Sprintf("mjpeg,%d,%d\n", footageWidth, footageHeight); size != want {
			t.Errorf("%s is %q, want %q", id, size, want)
		}
		best, psnr := mostLike(film, grey(t, path)[0])
		t.Logf("%s shows picture %d: %.1f dB", id, best, psnr)
		if psnr < 38 {
			t.Errorf("%s is no picture of the film: %.1f dB at most", id, psnr)
		}
	}
}

// grey decodes a file to the luma of its pictures, full range, at half size.
func grey(t *testing.T, path string) [][]byte {
	t.Helper()
	const width, height = footageWidth / 2, footageHeight / 2
	out := ffmpeg(t, nil, "-i", path, "-vf", fmt.Sprintf("scale=%d:%d:out_range=full,format=gray", width, height), "-f", "rawvideo", "-")
	return slices.Collect(slices.Chunk(out, width*height))
}

// mostLike returns which picture is most like that one, and how much, in dB.
func mostLike(film [][]byte, picture []byte) (best int, psnr float64) {
	for n, other := range film {
		var squares float64
		for i := range other {
			d := float64(other[i]) - float64(picture[i])
			squares += d * d
		}
		if p := 10 * math.Log10(255*255*float64(len(other))/max(squares, 1)); p > psnr {
			best, psnr = n, p
		}
	}
	return best, psnr
}
