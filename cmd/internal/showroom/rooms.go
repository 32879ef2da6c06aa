package showroom

import (
	"context"
	"sync"

	"github.com/bril-edge/bril/cmd/internal/showroom/desk"
	"github.com/bril-edge/bril/cmd/internal/showroom/relay"
)

// rooms tells the desk whether somebody publishes in the rooms of conversations. It
// follows each from its first publication until the desk ends it.
type rooms struct {
	relay *relay.Relay
	tell  func(room string, there bool)

	mu       sync.Mutex
	followed map[string]func() // what stops it, by name
	running  sync.WaitGroup
}

// follow begins to follow the room, unless that is done already.
func (f *rooms) follow(room string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.followed[room] != nil {
		return nil
	}
	states, cancel, err := f.relay.Follow(room)
	if err != nil {
		return err
	}
	if f.followed == nil {
		f.followed = map[string]func(){}
	}
	ctx, stop := context.WithCancel(context.Background())
	f.followed[room] = stop
	f.running.Go(func() {
		defer cancel()
		for {
			select {
			case <-ctx.Done():
				return
			case state := <-states:
				f.tell(room, state.Phase == relay.Live || state.Phase == relay.Paused)
			}
		}
	})
	return nil
}

// end is the desk's: the conversation is over, who is in its room is sent away.
func (f *rooms) end(room string) {
	f.mu.Lock()
	if stop := f.followed[room]; stop != nil {
		stop()
		delete(f.followed, room)
	}
	f.mu.Unlock()
	f.relay.End(room)
}

// close returns when no room is followed any more. It is called once nobody
// follows.
func (f *rooms) close() {
	f.mu.Lock()
	for _, stop := range f.followed {
		stop()
	}
	clear(f.followed)
	f.mu.Unlock()
	f.running.Wait()
}

// roomFor is the room that glasses publish in: that of the conversation which runs
// on them, or rings, or else one of their own name.
func (s *Server) roomFor(glasses, owner string) (string, error) {
	if s.desk == nil {
		return glasses, nil
	}
	if err := glassesName(glasses); err != nil {
		return "", err
	}
	room := s.desk.RoomOf(glasses, owner)
	if !isConversation(room) {
		return room, nil
	}
	return room, s.rooms.follow(room)
}

// stillOpen takes a publication back whose conversation was over before the relay
// had it: nobody else would.
func (s *Server) stillOpen(ctx context.Context, room string) error {
	if s.desk == nil || !isConversation(room) {
		return nil
	}
	c, err := s.desk.Lookup(ctx, room)
	if err == nil && c.Phase != desk.Ended {
		return nil
	}
	s.rooms.end(room)
	return desk.ErrGone
}
