package media

import (
	"context"
	"io"
	"net/http"
	"os"
	"sync"
	"time"

	tus "github.com/tus/tusd/v2/pkg/handler"
)

// request is a body that can be ended from elsewhere, and ends by itself when its
// time is over: nobody holds a connection for ever with a byte now and then.
//
// tusd has such a thing, which an interruption misses when it comes before the
// body is read (handler/context.go of v2.10.0, a race on its field body).
type request struct {
	io.ReadCloser
	control *http.ResponseController
	until   time.Time
	owner   string

	mu    sync.Mutex
	ended error // why nothing more is read
	over  bool  // answered: the connection is another request's now
}

type requestKey struct{}

func newRequest(w http.ResponseWriter, r *http.Request) *request {
	return &request{ReadCloser: r.Body, control: http.NewResponseController(w), until: time.Now().Add(maxRequest)}
}

func (r *request) Read(p []byte) (int, error) {
	r.mu.Lock()
	err := r.ended
	r.mu.Unlock()
	if err == nil && time.Now().After(r.until) {
		err = os.ErrDeadlineExceeded
	}
	if err != nil {
		return 0, err
	}
	n, err := r.ReadCloser.Read(p)
	if err != nil && err != io.EOF {
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.ended != nil {
			err = r.ended // and not the deadline, which is only how it came here
		}
	}
	return n, err
}

// end lets the request read nothing more.
func (r *request) end(why error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.over || r.ended != nil {
		return
	}
	r.ended = why
	_ = r.control.SetReadDeadline(time.Now()) // who reads is woken; a broken connection wakes, too
}

func (r *request) hasEnded() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.ended != nil
}

func (r *request) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.over = true
}

// locker gives one upload to one request at a time. Who holds it is ended when
// another asks: after a broken connection, the old request is only waiting for
// bytes that will never come.
type locker struct {
	mu   sync.Mutex
	held map[string]holder
}

type holder struct {
	request  *request
	released chan struct{}
}

func (l *locker) NewLock(id string) (tus.Lock, error) { return lock{l, id}, nil }

type lock struct {
	*locker
	id string
}

// Lock uses a way of its own to ask for release, see request.
func (l lock) Lock(ctx context.Context, _ func()) error {
	mine, _ := ctx.Value(requestKey{}).(*request)
	for {
		l.mu.Lock()
		other, taken := l.held[l.id]
		if !taken {
			l.held[l.id] = holder{mine, make(chan struct{})}
		}
		l.mu.Unlock()
		if !taken {
			return nil
		}
		other.request.end(tus.ErrUploadInterrupted)
		select {
		case <-other.released:
		case <-ctx.Done():
			return tus.ErrFileLocked
		}
	}
}

func (l lock) Unlock() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	close(l.held[l.id].released)
	delete(l.held, l.id)
	return nil
}
