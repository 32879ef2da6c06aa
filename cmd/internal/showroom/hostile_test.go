package showroom

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/bril-edge/bril/cmd/internal/showroom/rtctest"
)

func TestSilentPublisherIsDropped(t *testing.T) {
	url := startServer(t, Config{Limits: Limits{Silence: 300 * time.Millisecond}})
	p, v := connectPair(t, url, rtctest.Options{})
	(&stream{t: t, p: p}).until(v)
	events := watch(t, url)
	expectEvent(t, events, "live")
	check(t, p.PC.GracefulClose()) // says goodbye by DTLS only
	expectEvent(t, events, "interrupted")
	again := rtctest.NewPublisher(t, rtctest.Options{})
	again.Connect(url+"/whip/anna", "")
	expectEvent(t, events, "live")
	(&stream{t: t, p: again}).until(v) // by the session that the viewer has
}

func TestUnconnectedSessionIsDropped(t *testing.T) {
	url := startServer(t, Config{Limits: Limits{ConnectTimeout: 50 * time.Millisecond}})
	events := watch(t, url)
	expectEvent(t, events, "waiting")
	p := rtctest.NewPublisher(t, rtctest.Options{})
	p.Post(url+"/whip/anna", "", p.Offer())
	expectEvent(t, events, "connecting")
	expectEvent(t, events, "waiting")
}

func TestLostPublishersViewersAreLetGo(t *testing.T) {
	url := startServer(t, Config{Limits: Limits{Grace: 50 * time.Millisecond}})
	p, v := connectPair(t, url, rtctest.Options{})
	(&stream{t: t, p: p}).until(v)
	request(t, http.MethodDelete, p.Location, "")
	waitGone(t, v.Location)
}

// waitGone asks until the session is unknown.
func waitGone(t *testing.T, location string) {
	t.Helper()
	for deadline := time.Now().Add(rtctest.Timeout); time.Now().Before(deadline); {
		if answer, _ := request(t, http.MethodPatch, location, "", "If-Match", `"x"`, "Content-Type", "application/trickle-ice-sdpfrag"); answer.StatusCode == 404 {
			return
		}
	}
	t.Errorf("%s is still there", location)
}

// watch returns what the events of a conversation say, line by line.
func watch(t *testing.T, url string) <-chan string {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"/api/sessions/anna/events", nil)
	check(t, err)
	answer, err := http.DefaultClient.Do(r)
	check(t, err)
	if answer.StatusCode != 200 || answer.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatalf("events: %d %v", answer.StatusCode, answer.Header)
	}
	t.Cleanup(func() { answer.Body.Close() })
	lines := make(chan string, 64)
	go func() {
		for scanner := bufio.NewScanner(answer.Body); scanner.Scan(); {
			if text, ok := strings.CutPrefix(scanner.Text(), "data: "); ok {
				lines <- text
			}
		}
	}()
	return lines
}

// expectEvent reads events until one has the state.
func expectEvent(t *testing.T, events <-chan string, state string) {
	t.Helper()
	for {
		if text := rtctest.Next(t, "event "+state, events); strings.Contains(text, fmt.Sprintf("%q:%q", "state", state)) {
			return
		}
	}
}

func TestLimits(t *testing.T) {
	url := startServer(t, Config{Limits: Limits{Publishers: 1, Viewers: 1, Sessions: 3, Watchers: 1}})
	p, _ := connectPair(t, url, rtctest.Options{})
	other := rtctest.NewPublisher(t, rtctest.Options{})
	if status, _ := other.Post(url+"/whip/bert", "", other.Offer()); status != 503 || other.Response.Header.Get("Retry-After") == "" {
		t.Errorf("a second publisher: %d", status)
	}
	v := rtctest.NewViewer(t, rtctest.Options{})
	offer := v.Offer()
	if status, _ := v.Post(url+"/whep/anna", "", offer); status != 503 {
		t.Errorf("a second viewer: %d", status)
	}
	watch(t, url)
	answer, body := request(t, http.MethodGet, url+"/api/sessions/anna/events", "")
	expect(t, "a second watcher", answer, body, 503)
	_ = p
}

// Who watches one conversation keeps out neither those of others nor the server.
func TestPagesOfOneConversationAreBounded(t *testing.T) {
	url := startServer(t, Config{Limits: Limits{Viewers: 2, Watchers: 3}})
	watch(t, url)
	watch(t, url)
	answer, body := request(t, http.MethodGet, url+"/api/sessions/anna/events", "")
	expect(t, "a third of one", answer, body, 503)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"/api/sessions/bert/events", nil)
	check(t, err)
	other, err := http.DefaultClient.Do(r)
	check(t, err)
	defer other.Body.Close()
	if other.StatusCode != 200 {
		t.Errorf("of another: %s", other.Status)
	}
}

func TestSlowClientIsCutOff(t *testing.T) {
	if testing.Short() {
		t.Skip("takes as long as the server's timeout for headers, 5 s")
	}
	t.Parallel()
	url := startServer(t, Config{})
	for name, start := range map[string]string{
		"header": "POST /whip/anna HTTP/1.1\r\nHost: x\r\n",
		"body":   "POST /whip/anna HTTP/1.1\r\nHost: x\r\nContent-Type: application/sdp\r\nContent-Length: 5000\r\n\r\nv=0",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
			check(t, err)
			defer conn.Close()
			_, err = io.WriteString(conn, start)
			check(t, err)
			check(t, conn.SetReadDeadline(time.Now().Add(2*readTimeout)))
			if _, err := io.Copy(io.Discard, conn); err != nil {
				t.Errorf("the connection is still open after %v: %v", 2*readTimeout, err)
			}
		})
	}
}

func TestNothingIsLeftBehind(t *testing.T) {
	url := startServer(t, Config{})
	cycle := func() {
		p := rtctest.NewPublisher(t, rtctest.Options{})
		p.Connect(url+"/whip/anna", "")
		v := rtctest.NewViewer(t, rtctest.Options{})
		connectViewer(t, v, url+"/whep/anna")
		request(t, http.MethodDelete, v.Location, "")
		request(t, http.MethodDelete, p.Location, "")
		check(t, v.PC.GracefulClose())
		check(t, p.PC.GracefulClose())
	}
	cycle()
	goroutines, files := settle(t, 0, 0)
	cycles := 50
	if testing.Short() {
		cycles = 5
	}
	for range cycles {
		cycle()
	}
	after, open := settle(t, goroutines, files)
	t.Logf("goroutines %d, then %d; files %d, then %d", goroutines, after, files, open)
	if after > goroutines || open > files {
		t.Errorf("%d goroutines and %d files more after %d cycles\n%s", after-goroutines, open-files, cycles, stacks())
	}
}

// settle waits for the counts to come down to what they were, or to stay the same
// when there is nothing to compare with.
func settle(t *testing.T, goroutines, files int) (int, int) {
	t.Helper()
	n, f, same := 0, 0, 0
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline) && same < 20; {
		runtime.Gosched()
		now, open := runtime.NumGoroutine(), openFiles(t)
		if now == n && open == f || goroutines > 0 && now <= goroutines && open <= files {
			same++
		} else {
			same = 0
		}
		n, f = now, open
		<-time.After(10 * time.Millisecond)
	}
	return n, f
}

func openFiles(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip("no /proc/self/fd: ", err)
	}
	return len(entries)
}

func stacks() []byte {
	b := make([]byte, 1<<20)
	return b[:runtime.Stack(b, true)]
}
