package agent

import (
	"bytes"
	"errors"
	"image/jpeg"
	"log/slog"
	"syscall"
	"testing"
	"testing/synctest"

	"github.com/bril-edge/bril/configs"
)

// A snapshot is taken under the light, which is out again behind it.
func TestSnapshot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGlasses(t)
		p, err := Snapshot(t.Context(), configs.Default(), Options{Log: slog.New(slog.DiscardHandler), board: g.board(), system: g.system()})
		if err != nil {
			t.Fatal(err)
		}
		if size, err := jpeg.DecodeConfig(bytes.NewReader(p.JPEG)); err != nil || size.Width != p.Width || p.Width == 0 {
			t.Errorf("%v, %v of %dx%d", size, err, p.Width, p.Height)
		}
		if g.isLit() || g.running.Load() != 0 || g.off != 0 {
			t.Errorf("lit %t, %d devices run, %d times put out meanwhile", g.isLit(), g.running.Load(), g.off)
		}

		g.unplug(true)
		if _, err := Snapshot(t.Context(), configs.Default(), Options{Log: slog.New(slog.DiscardHandler), board: g.board(), system: g.system()}); !errors.Is(err, syscall.ENODEV) {
			t.Errorf("without the light: %v", err)
		}
	})
}

// What delivers H.264 is decoded, from the first key frame on.
func TestSnapshotOfH264(t *testing.T) {
	cfg := configs.Default()
	cfg.Camera.Source = configs.VideoSource{Kind: configs.H264, Path: "../../../capture/file/testdata/stream.h264"}
	cfg.Camera.Loop = true
	p, err := Snapshot(t.Context(), cfg, Options{Log: slog.New(slog.DiscardHandler), board: newGlasses(t).board()})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := jpeg.Decode(bytes.NewReader(p.JPEG)); err != nil {
		t.Error(err)
	}
}
