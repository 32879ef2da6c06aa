package soak

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bril-edge/bril/cmd/internal/porttest"
)

// proxy stands before the endpoint's uploads and fails as it is told.
type proxy struct {
	address string
	next    *httputil.ReverseProxy

	mu     sync.Mutex
	fail   failure
	server *http.Server // nil while nobody listens
}

// failure answers a request itself and returns true, or lets it pass, perhaps
// changed.
type failure func(http.ResponseWriter, *http.Request) bool

func newProxy(t *testing.T, to string) *proxy {
	t.Helper()
	target, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{address: porttest.Address(t), next: httputil.NewSingleHostReverseProxy(target)}
	p.next.ErrorHandler = func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) } // closes the connection
	p.listen(t)
	t.Cleanup(p.refuse)
	return p
}

func (p *proxy) listen(t *testing.T) {
	t.Helper()
	l, err := net.Listen("tcp", p.address)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(p.serve)}
	p.mu.Lock()
	p.server = server
	p.mu.Unlock()
	go server.Serve(l) // ends with refuse
}

// refuse lets nobody connect.
func (p *proxy) refuse() {
	p.mu.Lock()
	server := p.server
	p.server = nil
	p.mu.Unlock()
	if server != nil {
		server.Close()
	}
}

func (p *proxy) set(f failure) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fail = f
}

func (p *proxy) serve(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	fail := p.fail
	p.mu.Unlock()
	if fail == nil || !fail(w, r) {
		p.next.ServeHTTP(w, r)
	}
}

// answer answers requests of some methods with a status, the way endpoints do.
func answer(status int, detail string, methods ...string) failure {
	return func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.Contains(strings.Join(methods, " "), r.Method) {
			return false
		}
		_, _ = io.Copy(io.Discard, io.LimitReader(r.Body, 1<<20))
		w.Header().Set("Content-Type", "application/problem+json")
		w.Header().Set("Tus-Resumable", "1.0.0")
		w.WriteHeader(status)
		fmt.Fprintf(w, `{"title":%q,"status":%d,"detail":%q}`, http.StatusText(status), status, detail)
		return true
	}
}

// page is what a proxy says when there is nothing behind it.
func page(w http.ResponseWriter, _ *http.Request) bool {
	w.Header().Set("Content-Type", "text/html")
	w.WriteHeader(http.StatusBadGateway)
	io.WriteString(w, "<html><h1>502 Bad Gateway</h1></html>")
	return true
}

// cut ends a PATCH and its connection after some bytes.
func cut(after int64) failure {
	return func(_ http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodPatch {
			r.Body = &bounded{ReadCloser: r.Body, left: after}
		}
		return false
	}
}

var errCut = errors.New("cut")

type bounded struct {
	io.ReadCloser
	left int64
}

func (b *bounded) Read(p []byte) (int, error) {
	if b.left == 0 {
		return 0, errCut
	}
	n, err := b.ReadCloser.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	return n, err
}

// slow lets a few bytes of a PATCH pass at a time, while it is in force.
func (p *proxy) slow(_ http.ResponseWriter, r *http.Request) bool {
	if r.Method == http.MethodPatch {
		r.Body = &drip{r.Body, p}
	}
	return false
}

type drip struct {
	io.ReadCloser
	p *proxy
}

func (d *drip) Read(b []byte) (int, error) {
	d.p.mu.Lock()
	slow := d.p.fail != nil
	d.p.mu.Unlock()
	if !slow {
		return d.ReadCloser.Read(b)
	}
	<-time.After(20 * time.Millisecond) // the link itself
	return d.ReadCloser.Read(b[:min(len(b), 200)])
}

// otherOffset has HEAD claim more bytes than there are, for ever.
func otherOffset(w http.ResponseWriter, r *http.Request) bool {
	if r.Method != http.MethodHead {
		return answer(http.StatusConflict, "it was begun already", http.MethodPost)(w, r)
	}
	w.Header().Set("Tus-Resumable", "1.0.0")
	w.Header().Set("Upload-Offset", "1000000000")
	w.WriteHeader(http.StatusOK)
	return true
}

// otherReceipt says that something else is stored.
func otherReceipt(w http.ResponseWriter, r *http.Request) bool {
	if !strings.HasSuffix(r.URL.Path, "/receipt") {
		return false
	}
	id := strings.Split(strings.TrimSuffix(r.URL.Path, "/receipt"), "/")
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprintf(w, `{"schema_version":1,"id":%q,"sha256":%q,"state":"stored"}`, id[len(id)-1], strings.Repeat("0", 64))
	return true
}
