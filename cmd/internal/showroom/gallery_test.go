package showroom

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"image"
	"image/jpeg"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"filippo.io/age"

	"github.com/bril-edge/bril/cmd/internal/showroom/media"
)

// tinyJPEG is a photo.
func tinyJPEG(t *testing.T) []byte {
	t.Helper()
	var out bytes.Buffer
	check(t, jpeg.Encode(&out, image.NewGray(image.Rect(0, 0, 32, 24)), nil))
	return out.Bytes()
}

// delivery is a photo to be sent as glasses do.
type delivery struct {
	base, url string
	cipher    []byte
	metadata  string
	header    []string // of each request
}

// newUpload asks the well-known address what to encrypt to.
func newUpload(t *testing.T, url, id string, show bool, jpg []byte, header ...string) delivery {
	t.Helper()
	return newUploadOf(t, url, "anna", id, show, jpg, header...)
}

// newUploadOf is of a room.
func newUploadOf(t *testing.T, url, room, id string, show bool, jpg []byte, header ...string) delivery {
	t.Helper()
	var known wellKnownAnswer
	_, text := request(t, http.MethodGet, url+"/.well-known/bril", "")
	check(t, json.Unmarshal([]byte(text), &known))
	recipient, err := age.ParseX25519Recipient(known.Recipient)
	check(t, err)
	cipher, metadata := encrypted(t, recipient, room, id, show, jpg)
	return delivery{known.Uploads, known.Uploads + id, cipher, metadata, append(header, "Tus-Resumable", "1.0.0")}
}

// encrypted is what glasses send of a photo.
func encrypted(t *testing.T, recipient age.Recipient, room, id string, show bool, jpg []byte) (data []byte, metadata string) {
	t.Helper()
	var cipher bytes.Buffer
	w, err := age.Encrypt(&cipher, recipient)
	check(t, err)
	fmt.Fprintf(w, `{"schema_version":1,"id":%q,"kind":"photo","session":%q,"taken_at":"2026-11-30T10:00:00Z","clock":"confirmed","show":%v,"content_type":"image/jpeg"}`+"\n", id, room, show)
	_, err = w.Write(jpg)
	check(t, err)
	check(t, w.Close())
	sum := sha256.Sum256(cipher.Bytes())
	encoded := base64.StdEncoding.EncodeToString
	return cipher.Bytes(), "id " + encoded([]byte(id)) + ",sha256 " + encoded([]byte(hex.EncodeToString(sum[:]))) + ",state " + encoded([]byte("ready")) + ",audit "
}

func (u delivery) create(t *testing.T) {
	t.Helper()
	header := append(u.header, "Upload-Length", strconv.Itoa(len(u.cipher)), "Upload-Metadata", u.metadata)
	answer, text := request(t, http.MethodPost, u.base, "", header...)
	if answer.StatusCode != http.StatusCreated || answer.Header.Get("Location") != u.url {
		t.Fatalf("POST: %s %q, Location %q, want %q", answer.Status, text, answer.Header.Get("Location"), u.url)
	}
}

func (u delivery) patchHeader() http.Header {
	h := http.Header{"Upload-Offset": {"0"}, "Content-Type": {"application/offset+octet-stream"}}
	for i := 0; i < len(u.header); i += 2 {
		h.Set(u.header[i], u.header[i+1])
	}
	return h
}

func sendPhoto(t *testing.T, url, id string, show bool, header ...string) {
	t.Helper()
	u := newUpload(t, url, id, show, tinyJPEG(t), header...)
	u.create(t)
	var list []string
	for key, value := range u.patchHeader() {
		list = append(list, key, value[0])
	}
	if answer, text := request(t, http.MethodPatch, u.url, string(u.cipher), list...); answer.StatusCode != http.StatusNoContent {
		t.Fatalf("PATCH: %s %q", answer.Status, text)
	}
}

// awaitReceipt asks for the item's receipt as glasses do, until it is more than
// that all has arrived.
func awaitReceipt(t *testing.T, url string, header ...string) string {
	t.Helper()
	for {
		answer, text := request(t, http.MethodGet, url+"/api/uploads/"+itemID+"/receipt", "", header...)
		switch answer.StatusCode {
		case http.StatusOK:
			return text
		case http.StatusAccepted:
		default:
			t.Fatalf("receipt: %s %s", answer.Status, text)
		}
	}
}

const itemID = "abcdefghijklmnopqrstuvwx27"

// mediaEvents follows a conversation's events of the type media.
func mediaEvents(t *testing.T, url string) <-chan media.Event {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/api/sessions/anna/events", nil)
	check(t, err)
	answer, err := http.DefaultClient.Do(r)
	check(t, err)
	events := make(chan media.Event)
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer answer.Body.Close()
		kind := ""
		for lines := bufio.NewScanner(answer.Body); lines.Scan(); {
			line := lines.Text()
			switch {
			case strings.HasPrefix(line, "event: "):
				kind = line[7:]
			case line == "":
				kind = ""
			case kind == "media" && strings.HasPrefix(line, "data: "):
				var event media.Event
				_ = json.Unmarshal([]byte(line[6:]), &event)
				select {
				case events <- event:
				case <-ctx.Done():
					return
				}
			}
		}
	}()
	t.Cleanup(func() {
		cancel()
		<-done
	})
	return events
}

func TestPhotoReachesThePage(t *testing.T) {
	dir := t.TempDir()
	url := startServer(t, Config{DataDir: dir})
	events := mediaEvents(t, url)
	if first := <-events; first.Items != 0 || first.Show != nil {
		t.Errorf("at first: %+v", first)
	}
	sendPhoto(t, url, itemID, true)
	event := <-events
	if event.Items != 1 || event.Show == nil || event.Show.ID != itemID {
		t.Fatalf("event %+v", event)
	}
	if text := awaitReceipt(t, url); !strings.Contains(text, `"state":"stored"`) {
		t.Errorf("receipt: %s", text)
	}
	var list mediaAnswer
	_, listed := request(t, http.MethodGet, url+"/api/sessions/anna/media", "")
	check(t, json.Unmarshal([]byte(listed), &list))
	if len(list.Items) != 1 || list.Items[0] != *event.Show {
		t.Fatalf("listed %s", listed)
	}
	photo := tinyJPEG(t)
	onDisk, err := os.ReadFile(filepath.Join(dir, "sessions", "anna", itemID+".jpg"))
	check(t, err)
	answer, text := request(t, http.MethodGet, url+list.Items[0].URL, "")
	if answer.StatusCode != http.StatusOK || text != string(photo) || !bytes.Equal(onDisk, photo) {
		t.Errorf("photo: %s, %d bytes", answer.Status, len(text))
	}
	for key, want := range map[string]string{
		"Content-Type": "image/jpeg", "Cache-Control": "private, no-cache", "X-Content-Type-Options": "nosniff",
		"Accept-Ranges": "bytes", "Etag": `"` + list.Items[0].SHA256 + `"`, "Content-Disposition": "",
	} {
		if got := answer.Header.Get(key); got != want {
			t.Errorf("%s: %q, want %q", key, got, want)
		}
	}
	for _, c := range []struct {
		path   string
		header []string
		status int
	}{
		{"", []string{"If-None-Match", answer.Header.Get("ETag")}, http.StatusNotModified},
		{"", []string{"Range", "bytes=2-5"}, http.StatusPartialContent},
		{"?download=1", nil, http.StatusOK},
	} {
		answer, _ := request(t, http.MethodGet, url+list.Items[0].URL+c.path, "", c.header...)
		if answer.StatusCode != c.status {
			t.Errorf("%v: %s", c, answer.Status)
		}
		if c.path != "" && answer.Header.Get("Content-Disposition") != `attachment; filename="anna-20261130-100000-abcdef.jpg"` {
			t.Errorf("Content-Disposition %q", answer.Header.Get("Content-Disposition"))
		}
	}
	for _, path := range []string{
		"/media/bert/" + itemID + ".jpg", "/media/anna/" + itemID + ".mp4", "/media/anna/" + itemID + ".json", "/media/anna/" + itemID,
		"/media/anna/..%2f..%2fage.key", "/media/..%2f/age.key", "/api/uploads/..%2f..%2fage.key", "/api/uploads/" + itemID[1:] + "/receipt",
	} {
		if answer, text := request(t, http.MethodGet, url+path, ""); answer.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %s %s", path, answer.Status, text)
		}
	}
}

func TestMediaAsksForKeyAndToken(t *testing.T) {
	tokens := filepath.Join(t.TempDir(), "tokens")
	check(t, os.WriteFile(tokens, []byte("secret\n"), 0o600))
	s, err := New(Config{Listen: "127.0.0.1:0", DataDir: t.TempDir(), RequireKey: true, TokenFile: tokens})
	check(t, err)
	url := runServer(t, s)
	token, key := []string{"Authorization", "Bearer secret"}, []string{"Authorization", "Bearer " + s.keys.Key("anna")}
	sendPhoto(t, url, itemID, false, token...)
	awaitReceipt(t, url, token...)
	file := "/media/anna/" + itemID + ".jpg"
	for _, c := range []struct {
		method, path string
		header       []string
		status       int
	}{
		{http.MethodPost, "/api/uploads/", nil, http.StatusUnauthorized},
		{http.MethodPost, "/api/uploads/", key, http.StatusUnauthorized},
		{http.MethodHead, "/api/uploads/" + itemID, nil, http.StatusUnauthorized},
		{http.MethodGet, "/api/uploads/" + itemID + "/receipt", nil, http.StatusUnauthorized},
		{http.MethodGet, "/api/sessions/anna/media", nil, http.StatusUnauthorized},
		{http.MethodGet, "/api/sessions/anna/media", token, http.StatusOK},
		{http.MethodGet, "/api/sessions/anna/media", key, http.StatusOK},
		{http.MethodGet, "/api/sessions/bert/media", key, http.StatusUnauthorized},
		{http.MethodPost, "/api/sessions/anna/media", key, http.StatusMethodNotAllowed},
		{http.MethodGet, file, nil, http.StatusUnauthorized},
		{http.MethodGet, file, token, http.StatusUnauthorized},
		{http.MethodGet, file, key, http.StatusOK},
		{http.MethodDelete, file, key, http.StatusMethodNotAllowed},
	} {
		if answer, text := request(t, c.method, url+c.path, "", c.header...); answer.StatusCode != c.status {
			t.Errorf("%s %s with %v: %s %s, want %d", c.method, c.path, c.header, answer.Status, text, c.status)
		}
	}
	t.Run("by cookie", func(t *testing.T) {
		answer, _ := request(t, http.MethodPost, url+"/api/sessions/anna/access", `{"key":"`+s.keys.Key("anna")+`"}`, "Content-Type", "application/json")
		for _, cookie := range answer.Cookies() {
			if cookie.Path == "/media/anna" {
				if answer, _ := request(t, http.MethodGet, url+file, "", "Cookie", cookie.Name+"="+cookie.Value); answer.StatusCode != http.StatusOK {
					t.Errorf("with the cookie: %s", answer.Status)
				}
				return
			}
		}
		t.Error("no cookie for the files")
	})
}

func TestNothingIsStoredWithoutADataDirectory(t *testing.T) {
	url := startServer(t, Config{})
	if _, text := request(t, http.MethodGet, url+"/.well-known/bril", ""); text != `{"schema_version":1,"whip":"`+url+`/whip/{name}","whep":"`+url+`/whep/{name}"}`+"\n" {
		t.Errorf("well known: %s", text)
	}
	for _, path := range []string{"/api/uploads/" + itemID + "/receipt", "/api/uploads/", "/api/sessions/anna/media", "/media/anna/" + itemID + ".jpg"} {
		answer, text := request(t, http.MethodGet, url+path, "")
		if answer.StatusCode != http.StatusServiceUnavailable || !strings.Contains(text, "--data DIR") {
			t.Errorf("%s: %s %s", path, answer.Status, text)
		}
	}
}
