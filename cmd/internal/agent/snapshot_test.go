package agent

import (
	"bytes"
	"errors"
	"image/jpeg"
	"log/slog"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"

	"github.com/bril-edge/bril/configs"
)

// A snapshot is taken under the light, which is out again behind it.
func TestSnapshot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGlasses(t)
		cfg := configs.Default()
		cfg.Camera.Rotation = 90
		picture, err := Snapshot(t.Context(), cfg, Options{Log: slog.New(slog.DiscardHandler), board: g.board(), system: g.system()})
		if err != nil {
			t.Fatal(err)
		}
		if size, err := jpeg.DecodeConfig(bytes.NewReader(picture)); err != nil || size.Width != 720 || size.Height != 1280 {
			t.Errorf("%v, %v", size, err)
		}
		if g.isLit() || g.running.Load() != 0 || g.off != 0 {
			t.Errorf("lit %t, %d devices run, %d times put out meanwhile", g.isLit(), g.running.Load(), g.off)
		}

		g.unplug(true)
		if _, err := Snapshot(t.Context(), cfg, Options{Log: slog.New(slog.DiscardHandler), board: g.board(), system: g.system()}); !errors.Is(err, syscall.ENODEV) {
			t.Errorf("without the light: %v", err)
		}
	})
}

// A recording has no pictures to look at but those that somebody decodes.
func TestSnapshotOfH264(t *testing.T) {
	cfg := configs.Default()
	cfg.Camera.Source = configs.VideoSource{Kind: configs.H264, Path: "../../../capture/file/testdata/stream.h264"}
	_, err := Snapshot(t.Context(), cfg, Options{Log: slog.New(slog.DiscardHandler), board: newGlasses(t).board()})
	if err == nil || !strings.Contains(err.Error(), "encoded as H.264") {
		t.Error(err)
	}
}
