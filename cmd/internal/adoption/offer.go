package adoption

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/bril-edge/bril/configs/fleet"
)

// maxSeen is how many refused envelopes are remembered, so that one that comes again
// and again is looked at once.
const maxSeen = 64

// Offer takes an envelope from the line. What becomes of it, Report says: an envelope
// that is nobody's business changes nothing on the disk.
func (a *Adoption) Offer(envelope []byte) {
	a.mu.Lock()
	defer a.unlock()
	hash := hashOf(envelope[:min(len(envelope), fleet.MaxEnvelope+1)]) // what is longer is all the same
	if a.known(hash) {
		return
	}
	c, err := a.verify(envelope, hash)
	if c != nil && a.ended(c) {
		a.see(hash, time.Time{}) // what has become of it is told already
		return
	}
	switch {
	case errors.Is(err, fleet.ErrNotYet):
		a.wait(c, err)
	case err != nil:
		a.turnDown(c, hash, err)
	default:
		a.candidate = c
		if a.early != nil && a.early.bundle.Serial < c.bundle.Serial {
			a.early = nil
		}
		a.note(fleet.Attempt{Serial: c.bundle.Serial, Content: c.bundle.Content(), Phase: fleet.Verified, At: a.cfg.Now()})
		a.poke()
	}
}

// wait keeps what is not valid yet, in memory alone: the service offers it again.
func (a *Adoption) wait(c *candidate, why error) {
	if a.early != nil && a.early.bundle.Serial >= c.bundle.Serial {
		return
	}
	a.early = c
	a.cfg.Log.Info("the fleet offers a configuration that is not valid yet", "bundle", c.bundle.Serial, "from", c.bundle.NotBefore)
	a.note(fleet.Attempt{Serial: c.bundle.Serial, Content: c.bundle.Content(), Phase: fleet.Verified, Waits: why.Error(), At: a.cfg.Now()})
}

// known says that an envelope runs, waits, or was looked at before.
func (a *Adoption) known(hash string) bool {
	for _, k := range []*fleet.Kept{a.state.Good, a.state.Trial, a.state.Staged} {
		if k != nil && k.Envelope == hash {
			return true
		}
	}
	for _, c := range []*candidate{a.candidate, a.early} {
		if c != nil && c.hash == hash {
			return true
		}
	}
	until, seen := a.seen[hash]
	return seen && (until.IsZero() || time.Now().Before(until))
}

// ended says that the newest bundle comes again, which was refused or given up: the
// service offers it each time that the board connects.
func (a *Adoption) ended(c *candidate) bool {
	return c.bundle.Serial == a.top() && slices.ContainsFunc(a.state.History, func(at fleet.Attempt) bool {
		return at.Serial == c.bundle.Serial && at.Content == c.bundle.Content()
	})
}

// verify returns a candidate: with an error too, as far as it could be read.
func (a *Adoption) verify(envelope []byte, hash string) (*candidate, error) {
	keys := a.keys()
	if len(keys) == 0 {
		return nil, fleet.Refusal{Of: "signature", Err: errors.New("this board was enrolled without keys of a fleet"), Text: "start the endpoint with --configuration-key, and enrol the board again"}
	}
	var err error
	for _, key := range keys {
		var b fleet.Bundle
		if b, err = fleet.Open(envelope, []ed25519.PublicKey{key}); err == nil {
			c := &candidate{bundle: b, envelope: slices.Clone(envelope), hash: hash, key: fleet.FormatKey(key)}
			return c, a.check(c)
		}
		if !errors.Is(err, fleet.ErrSignature) {
			break
		}
	}
	return nil, fleet.Refusal{Of: unopened(err), Err: err}
}

// unopened is what of an envelope an error of Open is about.
func unopened(err error) string {
	switch {
	case errors.Is(err, fleet.ErrSignature):
		return "signature"
	case errors.Is(err, fleet.ErrPayload):
		return "bundle"
	}
	return "envelope"
}

func (a *Adoption) check(c *candidate) error {
	b := c.bundle
	if err := b.Check(a.cfg.Now(), a.cfg.Member, a.below(c)); err != nil {
		return err
	}
	if failed := a.state.Quarantined(b.Content()); failed != nil && !b.Retry {
		return fleet.Refusal{Of: "quarantine", Err: fmt.Errorf("bundle %d has what failed as bundle %d: %s", b.Serial, failed.Serial, failed.Cause()),
			Text: "showroom fleet push --retry has it tried again"}
	}
	return nil
}

// below is the serial that a candidate's is to be above. Where a state was lost, the
// bundle that the floor is of may come again: the board had it.
func (a *Adoption) below(c *candidate) uint64 {
	least := topOf(a.state).Serial
	lost := least < a.floor.Serial && c.bundle.Serial == a.floor.Serial && c.bundle.Content() == a.floor.Content
	if !lost {
		least = max(least, a.floor.Serial)
	}
	if a.candidate != nil && a.candidate != c {
		least = max(least, a.candidate.bundle.Serial)
	}
	return least
}

// turnDown notes a refusal, in memory alone.
func (a *Adoption) turnDown(c *candidate, hash string, err error) {
	at := fleet.Attempt{Phase: fleet.Refused, During: fleet.Received, Element: fleet.Element(err, "bundle"), Error: err.Error(), Hint: fleet.Hint(err), At: a.cfg.Now()}
	if c != nil {
		at.Serial, at.Content, at.During = c.bundle.Serial, c.bundle.Content(), fleet.Verified
	}
	until := time.Time{}
	if errors.Is(err, fleet.ErrExpired) { // by a clock that may be wrong
		until = time.Now().Add(againAfter)
	}
	a.see(hash, until)
	if was := a.attempt(); was != nil && was.Serial == at.Serial && was.Content == at.Content && was.Error == at.Error {
		return
	}
	a.cfg.Log.Warn("a configuration is refused", "bundle", at.Serial, "element", at.Element, "error", err)
	a.note(at)
}

// see remembers an envelope that need not be looked at until then.
func (a *Adoption) see(hash string, until time.Time) {
	if len(a.seen) >= maxSeen {
		clear(a.seen)
	}
	a.seen[hash] = until
}

// note shows an attempt that is not of the state.
func (a *Adoption) note(at fleet.Attempt) {
	a.refused = &at
	a.tell()
}
