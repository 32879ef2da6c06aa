package relay

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/pion/webrtc/v4"
)

// Why sessions end; they are logged and decide what viewers are told.
var (
	errDeleted    = errors.New("deleted by its client")
	errReplaced   = errors.New("replaced by a new session")
	errNoConnect  = errors.New("no connection within the time allowed")
	errLost       = errors.New("the connection was lost")
	errAbandoned  = errors.New("its publisher did not return")
	errOver       = errors.New("the conversation is over")
	errOld        = errors.New("its time is over")
	errRefused    = errors.New("refused")
	errUnsuitable = errors.New("the new publisher's H.264 profile is not what was agreed on")
)

// Session is one WHIP or WHEP session: a PeerConnection and the HTTP resource
// that stands for it.
type Session struct {
	id, name, owner string
	publishes       bool
	relay           *Relay
	pc              *webrtc.PeerConnection
	answer          string
	up              chan struct{} // closed when it is connected for the first time
	done            chan struct{} // closed by end
	freed           chan struct{} // closed when nobody finds it any more
	ctx             context.Context
	cancel          context.CancelFunc // of ctx, with done

	signalling sync.Mutex // one PATCH at a time
	offer      *offer
	etag       string

	mu      sync.Mutex
	ended   bool
	cause   error
	isUp    bool
	readers sync.WaitGroup
}

// ID is unguessable: who knows it may change and delete the session.
func (s *Session) ID() string { return s.id }

// Name is that of the conversation.
func (s *Session) Name() string { return s.name }

// Owner is whose credential made it.
func (s *Session) Owner() string { return s.owner }

// Publishes says that it is a publisher's session, not a viewer's.
func (s *Session) Publishes() bool { return s.publishes }

// Answer is the SDP answer, with all candidates.
func (s *Session) Answer() string { return s.answer }

// ETag returns the entity tag of the current ICE session, quoted.
func (s *Session) ETag() string {
	s.signalling.Lock()
	defer s.signalling.Unlock()
	return s.etag
}

// Delete ends the session as its client asked, and returns once its place is free.
// It may be called twice.
func (s *Session) Delete() {
	s.end(errDeleted)
	<-s.freed
}

// EndAfter ends the session when it is that old, if it still runs.
func (s *Session) EndAfter(age time.Duration) {
	s.start(func() {
		timer := time.NewTimer(age)
		defer timer.Stop()
		select {
		case <-timer.C:
			s.end(errOld)
		case <-s.done:
		}
	})
}

func newSession(r *Relay, name, owner string, o *offer) *Session {
	s := &Session{
		id: newID(), name: name, owner: owner, relay: r, offer: o,
		up: make(chan struct{}), done: make(chan struct{}), freed: make(chan struct{}),
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s
}

// negotiate makes the answer. It takes milliseconds: an ICE lite agent has
// nothing to gather.
func (s *Session) negotiate(ctx context.Context, offerSDP string) error {
	description := webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: offerSDP}
	if err := s.pc.SetRemoteDescription(description); err != nil {
		return fmt.Errorf("%w: %w", ErrSyntax, err)
	}
	if err := s.answerLocally(ctx); err != nil {
		return err
	}
	s.answer = s.pc.LocalDescription().SDP
	return nil
}

func (s *Session) answerLocally(ctx context.Context) error {
	answer, err := s.pc.CreateAnswer(nil)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrNotAcceptable, err)
	}
	gathered := webrtc.GatheringCompletePromise(s.pc)
	if err := s.pc.SetLocalDescription(answer); err != nil {
		return fmt.Errorf("answer the offer: %w", err)
	}
	select {
	case <-gathered:
	case <-ctx.Done():
		return fmt.Errorf("gather ICE candidates: %w", ctx.Err())
	}
	s.etag = etagOf(s.pc.LocalDescription().SDP)
	return nil
}

// follow watches the PeerConnection. The callback only notes: pion calls it from
// its own goroutine.
func (s *Session) follow() {
	s.pc.OnConnectionStateChange(func(state webrtc.PeerConnectionState) {
		switch state {
		case webrtc.PeerConnectionStateConnected:
			s.connected()
		case webrtc.PeerConnectionStateFailed, webrtc.PeerConnectionStateClosed:
			s.end(errLost)
		}
	})
}

func (s *Session) connected() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.isUp && !s.ended {
		s.isUp = true
		close(s.up)
	}
}

// start runs f in a goroutine that the end of the session waits for. It does
// nothing once the session has ended.
func (s *Session) start(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.ended {
		s.readers.Go(f)
	}
}

// end begins the end of the session and returns at once. Only the first cause counts.
func (s *Session) end(cause error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.ended {
		s.ended, s.cause = true, cause
		s.cancel()
		close(s.done)
	}
}

// run lives as long as the session: it calls ready once connected, and after the
// end it waits for everything that the session started.
func (s *Session) run(ready, gone func()) {
	timer := time.NewTimer(s.relay.cfg.ConnectTimeout)
	defer timer.Stop()
	select {
	case <-s.up:
		ready()
	case <-timer.C:
		s.end(errNoConnect)
	case <-s.done:
	}
	<-s.done
	gone()
	close(s.freed)
	s.close()
}

func (s *Session) close() {
	if err := s.pc.GracefulClose(); err != nil {
		s.relay.log.Debug("close session", "session", s.name, "error", err)
	}
	s.readers.Wait()
}

// drain reads RTCP until the session ends and hands it to see, which may be nil.
// Without a reader, pion's interceptors would not see it either.
func drain(read func([]byte) (int, error), see func([]byte)) {
	b := make([]byte, packetSize)
	for {
		n, err := read(b)
		if errors.Is(err, io.ErrShortBuffer) {
			continue
		}
		if err != nil {
			return
		}
		if see != nil {
			see(b[:n])
		}
	}
}
