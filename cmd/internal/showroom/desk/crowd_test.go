package desk

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bril-edge/bril/cmd/internal/showroom/hours"
)

// A crowd does everything at once, in any order. Whatever comes of it, no glasses
// ring or talk twice at once, and once everybody has gone all is over.
func TestACrowd(t *testing.T) {
	for seed := range uint64(3) {
		inBubble(t, func(t *testing.T, b *bench) {
			var names []string
			for i := range 8 {
				names = append(names, fmt.Sprint("pair", i))
			}
			b.halt()
			var err error
			b.plan, err = hours.Parse([]byte(`showrooms: [{id: a, time_zone: UTC, hours: {saturday: "00:00-24:00"}}]`), "f")
			check(t, err)
			b.start()
			var wg sync.WaitGroup
			for i, name := range names {
				wg.Go(func() { b.actAsGlasses(name, rand.New(rand.NewPCG(seed, uint64(i)))) })
			}
			for i := range 16 {
				wg.Go(func() { b.actAsCustomer(i, rand.New(rand.NewPCG(seed, uint64(100+i)))) })
			}
			wg.Wait()
			time.Sleep(10 * time.Minute)
			synctest.Wait()
			if list := b.Live(); len(list) != 0 {
				t.Errorf("still there: %+v", list)
			}
			if !b.sawLive.Load() {
				t.Error("no conversation was live")
			}
			open, err := b.db.OpenConversations(t.Context())
			check(t, err)
			if len(open) != 0 {
				t.Errorf("stored as open: %+v", open)
			}
		})
	}
}

// actAsGlasses connects and drops, answers, publishes and ends, for a while.
func (b *bench) actAsGlasses(name string, r *rand.Rand) {
	last := ""
	for range 30 {
		stream, err := b.Desk.Glasses(name, owner, last)
		if err != nil {
			b.t.Error(err)
			return
		}
		for range r.IntN(4) {
			last = nextID(b.t.Context(), stream, last)
			room := ""
			for _, c := range b.once() {
				if c.Glasses == name {
					room = c.ID
				}
			}
			switch r.IntN(6) {
			case 0:
				_ = b.Answer(b.t.Context(), name, owner, room, false)
			case 1:
				_ = b.EndByGlasses(b.t.Context(), name, owner, room)
			default:
				b.Published(b.RoomOf(name, owner), r.IntN(4) > 0)
			}
			time.Sleep(time.Duration(r.IntN(5000)) * time.Millisecond)
			if r.IntN(3) == 0 {
				break
			}
		}
		stream.Close()
		b.Published(name, false)
		time.Sleep(time.Duration(r.IntN(15000)) * time.Millisecond)
	}
}

// nextID returns the ID of the next message, or the last one when none comes.
func nextID(ctx context.Context, stream *Stream, last string) string {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	if m, err := stream.Next(ctx); err == nil {
		return m.ID
	}
	return last
}

// once returns the open conversations, and checks that glasses are in one only.
func (b *bench) once() []Conversation {
	list := b.Live()
	var busy []string
	for _, c := range list {
		if c.Phase == Ringing || c.Phase == Connecting || c.Phase == Live {
			if c.Phase == Live {
				b.sawLive.Store(true)
			}
			if slices.Contains(busy, c.Glasses) {
				b.t.Errorf("%s are in two conversations", c.Glasses)
			}
			busy = append(busy, c.Glasses)
		}
	}
	return list
}

// actAsCustomer calls, leaves, comes back and ends, for a while.
func (b *bench) actAsCustomer(i int, r *rand.Rand) {
	for range 20 {
		time.Sleep(time.Duration(r.IntN(8000)) * time.Millisecond)
		c, err := b.TalkNow(b.t.Context(), "a", "de", netip.AddrFrom4([4]byte{10, 0, 0, byte(i)}))
		if err != nil {
			continue
		}
		for range r.IntN(4) {
			_, leave, err := b.Watch(b.t.Context(), c.ID)
			if err != nil {
				b.t.Error(err)
				return
			}
			_ = b.Report(c.ID, Good, r.IntN(2) == 0)
			time.Sleep(time.Duration(r.IntN(40000)) * time.Millisecond)
			leave()
		}
		if r.IntN(2) == 0 {
			_ = b.End(b.t.Context(), c.ID)
		}
	}
}
