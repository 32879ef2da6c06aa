package configs

import (
	"path/filepath"
	"strings"
	"testing"
)

func TestWarnings(t *testing.T) {
	dir := t.TempDir()
	private, open := filepath.Join(dir, "private"), filepath.Join(dir, "open")
	writeMode(t, private, "a", 0o600)
	writeMode(t, open, "a", 0o644)
	cfg := Default()
	cfg.Uplink.TokenFile = private
	if w := cfg.Warnings(); len(w) != 0 {
		t.Errorf("got %v", w)
	}
	cfg.Uplink.TokenFile = open
	cfg.Uplink.ICEServers = []ICEServer{{CredentialFile: filepath.Join(dir, "missing")}}
	want := []string{
		"uplink.token_file: " + open + " can be read or changed by others (mode 0644) (chmod 600 " + open + ")",
		"uplink.ice_servers[0].credential_file: " + filepath.Join(dir, "missing") + ": no such file",
	}
	got := cfg.Warnings()
	if len(got) != len(want) {
		t.Fatalf("got %v", got)
	}
	for i, w := range want {
		if !strings.HasPrefix(got[i].Error(), w) {
			t.Errorf("got %v, want %s", got[i], w)
		}
	}
}

func TestLevelWarning(t *testing.T) {
	for _, tc := range []struct {
		camera Camera
		want   string
	}{
		{Camera{Source: VideoSource{Kind: Auto}, Size: Size{1280, 720}, FPS: 30}, ""},
		{Camera{Source: VideoSource{Kind: Device}, Size: Size{640, 480}, FPS: 60}, ""},
		{Camera{Source: VideoSource{Kind: Device}, Size: Size{1920, 1080}, FPS: 30}, "camera.size: 1920x1080 at 30 frames"},
		{Camera{Source: VideoSource{Kind: Device}, Size: Size{1280, 720}, FPS: 60}, "camera.size: 1280x720 at 60 frames"},
		{Camera{Source: VideoSource{Kind: Device}, Size: Size{1920, 1080}, FPS: 30, Format: "H264"}, ""},
		{Camera{Source: VideoSource{Kind: MP4}, Size: Size{1920, 1080}, FPS: 30}, ""},
		{Camera{Source: VideoSource{Kind: Pattern, Width: 1920, Height: 1080, FPS: 5}, Size: Size{1280, 720}, FPS: 30}, "camera.source: 1920x1080 at 5 frames"},
		{Camera{Source: VideoSource{Kind: Pattern}, Size: Size{1280, 720}, FPS: 30}, ""},
	} {
		got := levelWarning(tc.camera)
		if (tc.want == "") != (len(got) == 0) || (len(got) > 0 && !strings.HasPrefix(got[0].Error(), tc.want)) {
			t.Errorf("%v %v: got %v, want %q", tc.camera.Source, tc.camera.Size, got, tc.want)
		}
	}
}
