package cue

import "github.com/bril-edge/bril/cmd/internal/session"

// Hush ends a cue that is played or waits, as the ring of a call that was answered.
// It returns at once.
func (p *Player) Hush(c session.Cue) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.queue.drop(c) {
		p.cut = true
		p.voice.cut()
	}
}
