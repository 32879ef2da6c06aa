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
	data, err := os.ReadFile(filepath.Join(s.dir, id))
	if err != nil {
		w.WriteHeader(404)
		return
	}
	info, _ := os.ReadFile(filepath.Join(s.dir, id+".info"))
	if !strings.Contains(string(info), fmt.Sprintf(`"Size":%d,`, len(data))) {
		w.WriteHeader(202)
		io.WriteString(w, `{"state":"receiving"}`)
		return
	}
	fmt.Fprintf(w, `{"schema_version":1,"id":%q,"sha256":"%x","state":"stored"}`, id, sha256.Sum256(data))
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

// stored returns the bytes of all that a spool holds, by id.
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
	u, err := New(Config{Spool: s, URL: server.URL + "/api/uploads/"})
	if err != nil {
		t.Fatal(err)
	}
	empty(t, u, s, true)
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

// empty runs an uploader until its spool is empty. Where nagging it is woken all
// the time, so that nothing waits.
func empty(t testing.TB, u *Uploader, s *spool.Spool, nagging bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	ended := make(chan error, 1)
	go func() { ended <- u.Run(ctx) }()
	for len(s.List()) > 0 && ctx.Err() == nil {
		if nagging {
			u.Wake()
			_ = s.Retry("")
		}
		runtime.Gosched()
	}
	if ctx.Err() != nil {
		t.Errorf("left in the spool: %+v; %+v", s.List(), u.Status())
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded) {
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
