package upload

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"filippo.io/age"
	"github.com/tus/tusd/v2/pkg/filestore"
	"github.com/tus/tusd/v2/pkg/handler"
	"github.com/tus/tusd/v2/pkg/memorylocker"
	"golang.org/x/exp/slog"

	"github.com/bril-edge/bril/uplink/spool"
)

// tusd is the reference server of tus with receipts beside it.
type tusd struct {
	dir string
	*httptest.Server
	listener *flaky
}

func newTusd(t *testing.T, listener *flaky) *tusd {
	t.Helper()
	s := &tusd{dir: t.TempDir(), listener: listener}
	composer := handler.NewStoreComposer()
	filestore.New(s.dir).UseIn(composer)
	memorylocker.New().UseIn(composer)
	h, err := handler.NewHandler(handler.Config{
		StoreComposer: composer, BasePath: "/api/uploads/", DisableDownload: true,
		AcquireLockTimeout: time.Second, GracefulRequestCompletionTimeout: 50 * time.Millisecond,
		Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
		PreUploadCreateCallback: func(hook handler.HookEvent) (handler.HTTPResponse, handler.FileInfoChanges, error) {
			return handler.HTTPResponse{}, handler.FileInfoChanges{ID: hook.Upload.MetaData["id"]}, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/api/uploads/", http.StripPrefix("/api/uploads/", h))
	mux.HandleFunc("GET /api/uploads/{id}/receipt", s.receipt)
	s.Server = httptest.NewUnstartedServer(mux)
	s.Config.ErrorLog = quiet
	listener.Listener = s.Listener
	s.Listener = listener
	s.Start()
	t.Cleanup(s.Close)
	return s
}

// receipt is one for what is whole.
func (s *tusd) receipt(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	file, err := os.Open(filepath.Join(s.dir, id))
	if err != nil {
		w.WriteHeader(404)
		return
	}
	defer file.Close()
	sum := sha256.New()
	n, _ := io.Copy(sum, file)
	info, _ := os.ReadFile(filepath.Join(s.dir, id+".info"))
	if !strings.Contains(string(info), fmt.Sprintf(`"Size":%d,`, n)) {
		w.WriteHeader(202)
		io.WriteString(w, `{"state":"receiving"}`)
		return
	}
	fmt.Fprintf(w, `{"schema_version":1,"id":%q,"sha256":"%x","state":"stored"}`, id, sum.Sum(nil))
}

// flaky cuts connections after some bytes.
type flaky struct {
	net.Listener
	after func() int64 // bytes that a connection carries; 0 for all
	cuts  atomic.Int64
}

func (f *flaky) Accept() (net.Conn, error) {
	conn, err := f.Listener.Accept()
	if err == nil && f.after != nil {
		if n := f.after(); n > 0 {
			conn = &cutConn{Conn: conn, left: n, cuts: &f.cuts}
		}
	}
	return conn, err
}

type cutConn struct {
	net.Conn
	mu   sync.Mutex
	left int64
	cuts *atomic.Int64
}

func (c *cutConn) Read(p []byte) (int, error) {
	c.mu.Lock()
	left := c.left
	c.mu.Unlock()
	if left <= 0 {
		c.cuts.Add(1)
		_ = c.Conn.(*net.TCPConn).SetLinger(0) // a reset, as of a network that is gone
		c.Conn.Close()
		return 0, net.ErrClosed
	}
	n, err := c.Conn.Read(p[:min(int64(len(p)), left)])
	c.mu.Lock()
	c.left -= int64(n)
	c.mu.Unlock()
	return n, err
}

// filled returns a spool that holds items of these sizes, in clear.
func filled(t testing.TB, sizes ...int) *spool.Spool {
	t.Helper()
	s, err := spool.Open(spool.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	for i, size := range sizes {
		item, err := s.Create(identity.Recipient(), spool.Meta{Session: "a", Kind: "clip", TakenAt: time.Now(), ContentType: "video/mp4"})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := item.Write(content(fmt.Sprint(i), size)); err != nil {
			t.Fatal(err)
		}
		if err := item.Finish(); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// held returns the bytes of all that a spool holds, by id.
func held(t testing.TB, s *spool.Spool) map[string][]byte {
	t.Helper()
	all := map[string][]byte{}
	for _, e := range s.List() {
		f, err := s.Open(e.ID)
		if err != nil {
			t.Fatal(err)
		}
		if all[e.ID], err = io.ReadAll(f); err != nil {
			t.Fatal(err)
		}
		f.Close()
	}
	return all
}

// The spool and the reference server, over connections that are cut at random:
// every item arrives byte by byte, and the spool is empty after that.
func TestTusdOverCutConnections(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 1))
	var mu sync.Mutex
	listener := &flaky{after: func() int64 {
		mu.Lock()
		defer mu.Unlock()
		return random.Int64N(1 << 20)
	}}
	server := newTusd(t, listener)
	s := filled(t, 100, 3<<20, 200_000)
	want := held(t, s)
	empty(t, s, server.URL)
	for id, data := range want {
		if got, err := os.ReadFile(filepath.Join(server.dir, id)); err != nil || !bytes.Equal(got, data) {
			t.Errorf("item %s: %d bytes of %d, %v", id, len(got), len(data), err)
		}
	}
	if listener.cuts.Load() == 0 {
		t.Error("no connection was cut")
	}
	t.Logf("%d connections were cut", listener.cuts.Load())
	noGoroutines(t, "net/http.(*persistConn)")
}

// impatient is a spool that has its uploader woken whenever something happens,
// so that a test waits for nothing, and tells when it is empty.
type impatient struct {
	*spool.Spool
	wake  func()
	empty chan struct{}
}

func (i impatient) Progress(id string, sent int64) {
	i.Spool.Progress(id, sent)
	i.wake()
}

func (i impatient) Defer(id string, _ time.Time, why string) error {
	defer i.wake()
	return i.Spool.Defer(id, time.Now(), why)
}

func (i impatient) Acknowledge(id, sha256 string) error {
	err := i.Spool.Acknowledge(id, sha256)
	if len(i.List()) == 0 {
		close(i.empty)
	}
	return err
}

// empty sends all that a spool holds.
func empty(t testing.TB, s *spool.Spool, url string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	done := make(chan struct{})
	var u *Uploader
	u, err := New(Config{URL: url + "/api/uploads/", Spool: impatient{s, func() { u.Wake() }, done}})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- u.Run(ctx) }()
	select {
	case <-done:
	case <-ctx.Done():
		t.Errorf("left in the spool: %+v; %+v", s.List(), u.Status())
	}
	cancel()
	if err := <-ended; ctx.Err() == nil || !errors.Is(err, ctx.Err()) {
		t.Errorf("Run returned %v", err)
	}
}

// noGoroutines waits until no goroutine runs a function of that name: closing a
// connection only tells its goroutines to go.
func noGoroutines(t testing.TB, name string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	for {
		stacks := make([]byte, 1<<20)
		if all := string(stacks[:runtime.Stack(stacks, true)]); !strings.Contains(all, name) {
			return
		} else if ctx.Err() != nil {
			t.Fatalf("goroutines left:\n%s", all)
		}
		runtime.Gosched()
	}
}
