package media

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestUploadedTwice(t *testing.T) {
	s := open(t, t.TempDir())
	url := serve(t, s).URL
	i := seal(t, s, metaOf(id(1), Photo), photo(t, 1))
	other := seal(t, s, metaOf(id(1), Photo), photo(t, 2))
	wantStatus(t, create(t, url, i), http.StatusCreated)
	wantStatus(t, create(t, url, i), http.StatusConflict)
	wantStatus(t, create(t, url, other), http.StatusConflict)
	wantStatus(t, patch(t, url, i, 0), http.StatusNoContent)
	wantStatus(t, create(t, url, i), http.StatusConflict)
	drain(t, s)
	wantStatus(t, create(t, url, i), http.StatusConflict)
	wantStatus(t, create(t, url, other), http.StatusConflict)
	wantStatus(t, call(t, http.MethodHead, url+BasePath+i.id(), nil), http.StatusNotFound)
	wantStoredOnce(t, s, i)
}

func TestDamagedIsSentAnew(t *testing.T) {
	s := open(t, t.TempDir())
	url := serve(t, s).URL
	i := seal(t, s, metaOf(id(1), Photo), photo(t, 1))
	damage := func() {
		wantStatus(t, create(t, url, i), http.StatusCreated)
		broken := item{i.meta, i.file, bytes.Clone(i.cipher), ready}
		broken.cipher[100] ^= 1
		wantStatus(t, patch(t, url, broken, 0), http.StatusNoContent)
		drain(t, s)
	}
	for range maxDamaged - 1 {
		damage()
		if got := receiptOf(t, s, i.id()); got.State != "" {
			t.Fatalf("receipt %+v", got)
		}
	}
	send(t, url, i)
	drain(t, s)
	wantStoredOnce(t, s, i)
	check(t, os.Remove(s.receiptPath(i.id())))
	for range maxDamaged {
		damage()
	}
	if got := receiptOf(t, s, i.id()); got.State != Refused || !strings.Contains(got.Reason, "3 times") {
		t.Errorf("receipt %+v", got)
	}
}

func TestWrongRequests(t *testing.T) {
	s := open(t, t.TempDir(), func(c *Config) { c.MaxSize = 100_000 })
	url := serve(t, s).URL
	i := seal(t, s, metaOf(id(1), Photo), photo(t, 1))
	sum := digest(i.cipher)
	post := func(length, metadata string, header ...string) *http.Response {
		return call(t, http.MethodPost, url+BasePath, nil, append(header, "Upload-Length", length, "Upload-Metadata", metadata)...)
	}
	for name, c := range map[string]struct {
		answer *http.Response
		status int
	}{
		"no metadata":  {post("5", ""), 400},
		"no ID":        {post("5", uploadMetadata("sha256", sum, "state", "ready")), 400},
		"path as ID":   {post("5", uploadMetadata("id", "../../../../etc/cron.d/abc", "sha256", sum, "state", "ready")), 400},
		"upper case":   {post("5", uploadMetadata("id", strings.ToUpper(id(1)), "sha256", sum, "state", "ready")), 400},
		"no sum":       {post("5", uploadMetadata("id", id(1), "state", "ready")), 400},
		"other state":  {post("5", uploadMetadata("id", id(1), "sha256", sum, "state", "writing")), 400},
		"long audit":   {post("5", uploadMetadata("id", id(1), "sha256", sum, "state", "ready", "audit", strings.Repeat("a", 1000))), 400},
		"no length":    {post("", i.metadata()), 400},
		"negative":     {post("-1", i.metadata()), 400},
		"too large":    {post("100001", i.metadata()), 413},
		"later length": {call(t, http.MethodPost, url+BasePath, nil, "Upload-Defer-Length", "1", "Upload-Metadata", i.metadata()), 501},
		"other tus":    {post("5", i.metadata(), "Tus-Resumable", "0.2.2"), 412},
		"get":          {call(t, http.MethodGet, url+BasePath+id(1), nil), 405},
		"list":         {call(t, http.MethodGet, url+BasePath, nil), 405},
		"unknown":      {call(t, http.MethodPatch, url+BasePath+id(2), nil, "Upload-Offset", "0"), 404},
		"traversal":    {call(t, http.MethodHead, url+BasePath+"..%2f..%2fage.key", nil), 404},
		"info file":    {call(t, http.MethodHead, url+BasePath+id(1)+".info", nil), 404},
	} {
		wantStatusNamed(t, name, c.answer, c.status)
	}
	wantNothingElse(t, s)

	wantStatus(t, create(t, url, i), http.StatusCreated)
	at := func(offset string, body io.Reader, header ...string) *http.Response {
		return call(t, http.MethodPatch, url+BasePath+i.id(), body, append(header, "Upload-Offset", offset)...)
	}
	wantStatusNamed(t, "delete", call(t, http.MethodDelete, url+BasePath+i.id(), nil), 405)
	wantStatusNamed(t, "override", call(t, http.MethodPost, url+BasePath+i.id(), nil, "X-HTTP-Method-Override", "DELETE"), 405)
	wantStatusNamed(t, "wrong offset", at("7", strings.NewReader("x")), 409)
	wantStatusNamed(t, "no offset", at("", strings.NewReader("x")), 400)
	wantStatusNamed(t, "content type", at("0", strings.NewReader("x"), "Content-Type", "text/plain"), 400)
	long := append(bytes.Clone(i.cipher), 'x')
	wantStatusNamed(t, "past the end", at("0", bytes.NewReader(long)), 413)
	answer := at("0", io.MultiReader(bytes.NewReader(long))) // no Content-Length
	wantStatusNamed(t, "past the end in chunks", answer, 413)
	drain(t, s) // what was within the length is the whole upload, checksum and all
	wantStoredOnce(t, s, i)
}

func wantStatusNamed(t *testing.T, name string, answer *http.Response, want int) {
	t.Helper()
	if answer.StatusCode != want {
		t.Errorf("%s: %s %q, want %d", name, answer.Status, textOf(answer), want)
	}
}

// The library's own errors are problems, too, as those of the endpoint are.
func TestErrorsAreProblems(t *testing.T) {
	s := open(t, t.TempDir())
	url := serve(t, s).URL
	i := seal(t, s, metaOf(id(1), Photo), photo(t, 1))
	wantStatus(t, create(t, url, i), http.StatusCreated)
	for name, c := range map[string]struct {
		method, path string
		header       []string
		status       int
		detail       string
	}{
		"of another tus": {http.MethodPost, "", []string{"Tus-Resumable", "0.2.2"}, 412, "ERR_UNSUPPORTED_VERSION: missing, invalid or unsupported Tus-Resumable header"},
		"without length": {http.MethodPost, "", nil, 400, "ERR_INVALID_UPLOAD_LENGTH: missing or invalid Upload-Length header"},
		"wrong offset":   {http.MethodPatch, i.id(), []string{"Upload-Offset", "7"}, 409, "ERR_MISMATCHED_OFFSET: mismatched offset"},
		"no way":         {http.MethodDelete, i.id(), nil, 405, "method not allowed"},
		"ours":           {http.MethodPost, "", []string{"Upload-Length", "5"}, 400, "Upload-Metadata: id must be 26 characters of a-z and 2-7"},
	} {
		answer := call(t, c.method, url+BasePath+c.path, strings.NewReader("x"), c.header...)
		text := textOf(answer)
		var got struct {
			Type, Title, Detail string
			Status              int
		}
		if err := json.Unmarshal([]byte(text), &got); err != nil || answer.Header.Get("Content-Type") != "application/problem+json" ||
			got.Status != c.status || answer.StatusCode != c.status || got.Detail != c.detail || got.Title == "" || got.Type == "" {
			t.Errorf("%s: %s, %s, %q", name, answer.Status, answer.Header.Get("Content-Type"), text)
		}
	}
	answer := call(t, http.MethodHead, url+BasePath+id(2), nil)
	if text := textOf(answer); answer.StatusCode != http.StatusNotFound || text != "" {
		t.Errorf("HEAD: %s %q", answer.Status, text)
	}
}

func TestManyCreationsAreBounded(t *testing.T) {
	s := open(t, t.TempDir(), func(c *Config) { c.MaxCount = 8 })
	url := serve(t, s).URL
	for n := range 100 {
		want := http.StatusCreated
		if n >= 8 {
			want = http.StatusServiceUnavailable
		}
		wantStatus(t, create(t, url, seal(t, s, metaOf(id(n), Photo), nil)), want)
	}
	first := s.uploadPaths(id(3))
	past := time.Now().Add(-emptyExpiry - time.Minute)
	check(t, os.Chtimes(first[1], past, past))
	wantStatus(t, create(t, url, seal(t, s, metaOf(id(200), Photo), nil)), http.StatusCreated)
	if _, err := os.Stat(first[0]); !os.IsNotExist(err) {
		t.Errorf("the empty one is still there: %v", err)
	}
	s.Purge(time.Now().Add(expiry + time.Minute))
	wantNothingElse(t, s)
}

// cuttingProxy hands bytes on and cuts each connection after some.
func cuttingProxy(t *testing.T, to string, after func() int64) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	var all sync.WaitGroup
	all.Go(func() {
		for {
			in, err := listener.Accept()
			if err != nil {
				return
			}
			all.Go(func() {
				defer in.Close()
				out, err := net.Dial("tcp", to)
				if err != nil {
					return
				}
				defer out.Close()
				all.Go(func() { _, _ = io.Copy(in, out); in.Close() })
				_, _ = io.CopyN(out, in, after())
			})
		}
	})
	t.Cleanup(func() {
		listener.Close()
		all.Wait()
	})
	return "http://" + listener.Addr().String()
}

func TestResumedOverACuttingLine(t *testing.T) {
	const seed = 4
	random := rand.New(rand.NewPCG(seed, seed))
	var mu sync.Mutex
	s := open(t, t.TempDir())
	server := serve(t, s)
	url := cuttingProxy(t, strings.TrimPrefix(server.URL, "http://"), func() int64 {
		mu.Lock()
		defer mu.Unlock()
		return 300 + random.Int64N(60_000)
	})
	jpg := append(bytes.Repeat([]byte{0}, 0), photo(t, 1)...)
	body := make([]byte, 1<<20)
	for n := range body {
		body[n] = byte(random.Uint32())
	}
	jpg = append(append(jpg[:2:2], comment(body)...), jpg[2:]...)
	i := seal(t, s, metaOf(id(1), Photo), jpg)
	wantStatus(t, create(t, server.URL, i), http.StatusCreated)
	requests := 0
	for offset := 0; offset < len(i.cipher); requests++ {
		if requests > 1000 {
			t.Fatal("no end after 1000 requests")
		}
		answer, err := try(http.MethodHead, url+BasePath+i.id(), nil)
		if err != nil {
			continue
		}
		wantStatus(t, answer, http.StatusOK)
		offset, err = strconv.Atoi(answer.Header.Get("Upload-Offset"))
		check(t, err)
		if offset < len(i.cipher) {
			_, _ = try(http.MethodPatch, url+BasePath+i.id(), bytes.NewReader(i.cipher[offset:]), "Upload-Offset", strconv.Itoa(offset))
		}
	}
	t.Logf("%d bytes in %d requests", len(i.cipher), requests)
	if requests < 10 {
		t.Errorf("only %d requests: nothing was cut", requests)
	}
	drain(t, s)
	wantStoredOnce(t, s, i)
	if _, data := stored(t, s); !bytes.Equal(data, jpg) {
		t.Error("other bytes")
	}
}

// comment is content as COM segments of a JPEG.
func comment(content []byte) (segments []byte) {
	for len(content) > 0 {
		n := min(len(content), 60_000)
		segments = append(segments, 0xff, 0xfe, byte((n+2)>>8), byte(n+2))
		segments = append(segments, content[:n]...)
		content = content[n:]
	}
	return segments
}

// stall begins a PATCH and sends no more than a part of it.
func stall(t *testing.T, url string, i item, offset, part int) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	check(t, err)
	t.Cleanup(func() { c.Close() })
	fmt.Fprintf(c, "PATCH %s%s HTTP/1.1\r\nHost: x\r\nTus-Resumable: 1.0.0\r\nContent-Type: application/offset+octet-stream\r\nUpload-Offset: %d\r\nContent-Length: %d\r\n\r\n",
		BasePath, i.id(), offset, len(i.cipher)-offset)
	_, err = c.Write(i.cipher[offset : offset+part])
	check(t, err)
	return c
}

func TestAStalledUploadDoesNotBlock(t *testing.T) {
	s := open(t, t.TempDir())
	url := serve(t, s).URL
	i := seal(t, s, metaOf(id(1), Photo), photo(t, 1))
	wantStatus(t, create(t, url, i), http.StatusCreated)
	stall(t, url, i, 0, 50)
	offset := -1
	for begun := time.Now(); offset < 50; { // the stalled one may begin after the first of these
		if time.Since(begun) > lockTimeout {
			t.Fatalf("the offset is still %d", offset)
		}
		answer := call(t, http.MethodHead, url+BasePath+i.id(), nil)
		wantStatus(t, answer, http.StatusOK)
		offset, _ = strconv.Atoi(answer.Header.Get("Upload-Offset"))
		if offset == 0 {
			stall(t, url, i, 0, 50)
		}
	}
	wantStatus(t, patch(t, url, i, offset), http.StatusNoContent)
	drain(t, s)
	wantStoredOnce(t, s, i)
}

func TestAStalledUploadIsCut(t *testing.T) {
	s := open(t, t.TempDir(), func(c *Config) { c.Stall = 100 * time.Millisecond })
	url := serve(t, s).URL
	i := seal(t, s, metaOf(id(1), Photo), photo(t, 1))
	wantStatus(t, create(t, url, i), http.StatusCreated)
	c := stall(t, url, i, 0, 50)
	check(t, c.SetReadDeadline(time.Now().Add(20*time.Second)))
	answer, err := io.ReadAll(c)
	check(t, err)
	if !strings.HasPrefix(string(answer), "HTTP/1.1 500") || !strings.Contains(string(answer), "ERR_READ_TIMEOUT") {
		t.Errorf("answered %q", answer)
	}
	wantStatus(t, patch(t, url, i, 50), http.StatusNoContent)
}

// Two at once: one is cut by the other, and what is written is never mixed.
func TestConcurrentPatches(t *testing.T) {
	s := open(t, t.TempDir())
	url := serve(t, s).URL
	jpg := photo(t, 1)
	jpg = append(append(jpg[:2:2], comment(make([]byte, 1<<20))...), jpg[2:]...)
	i := seal(t, s, metaOf(id(1), Photo), jpg)
	wantStatus(t, create(t, url, i), http.StatusCreated)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 1000 {
				answer, err := try(http.MethodHead, url+BasePath+i.id(), nil)
				if err != nil || answer.StatusCode != http.StatusOK {
					continue
				}
				offset, _ := strconv.Atoi(answer.Header.Get("Upload-Offset"))
				if offset == len(i.cipher) {
					return
				}
				_, _ = try(http.MethodPatch, url+BasePath+i.id(), bytes.NewReader(i.cipher[offset:]), "Upload-Offset", strconv.Itoa(offset))
			}
		})
	}
	all.Wait()
	drain(t, s)
	wantStoredOnce(t, s, i)
}
