package session

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
