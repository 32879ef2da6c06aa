package session

import (
	"slices"
	"testing"
	"time"
)

func TestRoomAndEnd(t *testing.T) {
	var rooms []string
	var ends []Reason
	var cues []Cue
	hear := func(r *rig) {
		rooms, ends, cues = nil, nil, nil // they are called from one goroutine
		r.cfg.Room = func(room string) { rooms = append(rooms, room) }
		r.cfg.Ended = func(why Reason) { ends = append(ends, why) }
		r.cfg.Cue = func(c Cue) { cues = append(cues, c) }
	}
	wantRoom := func(r *rig, want string) {
		r.t.Helper()
		if room := r.Room(); room != want {
			r.t.Errorf("the room is %q instead of %q", room, want)
		}
	}
	t.Run("the endpoint says that it is over", func(t *testing.T) {
		name := "first"
		inBubble(t, true, hear, func(r *rig) {
			wantRoom(r, "")
			r.endpoint.room.Store(&name)
			r.pass(time.Second)
			wantRoom(r, "first")
			r.endpoint.viewers.Store(over)
			r.pass(viewersEvery)
			r.wantState(Ready)
			wantRoom(r, "")
			if !slices.Equal(rooms, []string{"first"}) || !slices.Equal(ends, []Reason{Concluded}) || !slices.Contains(cues, CueEndedItself) {
				t.Errorf("rooms %q, ends %q, cues %q", rooms, ends, cues)
			}
		})
	})
	t.Run("a lost connection keeps the room", func(t *testing.T) {
		name := "first"
		inBubble(t, true, hear, func(r *rig) {
			r.endpoint.room.Store(&name)
			r.pass(10 * time.Second)
			r.endpoint.refuse(errTest)
			p, _ := r.endpoint.last()
			p.lose()
			r.pass(3 * time.Second)
			wantRoom(r, "first")
			r.endpoint.refuse(nil)
			r.pass(3 * time.Second)
			wantRoom(r, "first")
			if err := r.End(r.t.Context(), ByCustomer); err != nil {
				t.Error(err)
			}
			r.pass(time.Second)
			if !slices.Equal(rooms, []string{"first", "first"}) || !slices.Equal(ends, []Reason{ByCustomer}) {
				t.Errorf("rooms %q, ends %q", rooms, ends)
			}
			wantRoom(r, "")
			if err := r.End(r.t.Context(), Concluded); err != nil || len(ends) != 1 {
				t.Errorf("nothing is live: %v, ends %q", err, ends)
			}
		})
	})
}
