package e2e

import (
	"bytes"
	"encoding/json"
	"image/jpeg"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/bril-edge/bril/cmd/internal/control"
	"github.com/bril-edge/bril/cmd/internal/showroom/media"
)

// TestOutside takes a photo and a clip without a conversation: the endpoint, which
// was never called, has both, and ffprobe finds pictures in them.
func TestOutside(t *testing.T) {
	needFFmpeg(t)
	e := startEndpoint(t)
	config := filepath.Join(t.TempDir(), "bril.yaml")
	if err := os.WriteFile(config, []byte("media: {outside_session: true}\nsession: {name: gent-3}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	a := startAgent(t, e.url("/whip/demo"), "--config", config, "--camera", "pattern:640x480@30", "--microphone", "tone")
	photo, err := a.client.Photo(t.Context(), false)
	if err != nil {
		t.Fatal(err)
	}
	a.wait("closed", func(s control.Status) bool { return s.State == "ready" && s.Camera == "" })
	clip, err := a.client.Clip(t.Context(), control.StartClip)
	if err != nil {
		t.Fatal(err)
	}
	s := a.wait("a second of it", func(s control.Status) bool { return s.Recording.RingSeconds > 1 })
	if s.State != "ready" || s.Camera == "" || s.Microphone != "" || s.Uplink.State != "off" || s.Recording.Clip != clip.ID {
		t.Errorf("while the clip runs: %+v", s)
	}
	if _, err := a.client.Clip(t.Context(), control.StopClip); err != nil {
		t.Fatal(err)
	}
	a.wait("sent", func(s control.Status) bool { return s.Camera == "" && s.Spool.Items == 0 && len(s.Errors) == 0 })

	kinds := map[string]media.Kind{}
	var list struct{ Items []media.Listed }
	if err := json.Unmarshal(get(t, e.url("/api/sessions/gent-3/media")), &list); err != nil {
		t.Fatal(err)
	}
	for _, item := range list.Items {
		kinds[item.ID] = item.Kind
		data := get(t, e.url(item.URL))
		if item.Kind == media.Photo {
			if c, err := jpeg.DecodeConfig(bytes.NewReader(data)); err != nil || c.Width != 640 || c.Height != 480 {
				t.Errorf("the photo: %+v, %v", c, err)
			}
			continue
		}
		file := filepath.Join(t.TempDir(), "clip.mp4")
		if err := os.WriteFile(file, data, 0o600); err != nil {
			t.Fatal(err)
		}
		said := run(t, nil, "ffprobe", "-v", "error", "-show_entries", "stream=codec_name,width", "-of", "csv=p=0", file)
		if string(bytes.TrimSpace(said)) != "h264,640" {
			t.Errorf("ffprobe says %q of the clip", said)
		}
	}
	if len(list.Items) != 2 || kinds[photo.ID] != media.Photo || kinds[clip.ID] != media.Clip {
		t.Errorf("%+v arrived, want photo %s and clip %s", list.Items, photo.ID, clip.ID)
	}
}

func get(t *testing.T, url string) []byte {
	t.Helper()
	client := http.Client{Timeout: 10 * time.Second}
	answer, err := client.Get(url) //nolint:noctx // it has a timeout
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	var body bytes.Buffer
	if _, err := body.ReadFrom(answer.Body); err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("get %s: %s %v", url, answer.Status, err)
	}
	return body.Bytes()
}
