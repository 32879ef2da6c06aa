package upload

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/bril-edge/bril/uplink/origin"
)

const (
	stallTimeout = 30 * time.Second
	readSize     = 16 << 10 // bytes; a link has to pass that many within stallTimeout
)

// pace holds the bytes that are sent below a limit that may change at any time.
type pace struct {
	limit  func() int64
	bucket *rate.Limiter
}

// take waits until bytes may be sent, and returns how many of at most n: an
// eighth of a second's, so that a new limit counts from then on.
func (p *pace) take(ctx context.Context, n int) (int, error) {
	limit := p.limit()
	if limit <= 0 {
		return n, nil
	}
	n = int(min(int64(n), max(limit/8, 1)))
	p.bucket.SetLimit(rate.Limit(limit))
	p.bucket.SetBurst(n)
	return n, p.bucket.WaitN(ctx, n)
}

// piece is the body of one PATCH, read from the file while it is sent. It gives
// up a connection that takes no bytes.
type piece struct {
	file   io.ReadSeeker
	start  int64
	length int64
	pace   *pace

	ctx    context.Context // of the exchange
	stall  *time.Timer
	bodies sync.WaitGroup // that the transport has not closed yet

	mu  sync.Mutex
	err error // of the file
}

// watched runs an exchange until it is over, also for the transport: it may read
// a body for a while after it has returned.
func (p *piece) watched(ctx context.Context, exchange func(context.Context) (*origin.Reply, error)) (*origin.Reply, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer p.bodies.Wait()
	defer cancel(nil)
	p.ctx = ctx
	p.stall = time.AfterFunc(stallTimeout, func() { cancel(ErrStalled) })
	defer p.stall.Stop()
	return exchange(ctx)
}

// explain names the true cause of a broken exchange.
func (p *piece) explain(q origin.Request, err error) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.err != nil:
		return fmt.Errorf("read item for upload %s: %w", origin.Show(q.URL), p.err)
	case errors.Is(context.Cause(p.ctx), ErrStalled):
		return q.Fail(fmt.Errorf("%w for %v", ErrStalled, stallTimeout))
	case errors.Is(err, net.ErrClosed): // the transport closes what it can no longer read from
		return q.Fail(errCut)
	}
	return err
}

// body returns a reader of the piece from its start.
func (p *piece) body() io.ReadCloser {
	p.bodies.Wait() // the one before a redirect
	p.bodies.Add(1)
	_, err := p.file.Seek(p.start, io.SeekStart)
	p.fail(err)
	return &body{piece: p, left: p.length}
}

func (p *piece) fail(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err == nil {
		p.err = err
	}
}

// body is read and closed by the transport.
type body struct {
	piece *piece
	left  int64
	once  sync.Once
}

// Read takes from the file what the pace allows. Each call is progress: the
// bytes of the one before have gone to the kernel. Waiting for the pace is no
// stall.
func (b *body) Read(to []byte) (int, error) {
	p := b.piece
	if b.left == 0 {
		p.stall.Reset(stallTimeout) // for the answer
		return 0, io.EOF
	}
	p.stall.Stop()
	n, err := p.pace.take(p.ctx, int(min(int64(len(to)), b.left, readSize)))
	if err != nil {
		return 0, err
	}
	p.stall.Reset(stallTimeout)
	n, err = p.file.Read(to[:n])
	b.left -= int64(n)
	if errors.Is(err, io.EOF) && b.left > 0 {
		err = io.ErrUnexpectedEOF
	}
	if b.left == 0 {
		err = nil
	}
	p.fail(err)
	return n, err
}

// Close tells that the transport is done with the file.
func (b *body) Close() error {
	b.once.Do(b.piece.bodies.Done)
	return nil
}
