package control

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bril-edge/bril/cmd/internal/adoption"
)

// fake is a daemon whose state is the last action.
type fake struct {
	fleet adoption.View
	mu    sync.Mutex
	state string
	err   error                           // of Live and what is kept
	hold  func(ctx context.Context) error // instead of Live and Photo
	asked []string                        // of what is kept
	spool []SpoolItem                     // default: one item
}

func (f *fake) Provision(ctx context.Context, each func(Provisioning) error) error {
	if f.err != nil {
		return f.err
	}
	for _, phase := range []string{"looking", "enrolling", "done"} {
		if err := each(Provisioning{Phase: phase}); err != nil {
			return err
		}
	}
	return nil
}

func (f *fake) Fleet() (adoption.View, error) { return f.fleet, f.err }

func (f *fake) StopProvision(context.Context) error { return f.err }

func (f *fake) Status() Status {
	f.mu.Lock()
	defer f.mu.Unlock()
	return Status{State: f.state, Version: "v1", Uplink: Uplink{NACK: 7}}
}

func (f *fake) Live(ctx context.Context, action Action) (string, error) {
	if f.hold != nil {
		return "", f.hold(ctx)
	}
	if f.err != nil {
		return "", f.err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.state = map[Action]string{On: "connecting", Off: "ready", Pause: "paused"}[action]
	return f.state, nil
}

// serve runs a server at a fresh path until stop, which returns Run's error
// once, and at the latest until the test ends.
func serve(t *testing.T, s Server) (path string, stop func() error) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "run", "control.sock")
	l, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx, l) }()
	stop = sync.OnceValue(func() error {
		cancel()
		return <-done
	})
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Errorf("run: %v", err)
		}
	})
	return path, stop
}

func client(t *testing.T, path string) *Client {
	c := NewClient(path)
	t.Cleanup(c.Close)
	return c
}

func TestStatusAndLive(t *testing.T) {
	path, _ := serve(t, Server{Daemon: &fake{state: "ready"}})
	c := client(t, path)
	for action, want := range map[Action]string{On: "connecting", Pause: "paused", Off: "ready"} {
		if state, err := c.Live(t.Context(), action); err != nil || state != want {
			t.Errorf("%s: got %q, %v", action, state, err)
		}
		if s, err := c.Status(t.Context()); err != nil || s.State != want || s.SchemaVersion != 1 || s.Uplink.NACK != 7 {
			t.Errorf("status after %s: %+v, %v", action, s, err)
		}
	}
}

func TestStatusHasTheKeysThatScriptsRead(t *testing.T) {
	path, _ := serve(t, Server{Daemon: &fake{state: "off"}})
	code, body := raw(t, path, "GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n")
	var got map[string]any
	if err := json.Unmarshal([]byte(body), &got); err != nil || code != http.StatusOK {
		t.Fatalf("%d %s: %v", code, body, err)
	}
	for _, key := range strings.Fields(`schema_version state camera microphone encoder uplink.state uplink.url uplink.rtt_ms
		uplink.target_bps uplink.sent_bps uplink.nack uplink.pli video.captured video.encoded video.sent video.dropped video.key_frames
		latency_ms.queue.p50 latency_ms.queue.p95 latency_ms.encode.p50 latency_ms.encode.p95 latency_ms.packetise_send.p50
		latency_ms.packetise_send.p95 latency_ms.photo.choose.p50 latency_ms.photo.encode.p95 latency_ms.photo.store.p95
		recording.armed recording.clip recording.ring_bytes recording.ring_limit_bytes recording.ring_s recording.sound
		spool.items spool.bytes spool.quota_bytes spool.recipient
		upload.state upload.url upload.item upload.sent upload.bytes upload.problem rss_bytes uptime_s errors warnings version`) {
		if v := find(got, strings.Split(key, ".")); v == nil {
			t.Errorf("%s is missing or null in %s", key, body)
		}
	}
}

func find(v any, path []string) any {
	if len(path) == 0 {
		return v
	}
	m, _ := v.(map[string]any)
	return find(m[path[0]], path[1:])
}

// raw sends bytes and returns the answer's code and body.
func raw(t *testing.T, path, request string) (int, string) {
	t.Helper()
	conn, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatalf("%q: %v", request, err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(body)
}

func TestTheDaemonsErrorReachesTheCommand(t *testing.T) {
	busy := hinted{errors.New("open camera /dev/video0: in use"), "close the other program"}
	path, _ := serve(t, Server{Daemon: &fake{err: fmt.Errorf("go live: %w", busy)}, Describe: func(err error) *Problem {
		return &Problem{Message: err.Error(), Text: hintOf(err), Code: 5}
	}})
	_, err := client(t, path).Live(t.Context(), On)
	p := (*Problem)(nil)
	if !errors.As(err, &p) || p.Code != 5 || p.Hint() != "close the other program" ||
		err.Error() != "live on: go live: open camera /dev/video0: in use" {
		t.Errorf("got %v, %+v", err, p)
	}
}

func TestWatch(t *testing.T) {
	path, stop := serve(t, Server{Daemon: &fake{state: "live"}})
	c := client(t, path)
	enough := errors.New("enough")
	n := 0
	err := c.Watch(t.Context(), minInterval, func(s Status) error {
		if n++; s.State != "live" || s.SchemaVersion != 1 {
			t.Errorf("got %+v", s)
		}
		if n == 3 {
			return enough
		}
		return nil
	})
	if !errors.Is(err, enough) || n != 3 {
		t.Errorf("got %v after %d", err, n)
	}
	if err := c.Watch(t.Context(), time.Nanosecond, nil); err == nil || !strings.Contains(err.Error(), "is not a time from 50ms to 1m") {
		t.Errorf("an interval too short: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	if err := c.Watch(ctx, time.Minute, func(Status) error { cancel(); return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("after cancel: %v", err)
	}
	err = c.Watch(t.Context(), time.Minute, func(Status) error { go stop(); return nil })
	if !errors.Is(err, ErrNotRunning) {
		t.Errorf("after the daemon stopped: %v", err)
	}
}

func TestStreamsAreBounded(t *testing.T) {
	path, _ := serve(t, Server{Daemon: &fake{}})
	c := client(t, path)
	ctx, cancel := context.WithCancel(t.Context())
	var g sync.WaitGroup
	ready := make(chan struct{}, maxStreams)
	for range maxStreams {
		g.Go(func() {
			_ = c.Watch(ctx, time.Minute, func(Status) error { ready <- struct{}{}; return nil })
		})
	}
	for range maxStreams {
		<-ready
	}
	if err := c.Watch(ctx, time.Minute, nil); err == nil || !strings.Contains(err.Error(), "too many status streams") {
		t.Errorf("one more: %v", err)
	}
	if _, err := c.Status(ctx); err != nil {
		t.Errorf("status meanwhile: %v", err)
	}
	cancel()
	g.Wait()
}

// A client that connects and says nothing, one that never reads, one in the
// middle of a body and an action in progress: none holds up the end.
func TestStopDoesNotWaitForClients(t *testing.T) {
	entered := make(chan struct{})
	daemon := &fake{hold: func(ctx context.Context) error {
		close(entered)
		<-ctx.Done()
		return ctx.Err()
	}}
	path, stop := serve(t, Server{Daemon: daemon})
	for _, request := range []string{"", "GET /v1/status/stream?interval=50ms HTTP/1.1\r\nHost: x\r\n\r\n", "GET /v1/sta",
		"POST /v1/live HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{"} {
		conn, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := io.WriteString(conn, request); err != nil {
			t.Fatal(err)
		}
	}
	failed := make(chan error, 1)
	c := client(t, path)
	go func() {
		_, err := c.Live(context.Background(), On)
		failed <- err
	}()
	<-entered
	start := time.Now()
	if err := stop(); err != nil {
		t.Error(err)
	}
	if took := time.Since(start); took > shutdownTime+time.Second {
		t.Errorf("the end took %v", took)
	}
	if err := <-failed; err == nil {
		t.Error("the action that was cut off reported success")
	}
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket is still there: %v", err)
	}
}

func TestClientWithoutDaemon(t *testing.T) {
	dir := t.TempDir()
	stale := filepath.Join(dir, "stale")
	leave(t, stale)
	for _, path := range []string{filepath.Join(dir, "missing"), filepath.Join(dir, "no", "dir"), filepath.Join(stale, "x"), stale} {
		_, err := client(t, path).Status(t.Context())
		if !errors.Is(err, ErrNotRunning) || hintOf(err) != startHint || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v, hint %q", path, err, hintOf(err))
		}
	}
	if _, err := client(t, "/"+strings.Repeat("x", maxPath)).Status(t.Context()); err == nil || !strings.Contains(err.Error(), "the path has 108 bytes") {
		t.Errorf("a long path: %v", err)
	}
}

func TestClientWithoutPermission(t *testing.T) {
	if !unprivileged(t) {
		return
	}
	path, _ := serve(t, Server{Daemon: &fake{}})
	if err := os.Chmod(path, 0); err != nil {
		t.Fatal(err)
	}
	_, err := client(t, path).Status(t.Context())
	if !errors.Is(err, os.ErrPermission) || !strings.Contains(hintOf(err), "usermod -aG bril") {
		t.Errorf("got %v, hint %q", err, hintOf(err))
	}
}

// What is no daemon of this version gives an error that says so.
func TestClientMeetsSomethingElse(t *testing.T) {
	for answer, want := range map[string]string{
		"": "the daemon is not running",
		"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n{\"schema_version\":9}":           "speaks schema_version 9, this command 1",
		"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>":                            "read the answer: invalid character",
		"HTTP/1.1 500 Oh\r\nContent-Length: 15\r\n\r\n{\"message\":\"x\"}":              "the daemon answered 500 Oh",
		"HTTP/1.1 200 OK\r\n\r\n{\"state\":\"" + strings.Repeat("x", maxAnswer) + "\"}": "read the answer: more than 1048576 bytes",
		"SSH-2.0-x\r\n": "malformed HTTP response",
	} {
		_, err := client(t, answering(t, answer)).Status(t.Context())
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q: got %v, want %s", answer, err, want)
		}
	}
}

// answering listens and gives every connection the same answer.
func answering(t *testing.T, answer string) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	var g sync.WaitGroup
	g.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			if _, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
				_, _ = io.WriteString(conn, answer)
			}
			conn.Close()
		}
	})
	t.Cleanup(func() { l.Close(); g.Wait() })
	return path
}

func TestNothingRunsAfterwards(t *testing.T) {
	before := runtime.NumGoroutine()
	path, stop := serve(t, Server{Daemon: &fake{}})
	c := NewClient(path)
	var g sync.WaitGroup
	for range 8 {
		g.Go(func() {
			if _, err := c.Status(t.Context()); err != nil {
				t.Error(err)
			}
			_ = c.Watch(t.Context(), time.Minute, func(Status) error { return errors.New("enough") })
		})
	}
	g.Wait()
	if err := stop(); err != nil {
		t.Error(err)
	}
	c.Close()
	c.Close()
	// net/http's client gives no signal when its last goroutine has ended.
	for deadline := time.Now().Add(5 * time.Second); runtime.NumGoroutine() > before; runtime.Gosched() {
		if time.Now().After(deadline) {
			stacks := make([]byte, 1<<20)
			t.Fatalf("%d goroutines before, %d after\n%s", before, runtime.NumGoroutine(), stacks[:runtime.Stack(stacks, true)])
		}
	}
}
