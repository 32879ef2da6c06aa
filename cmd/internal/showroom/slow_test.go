package showroom

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// slowly lets n bytes through at each tick.
type slowly struct {
	io.Reader
	ticker *time.Ticker
	n      int
}

func (s slowly) Read(p []byte) (int, error) {
	<-s.ticker.C
	return s.Reader.Read(p[:min(len(p), s.n)])
}

// An upload and a download that last longer than a request may otherwise are
// not cut as long as bytes move.
func TestSlowMediaIsNotCut(t *testing.T) {
	const timeout = 100 * time.Millisecond
	s, err := New(Config{Listen: "127.0.0.1:0", DataDir: t.TempDir()})
	check(t, err)
	s.readTimeout, s.writeTimeout = timeout, timeout
	url := runServer(t, s)
	events := mediaEvents(t, url)
	<-events
	jpg := tinyJPEG(t)
	comment := append([]byte{0xff, 0xfe, 0xff, 0xff}, make([]byte, 0xfffd)...)
	jpg = append(append(jpg[:2:2], bytes.Repeat(comment, 100)...), jpg[2:]...) // more than a connection's buffers hold
	ticker := time.NewTicker(timeout / 20)
	defer ticker.Stop()
	begun := time.Now()
	up := newUpload(t, url, itemID, false, jpg)
	up.create(t)
	r, err := http.NewRequest(http.MethodPatch, up.url, slowly{bytes.NewReader(up.cipher), ticker, len(up.cipher) / 60})
	check(t, err)
	r.ContentLength = int64(len(up.cipher))
	for key, value := range up.patchHeader() {
		r.Header[key] = value
	}
	answer, err := http.DefaultClient.Do(r)
	check(t, err)
	answer.Body.Close()
	if took := time.Since(begun); answer.StatusCode != http.StatusNoContent || took < 2*timeout {
		t.Fatalf("PATCH: %s after %v", answer.Status, took)
	}
	<-events

	begun = time.Now()
	c, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	check(t, err)
	defer c.Close()
	check(t, c.(*net.TCPConn).SetReadBuffer(256<<10))
	_, err = io.WriteString(c, "GET /media/anna/"+itemID+".jpg HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
	check(t, err)
	got, err := io.ReadAll(slowlyAll(c, ticker, len(jpg)/60))
	check(t, err)
	if took := time.Since(begun); !bytes.HasSuffix(got, jpg) || took < 2*timeout {
		t.Errorf("%d bytes of %d after %v", len(got), len(jpg), took)
	}
}

// slowlyAll reads n bytes at each tick, whole.
func slowlyAll(r io.Reader, ticker *time.Ticker, n int) io.Reader {
	pipe, w := io.Pipe()
	go func() {
		var err error
		for err == nil {
			<-ticker.C
			_, err = io.CopyN(w, r, int64(n))
		}
		w.CloseWithError(err)
	}()
	return pipe
}
