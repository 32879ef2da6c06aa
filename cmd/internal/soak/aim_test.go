package soak

import (
	"math/rand/v2"
	"time"
)

// aim is a moment to kill at: a while after something has happened on a disk, or
// after the beginning of the round.
type aim struct {
	name  string
	at    event // the zero event is none
	skip  int   // so many of them may pass, chosen at random
	after time.Duration
}

// The places that are watched.
const (
	inState     = "state"
	inSpool     = "spool"
	inPhoto     = "spool/.new"
	inClip      = "spool/.writing"
	inUploads   = "uploads"
	inIncoming  = "incoming"
	inReceipts  = "receipts"
	inSessions  = "sessions"
	inOneOfThem = "sessions/"
)

const clipWritten = "clip written"

// anyMoment is within the longest round.
const anyMoment = 1200 * time.Millisecond

// aims are what may be interrupted, on the device and at the endpoint.
var aims = []aim{
	{name: "any moment", after: anyMoment},
	{name: "any moment", after: anyMoment},
	{name: "photo's folder made", at: event{inSpool, "create", ".new"}, skip: 3},
	{name: "photo written", at: event{inPhoto, "write", "media.age"}, skip: 3},
	{name: "photo's item.json begun", at: event{inPhoto, "create", "item.json.part"}, skip: 3},
	{name: "photo's item.json there", at: event{inPhoto, "rename", "item.json"}, skip: 3},
	{name: "clip's folder made", at: event{inSpool, "create", ".writing"}, skip: 1},
	{name: clipWritten, at: event{inClip, "write", "media.age"}, skip: 8},
	{name: clipWritten, at: event{inClip, "write", "media.age"}, skip: 8},
	{name: clipWritten, at: event{inClip, "write", "media.age"}, skip: 8},
	{name: "clip's item.json begun", at: event{inClip, "create", "item.json.part"}},
	{name: "clip's item.json there", at: event{inClip, "rename", "item.json"}},
	{name: "item renamed", at: event{inSpool, "rename", ".ready"}, skip: 4},
	{name: "item interrupted", at: event{inSpool, "rename", ".interrupted"}},
	{name: "item acknowledged", at: event{inSpool, "rename", ".gone"}, skip: 4},
	{name: "item deleted", at: event{inSpool, "delete", ".gone"}, skip: 4},
	{name: "audit log written", at: event{inState, "write", "audit.log"}, skip: 6},
	{name: "upload begun", at: event{inUploads, "create", ".info"}, skip: 3},
	{name: "upload written", at: event{inUploads, "write", ""}, skip: 30},
	{name: "upload written", at: event{inUploads, "write", ""}, skip: 30},
	{name: "item being made", at: event{inIncoming, "create", ".plain"}, skip: 3},
	{name: "item stored", at: event{inOneOfThem, "rename", ""}, skip: 6},
	{name: "receipt kept", at: event{inReceipts, "rename", ".json"}, skip: 3},
	{name: "upload removed", at: event{inUploads, "delete", ""}, skip: 6},
}

// plan is one round.
type plan struct {
	aim
	live          bool // photos and clips are taken; else items are only sent
	early         bool // killed while it starts
	both          bool // the endpoint, too
	endpointAlone time.Duration
	away          bool // the endpoint is started only after the agent's next life has begun
}

const (
	startTime = 150 * time.Millisecond // of the agent, about
	maxDelay  = 3 * time.Millisecond   // after an event
)

func newPlan(r *rand.Rand) plan {
	p := plan{aim: aims[r.IntN(len(aims))], live: r.IntN(6) > 0, both: r.IntN(6) == 0}
	p.early = r.IntN(12) == 0
	p.away = p.both && r.IntN(2) == 0
	if r.IntN(10) == 0 {
		p.endpointAlone = time.Duration(r.Int64N(int64(anyMoment)))
	}
	p.skip = r.IntN(p.skip + 1)
	switch {
	case p.early:
		p.aim = aim{name: "start", after: time.Duration(r.Int64N(int64(startTime)))}
	case p.at == event{}:
		p.after = time.Duration(r.Int64N(int64(p.after)))
	case r.IntN(2) == 0:
		p.after = time.Duration(r.Int64N(int64(maxDelay)))
	}
	return p
}

// hold says that a clip is not ended, so that there is something to be cut.
func (p plan) hold() bool { return p.name == clipWritten }

// await returns at the moment, or when it has not come in time.
func (p plan) await(w *watcher, ended <-chan struct{}) (hit bool) {
	late := time.NewTimer(2 * anyMoment)
	defer late.Stop()
	for skip := p.skip; p.at != (event{}); {
		select {
		case e := <-w.events:
			if !e.is(p.at) {
				continue
			}
			if skip--; skip < 0 {
				<-time.After(p.after)
				return true
			}
		case <-late.C:
			return false
		case <-ended:
			return false
		}
	}
	<-time.After(p.after) // the moment itself
	return true
}
