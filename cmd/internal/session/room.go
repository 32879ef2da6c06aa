package session

import "context"

// enter notes where the session publishes. A connection of which the endpoint does
// not say so changes nothing: the conversation goes on.
func (l *loop) enter(room string) {
	if room != "" {
		l.room = room
	}
	if l.cfg.Room != nil {
		l.cfg.Room(room)
	}
}

// Room returns what the endpoint calls the conversation, from its first connection
// to its end, over lost ones too; "" where it does not tell.
func (s *Session) Room() string { return s.shown.Load().room }

// End ends what is live, for a reason that is not the advisor's; it does nothing when
// nothing is. It returns once that is decided.
func (s *Session) End(ctx context.Context, reason Reason) error {
	reply := make(chan Phase, 1)
	select {
	case s.events <- message{event: End{reason}, reply: reply}:
	case <-s.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case <-reply:
		return nil
	case <-s.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
