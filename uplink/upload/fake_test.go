package upload

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bril-edge/bril/uplink/internal/pipes"
	"github.com/bril-edge/bril/uplink/origin"
	"github.com/bril-edge/bril/uplink/spool"
)

const (
	base  = "http://127.0.0.1/api/uploads/"
	token = "t0k3n.of-the_glasses"
)

// quiet is for servers whose clients misbehave on purpose.
var quiet = log.New(io.Discard, "", 0)

// outbox is a spool in memory.
type outbox struct {
	mu       sync.Mutex
	changed  chan struct{}
	items    []*stored // in the order of their uploads
	gone     []string  // ids, as they were acknowledged
	progress []int64
	broken   error // of every change
	nextErr  error
	read     func(*bytes.Reader) io.ReadSeeker // what Open gives; the bytes when nil
}

type stored struct {
	spool.Entry
	data    []byte
	until   time.Time
	problem string
	refused string
	defers  int
	first   bool // before the others
}

func newOutbox() *outbox { return &outbox{changed: make(chan struct{})} }

// put adds an item of so many bytes, which depend on its id.
func (o *outbox) put(id string, size int) spool.Entry {
	data := content(id, size)
	sum := sha256.Sum256(data)
	o.mu.Lock()
	defer o.mu.Unlock()
	item := spool.Entry{ID: id, State: "ready", Bytes: int64(size), SHA256: hex.EncodeToString(sum[:])}
	o.items = append(o.items, &stored{Entry: item, data: data})
	o.wake()
	return item
}

func content(id string, size int) []byte {
	seed := sha256.Sum256([]byte(id))
	data := make([]byte, 0, size+len(seed))
	for len(data) < size {
		data = append(data, seed[:]...)
		seed = sha256.Sum256(seed[:])
	}
	return data[:size]
}

func (o *outbox) wake() {
	close(o.changed)
	o.changed = make(chan struct{})
}

func (o *outbox) Next(ctx context.Context) (spool.Entry, error) {
	for {
		o.mu.Lock()
		changed, err := o.changed, o.nextErr
		due, wait := o.due()
		o.mu.Unlock()
		if err != nil {
			return spool.Entry{}, err
		}
		if due != nil {
			return due.Entry, nil
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return spool.Entry{}, ctx.Err()
		case <-changed:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// due needs the lock.
func (o *outbox) due() (due *stored, wait time.Duration) {
	wait = time.Hour
	for _, s := range o.items {
		if d := time.Until(s.until); s.refused != "" {
			continue
		} else if d > 0 {
			wait = min(wait, d)
		} else if due == nil || s.first && !due.first || s.first == due.first && s.defers < due.defers {
			due = s
		}
	}
	return due, wait
}

func (o *outbox) Turn(id string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	due, _ := o.due()
	return due != nil && due.ID == id
}

type file struct {
	io.ReadSeeker
	closed *bool
}

func (f file) Close() error { *f.closed = true; return nil }

func (f file) Read(p []byte) (int, error) {
	if *f.closed {
		return 0, os.ErrClosed
	}
	return f.ReadSeeker.Read(p)
}

func (o *outbox) Open(id string) (io.ReadSeekCloser, error) {
	s, err := o.find(id)
	if err != nil {
		return nil, err
	}
	r := bytes.NewReader(s.data)
	if o.read != nil {
		return file{o.read(r), new(bool)}, nil
	}
	return file{r, new(bool)}, nil
}

func (o *outbox) find(id string) (*stored, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	i := slices.IndexFunc(o.items, func(s *stored) bool { return s.ID == id })
	if i < 0 {
		return nil, spool.ErrUnknown
	}
	return o.items[i], nil
}

func (o *outbox) Progress(_ string, sent int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.progress = append(o.progress, sent)
}

// change applies f to an item, which goes behind the others or is removed.
func (o *outbox) change(id string, f func(*stored) (keep bool)) error {
	s, err := o.find(id)
	if err != nil {
		return err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.broken != nil {
		return o.broken
	}
	o.items = slices.DeleteFunc(o.items, func(other *stored) bool { return other == s })
	if f(s) {
		o.items = append(o.items, s)
	}
	o.wake()
	return nil
}

func (o *outbox) Acknowledge(id, sha256 string) error {
	return o.change(id, func(s *stored) bool {
		if s.SHA256 != sha256 {
			panic("acknowledged with another checksum")
		}
		o.gone = append(o.gone, id)
		return false
	})
}

func (o *outbox) Refuse(id, why string) error {
	return o.change(id, func(s *stored) bool { s.refused = why; return true })
}

func (o *outbox) Defer(id string, until time.Time, why string) error {
	return o.change(id, func(s *stored) bool { s.until, s.problem = until, why; s.defers++; return true })
}

// shown returns what the outbox shows of an item, "" for one that is gone.
func (o *outbox) shown(id string) (problem, refused string) {
	s, err := o.find(id)
	if err != nil {
		return "", ""
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	return s.problem, s.refused
}

func (o *outbox) done() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.gone)
}

// endpoint is one that keeps to the protocol, except where its script has an
// answer for the next request of a method.
type endpoint struct {
	mu       sync.Mutex
	uploads  map[string]*incoming
	stored   map[string][]byte
	times    map[string]int // that an item was stored
	script   []answer
	requests []string
	metadata string
	closed   chan struct{}
	body     func([]byte) // told of each read of a body
}

type incoming struct {
	length int64
	data   []byte
}

// answer takes the next request of a method, once; one of method "*" takes every
// request that comes.
type answer struct {
	method string // as in PATCH; GET is for receipts
	serve  func(*endpoint, http.ResponseWriter, *http.Request)
}

func newEndpoint(script ...answer) *endpoint {
	return &endpoint{uploads: map[string]*incoming{}, stored: map[string][]byte{}, times: map[string]int{}, script: script}
}

func (e *endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	e.mu.Lock()
	e.requests = append(e.requests, r.Method)
	for i, a := range e.script {
		if a.method != r.Method && a.method != "*" {
			continue
		}
		if a.method != "*" {
			e.script = slices.Delete(e.script, i, i+1)
		}
		e.mu.Unlock()
		a.serve(e, w, r)
		return
	}
	e.mu.Unlock()
	e.serve(w, r)
}

// serve keeps to the protocol.
func (e *endpoint) serve(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Authorization") != "Bearer "+token {
		w.WriteHeader(401)
		return
	}
	id := strings.TrimPrefix(r.URL.Path, "/api/uploads/")
	w.Header().Set("Tus-Resumable", "1.0.0")
	switch r.Method {
	case "GET":
		e.receipt(w, strings.TrimSuffix(id, "/receipt"))
	case "POST":
		e.create(w, r)
	case "HEAD", "PATCH", "DELETE":
		e.mu.Lock()
		u := e.uploads[id]
		e.mu.Unlock()
		switch {
		case u == nil:
			w.WriteHeader(404)
		case r.Method == "HEAD":
			w.Header().Set("Upload-Offset", strconv.Itoa(len(u.data)))
			w.Header().Set("Upload-Length", strconv.FormatInt(u.length, 10))
		case r.Method == "DELETE":
			e.mu.Lock()
			delete(e.uploads, id)
			e.mu.Unlock()
			w.WriteHeader(204)
		default:
			e.patch(w, r, id, u)
		}
	}
}

func (e *endpoint) create(w http.ResponseWriter, r *http.Request) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.metadata = r.Header.Get("Upload-Metadata")
	length, _ := strconv.ParseInt(r.Header.Get("Upload-Length"), 10, 64)
	id := decoded(e.metadata, "id")
	e.uploads[id] = &incoming{length: length}
	w.Header().Set("Location", "/api/uploads/"+id)
	w.WriteHeader(201)
}

func (e *endpoint) patch(w http.ResponseWriter, r *http.Request, id string, u *incoming) {
	if r.Header.Get("Upload-Offset") != strconv.Itoa(len(u.data)) {
		w.WriteHeader(409)
		return
	}
	buf := make([]byte, 64<<10)
	for {
		n, err := r.Body.Read(buf)
		u.data = append(u.data, buf[:n]...)
		if e.body != nil && n > 0 {
			e.body(buf[:n])
		}
		if err != nil {
			break
		}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if int64(len(u.data)) == u.length {
		e.stored[id] = u.data
		e.times[id]++
	}
	w.Header().Set("Upload-Offset", strconv.Itoa(len(u.data)))
	w.WriteHeader(204)
}

func (e *endpoint) receipt(w http.ResponseWriter, id string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	data, found := e.stored[id]
	switch {
	case found:
		sum := sha256.Sum256(data)
		fmt.Fprintf(w, `{"schema_version":1,"id":%q,"sha256":"%x","state":"stored"}`, id, sum)
	case e.uploads[id] != nil:
		w.WriteHeader(202)
		io.WriteString(w, `{"state":"receiving"}`)
	default:
		w.WriteHeader(404)
	}
}

func (e *endpoint) seen(method string) (n int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, m := range e.requests {
		if m == method {
			n++
		}
	}
	return n
}

// has reports whether an item was stored once, as it is.
func (e *endpoint) has(item spool.Entry) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.times[item.ID] != 1 || !bytes.Equal(e.stored[item.ID], content(item.ID, int(item.Bytes))) {
		return fmt.Errorf("item %s was stored %d times, %d of %d bytes", item.ID, e.times[item.ID], len(e.stored[item.ID]), item.Bytes)
	}
	return nil
}

// inBubble runs a test on an uploader and an endpoint that are joined by pipes
// and must both be gone when it ends, with all their goroutines.
func inBubble(t *testing.T, e *endpoint, test func(t *testing.T, u *Uploader, o *outbox), change ...func(*Config)) {
	synctest.Test(t, func(t *testing.T) {
		e.closed = make(chan struct{}) // of the bubble
		o, network := newOutbox(), pipes.New()
		h := &http.Server{Handler: e, ErrorLog: quiet}
		go h.Serve(network)
		defer h.Close()
		defer close(e.closed)
		transport := newTransport(nil, nil)
		transport.DialContext = network.Dial
		cfg := Config{Spool: o, URL: base, Token: origin.NewSecret(token), Transport: transport, Audit: func() string { return "head" }}
		for _, f := range change {
			f(&cfg)
		}
		u, err := New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		ended := make(chan error, 1)
		go func() { ended <- u.Run(ctx) }()
		test(t, u, o)
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("Run returned %v", err)
		}
	})
}

// decoded returns a value of Upload-Metadata.
func decoded(header, key string) string {
	for _, pair := range strings.Split(header, ",") {
		if name, value, _ := strings.Cut(pair, " "); name == key {
			data, _ := base64.StdEncoding.DecodeString(value)
			return string(data)
		}
	}
	return ""
}
