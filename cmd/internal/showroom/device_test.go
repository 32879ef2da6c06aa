package showroom

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"filippo.io/age"

	"github.com/bril-edge/bril/cmd/internal/showroom/media"
	"github.com/bril-edge/bril/uplink/spool"
	"github.com/bril-edge/bril/uplink/upload"
)

// glasses are the device's own spool and uploader, for this endpoint.
func glasses(t *testing.T, url string) (*spool.Spool, age.Recipient) {
	t.Helper()
	var known wellKnownAnswer
	_, text := request(t, http.MethodGet, url+"/.well-known/bril", "")
	check(t, json.Unmarshal([]byte(text), &known))
	recipient, err := age.ParseX25519Recipient(known.Recipient)
	check(t, err)
	box, err := spool.Open(spool.Config{Dir: t.TempDir(), Clock: func() (time.Time, bool) { return time.Now(), true }})
	check(t, err)
	up, err := upload.New(upload.Config{Spool: box, URL: known.Uploads})
	check(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- up.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		check(t, box.Close())
	})
	return box, recipient
}

// What the device's own spool and uploader send arrives, each once and as it
// was, and is gone from the device after that.
func TestUploadsOfTheDevice(t *testing.T) {
	dir := t.TempDir()
	url := startServer(t, Config{DataDir: dir})
	events := mediaEvents(t, url)
	<-events
	box, recipient := glasses(t, url)
	sent := map[string]string{} // checksum by ID
	put := func(kind spool.Kind, contentType string, content []byte) {
		t.Helper()
		item, err := box.Create(recipient, spool.Meta{Session: "anna", Kind: kind, ContentType: contentType, TakenAt: time.Now(), ClockConfirmed: true})
		check(t, err)
		_, err = item.Write(content)
		check(t, err)
		check(t, item.Finish())
		sum := sha256.Sum256(content)
		sent[item.ID()] = hex.EncodeToString(sum[:])
	}
	const photos = 5
	for range photos {
		put(spool.Photo, "image/jpeg", tinyJPEG(t))
	}
	put(spool.Clip, "video/mp4", fragmentedClip(t))
	for event := range events {
		if event.Items == photos+1 {
			break
		}
	}
	var list mediaAnswer
	_, text := request(t, http.MethodGet, url+"/api/sessions/anna/media", "")
	check(t, json.Unmarshal([]byte(text), &list))
	for _, item := range list.Items {
		want, ok := sent[item.ID]
		if !ok || item.Kind == media.Photo && item.SHA256 != want {
			t.Errorf("arrived: %+v", item)
		}
		delete(sent, item.ID)
	}
	if len(sent) > 0 || len(list.Items) != photos+1 {
		t.Errorf("%d arrived; missing: %v", len(list.Items), sent)
	}
	for deadline := time.Now().Add(patience); len(box.List()) > 0; { // it asks for the receipt again after a moment
		if time.Now().After(deadline) {
			t.Fatalf("still on the device: %+v", box.List())
		}
		request(t, http.MethodGet, url+"/healthz", "")
	}
}

// fragmentedClip is a second of H.264 as fragmented MP4.
func fragmentedClip(t *testing.T) []byte {
	t.Helper()
	if _, err := exec.LookPath("ffmpeg"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip("ffmpeg is missing")
	}
	path := filepath.Join(t.TempDir(), "clip.mp4")
	if out, err := exec.Command("ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc2=size=320x240:rate=30", "-t", "1", "-c:v", "libx264", "-preset", "ultrafast",
		"-bf", "0", "-pix_fmt", "yuv420p", "-movflags", "frag_keyframe+empty_moov+default_base_moof", path).CombinedOutput(); err != nil {
		t.Fatalf("ffmpeg: %v\n%s", err, out)
	}
	data, err := os.ReadFile(path)
	check(t, err)
	return data
}
