// Package relay takes one publisher's WebRTC stream per conversation and forwards
// it to the viewers: H.264 and Opus, not decoded, not queued, not stored. A viewer
// that is slow, gone or hostile changes nothing for the others.
package relay

import (
	"fmt"
	"log/slog"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/ice/v4"
)

// Config says where a relay listens and how much it bears. Zero means the default.
type Config struct {
	Addr           netip.AddrPort // for media, UDP; another port is taken when this one is in use
	Advertise      netip.Addr     // offered to clients beside Addr, for those behind which it is another; default: none
	Log            *slog.Logger   // default: none
	Publishers     int            // live at once; default 64
	Viewers        int            // of one conversation; default 64
	Sessions       int            // of all conversations, publishers and viewers; default 512
	Watchers       int            // of the states of all conversations, and of one as many as viewers; default 512
	ConnectTimeout time.Duration  // from the offer to DTLS; default 10 s
	Silence        time.Duration  // nothing received: a session ends after twice this; default 3 s
	Grace          time.Duration  // viewers stay so long for a publisher to return; default 60 s
}

func (c Config) withDefaults() Config {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	for _, limit := range []struct {
		value    *int
		standard int
	}{{&c.Publishers, 64}, {&c.Viewers, 64}, {&c.Sessions, 512}, {&c.Watchers, 512}} {
		if *limit.value == 0 {
			*limit.value = limit.standard
		}
	}
	for _, span := range []struct {
		value    *time.Duration
		standard time.Duration
	}{{&c.ConnectTimeout, 10 * time.Second}, {&c.Silence, 3 * time.Second}, {&c.Grace, time.Minute}} {
		if *span.value == 0 {
			*span.value = span.standard
		}
	}
	return c
}

// Relay holds all conversations.
type Relay struct {
	cfg     Config
	log     *slog.Logger
	mux     ice.UDPMux
	dropped atomic.Uint64
	running sync.WaitGroup // one for each session

	mu       sync.Mutex
	closed   bool
	reserved int // sessions, also those that are still being made
	watchers int
	sessions map[string]*Session // by ID
	rooms    map[string]*room    // by name; a room is there while someone is in it
}

// Listen opens the media socket. Close frees it.
func Listen(cfg Config) (*Relay, error) {
	r := &Relay{
		cfg: cfg.withDefaults(), sessions: map[string]*Session{}, rooms: map[string]*room{},
	}
	r.log = r.cfg.Log
	mux, err := listenMux(cfg.Addr, &r.dropped)
	if err != nil {
		return nil, err
	}
	r.mux = mux
	return r, nil
}

// Dropped counts packets that the network did not take.
func (r *Relay) Dropped() uint64 { return r.dropped.Load() }

// Close ends all sessions and returns when they have ended. It may be called twice.
func (r *Relay) Close() error {
	r.mu.Lock()
	r.closed = true
	for _, s := range r.sessions {
		s.end(ErrClosed)
	}
	for _, room := range r.rooms {
		room.stopGrace()
	}
	r.mu.Unlock()
	r.running.Wait()
	return r.mux.Close()
}

// Session returns the session of a conversation by its ID.
func (r *Relay) Session(name, id string) (*Session, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if s := r.sessions[id]; s != nil && s.name == name {
		return s, nil
	}
	return nil, ErrUnknown
}

// reserve makes room for one more session; release gives it back.
func (r *Relay) reserve() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.closed:
		return ErrClosed
	case r.reserved >= r.cfg.Sessions:
		return fmt.Errorf("%w: all %d are in use", ErrFull, r.cfg.Sessions)
	}
	r.reserved++
	r.running.Add(1)
	return nil
}

func (r *Relay) release() {
	r.mu.Lock()
	r.reserved--
	r.mu.Unlock()
	r.running.Done()
}

// launch starts the session's goroutine. r.mu is held; the session was reserved.
func (r *Relay) launch(s *Session, ready, gone func()) {
	r.sessions[s.id] = s
	go func() {
		defer r.release()
		s.run(ready, func() {
			r.log.Info("session ended", "session", s.name, "cause", s.cause)
			gone()
		})
	}()
}

// room returns the room of the name, made when there is none. r.mu is held.
func (r *Relay) room(name string) *room {
	if r.rooms[name] == nil {
		r.rooms[name] = newRoom(name)
	}
	return r.rooms[name]
}

// tidy forgets a room that nobody is in, and tells the watchers of one that has
// changed. r.mu is held.
func (r *Relay) tidy(room *room) {
	room.announce()
	if room.empty() && r.rooms[room.name] == room {
		delete(r.rooms, room.name)
	}
}
