package media

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"image"
	"image/color"
	"image/jpeg"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"filippo.io/age"
)

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func validName(name string) bool {
	return regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`).MatchString(name)
}

// id returns the nth valid ID.
func id(n int) string {
	text := strings.Map(digit, strconv.FormatInt(int64(n), 6))
	return strings.Repeat("a", 26-len(text)) + text
}

func digit(r rune) rune { return r - '0' + '2' }

func open(t testing.TB, dir string, change ...func(*Config)) *Store {
	t.Helper()
	identity, err := LoadIdentity(dir)
	check(t, err)
	cfg := Config{Dir: dir, Identity: identity, ValidName: validName}
	for _, f := range change {
		f(&cfg)
	}
	s, err := Open(cfg)
	check(t, err)
	t.Cleanup(func() { s.Close() })
	return s
}

// serve serves a store as the endpoint does.
func serve(t testing.TB, s *Store) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		err := s.ServeUpload(w, r, Sender{Until: context.Background()})
		var refused *Error
		if errors.As(err, &refused) {
			http.Error(w, refused.Detail, refused.Status)
		} else if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	}))
	t.Cleanup(server.Close)
	return server
}

// item is what a device has to upload.
type item struct {
	meta   map[string]any
	file   []byte
	cipher []byte
	state  string
}

func metaOf(id string, kind Kind) map[string]any {
	return map[string]any{
		"schema_version": 1, "id": id, "kind": kind, "session": "anna", "taken_at": time.Now().UTC().Truncate(time.Second),
		"clock": "confirmed", "show": false, "content_type": kind.ContentType(),
	}
}

// seal encrypts as a device does.
func seal(t testing.TB, s *Store, meta map[string]any, file []byte) item {
	t.Helper()
	line, err := json.Marshal(meta)
	check(t, err)
	return item{meta, file, encrypt(t, s.cfg.Identity.Recipient(), append(append(line, '\n'), file...)), ready}
}

func encrypt(t testing.TB, to age.Recipient, plain []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := age.Encrypt(&out, to)
	check(t, err)
	_, err = w.Write(plain)
	check(t, err)
	check(t, w.Close())
	return out.Bytes()
}

func (i item) id() string { return i.meta["id"].(string) }

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// uploadMetadata is the header of that name.
func uploadMetadata(values ...string) string {
	var parts []string
	for i := 0; i < len(values); i += 2 {
		parts = append(parts, values[i]+" "+base64.StdEncoding.EncodeToString([]byte(values[i+1])))
	}
	return strings.Join(parts, ",")
}

func (i item) metadata() string {
	return uploadMetadata("id", i.id(), "sha256", digest(i.cipher), "state", i.state, "audit", "abc123")
}

// call sends one request of tus.
func call(t testing.TB, method, url string, body io.Reader, header ...string) *http.Response {
	t.Helper()
	answer, err := try(method, url, body, header...)
	check(t, err)
	return answer
}

// client keeps no connection, so that the counted goroutines are ours.
var client = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}

func try(method, url string, body io.Reader, header ...string) (*http.Response, error) {
	r, err := http.NewRequest(method, url, body)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Tus-Resumable", "1.0.0")
	if method == http.MethodPatch {
		r.Header.Set("Content-Type", "application/offset+octet-stream")
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	answer, err := client.Do(r)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	answer.Body = io.NopCloser(bytes.NewReader(text))
	return answer, err
}

func textOf(answer *http.Response) string {
	text, _ := io.ReadAll(answer.Body)
	return string(text)
}

func wantStatus(t testing.TB, answer *http.Response, want int) {
	t.Helper()
	if answer.StatusCode != want {
		t.Fatalf("%s %s: %s %q, want %d", answer.Request.Method, answer.Request.URL.Path, answer.Status, textOf(answer), want)
	}
}

func create(t testing.TB, base string, i item) *http.Response {
	t.Helper()
	return call(t, http.MethodPost, base+BasePath, nil, "Upload-Length", strconv.Itoa(len(i.cipher)), "Upload-Metadata", i.metadata())
}

func patch(t testing.TB, base string, i item, offset int) *http.Response {
	t.Helper()
	return call(t, http.MethodPatch, base+BasePath+i.id(), bytes.NewReader(i.cipher[offset:]), "Upload-Offset", strconv.Itoa(offset))
}

// send uploads an item whole.
func send(t testing.TB, base string, i item) {
	t.Helper()
	wantStatus(t, create(t, base, i), http.StatusCreated)
	wantStatus(t, patch(t, base, i, 0), http.StatusNoContent)
}

// drain works on what is complete, as Run does.
func drain(t testing.TB, s *Store) {
	t.Helper()
	for {
		id, _ := s.next(time.Now())
		if id == "" {
			return
		}
		s.work(t.Context(), id)
	}
}

func receiptOf(t testing.TB, s *Store, id string) Receipt {
	t.Helper()
	receipt, _, err := s.Receipt(id)
	check(t, err)
	return receipt
}

// stored returns the bytes of the one item of the conversation.
func stored(t testing.TB, s *Store) (Listed, []byte) {
	t.Helper()
	list := s.List("anna")
	if len(list) != 1 {
		t.Fatalf("%d items, want one", len(list))
	}
	data, err := os.ReadFile(s.path(sessionsDir, strings.TrimPrefix(list[0].URL, "/media/")))
	check(t, err)
	return list[0], data
}

// photo is a JPEG that no other n has.
func photo(t testing.TB, n int) []byte {
	t.Helper()
	picture := image.NewGray(image.Rect(0, 0, 64, 48))
	for i := range picture.Pix {
		picture.Pix[i] = byte(i*n + n)
	}
	picture.SetGray(1, 1, color.Gray{Y: byte(n)})
	var out bytes.Buffer
	check(t, jpeg.Encode(&out, picture, nil))
	return out.Bytes()
}

// tool finds a program of others; CI has it.
func tool(t testing.TB, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err == nil {
		return path
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s is missing", name)
	}
	t.Skipf("%s is missing", name)
	return ""
}

// fragmented makes a fragmented MP4 with ffmpeg: H.264, and a sine as Opus.
func fragmented(t testing.TB, seconds string, sound bool) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "clip.mp4")
	arguments := []string{"-v", "error", "-f", "lavfi", "-i", "testsrc2=size=320x240:rate=30"}
	if sound {
		arguments = append(arguments, "-f", "lavfi", "-i", "sine=sample_rate=48000", "-c:a", "libopus")
	}
	arguments = append(arguments, "-t", seconds, "-c:v", "libx264", "-preset", "ultrafast", "-bf", "0", "-g", "30", "-pix_fmt", "yuv420p",
		"-movflags", "frag_keyframe+empty_moov+default_base_moof", path)
	if out, err := exec.Command(tool(t, "ffmpeg"), arguments...).CombinedOutput(); err != nil {
		t.Fatalf("ffmpeg: %v\n%s", err, out)
	}
	data, err := os.ReadFile(path)
	check(t, err)
	return data
}
