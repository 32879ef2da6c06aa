package adoption

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"slices"

	"github.com/bril-edge/bril/configs/fleet"
)

// maxSeen is how many refused envelopes are remembered, so that one that comes again
// and again is looked at once.
const maxSeen = 64

// Offer takes an envelope from the line. What becomes of it, Report says: an envelope
// that is nobody's business changes nothing on the disk.
func (a *Adoption) Offer(envelope []byte) {
	a.mu.Lock()
	defer a.mu.Unlock()
	hash := ""
	if len(envelope) <= fleet.MaxEnvelope {
		hash = hashOf(envelope)
	}
	if hash != "" && a.known(hash) {
		return
	}
	c, err := a.verify(envelope, hash)
	switch {
	case errors.Is(err, fleet.ErrNotYet):
		a.early = c
		a.cfg.Log.Info("the fleet offers a configuration that is not valid yet", "bundle", c.bundle.Serial, "from", c.bundle.NotBefore)
		a.note(fleet.Attempt{Serial: c.bundle.Serial, Content: c.bundle.Content(), Phase: fleet.Verified, Waits: err.Error(), At: a.cfg.Now()})
	case err != nil:
		a.turnDown(c, hash, err)
	default:
		a.early, a.candidate = nil, c
		a.note(fleet.Attempt{Serial: c.bundle.Serial, Content: c.bundle.Content(), Phase: fleet.Verified, At: a.cfg.Now()})
		a.poke()
	}
}

// known says that an envelope runs, waits, or was looked at before.
func (a *Adoption) known(hash string) bool {
	for _, k := range []*fleet.Kept{a.state.Good, a.state.Trial, a.state.Staged} {
		if k != nil && k.Envelope == hash {
			return true
		}
	}
	return a.seen[hash] || a.candidate != nil && a.candidate.hash == hash
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
		if b, err = fleet.Open(envelope, []ed25519.PublicKey{key}); err != nil {
			if errors.Is(err, fleet.ErrSignature) {
				continue
			}
			break
		}
		c := &candidate{bundle: b, envelope: slices.Clone(envelope), hash: hash, key: fleet.FormatKey(key)}
		return c, a.check(b)
	}
	return nil, fleet.Refusal{Of: "signature", Err: err}
}

func (a *Adoption) check(b fleet.Bundle) error {
	if err := b.Check(a.cfg.Now(), a.cfg.Member, a.top()); err != nil {
		return err
	}
	if failed := a.state.Quarantined(b.Content()); failed != nil && !b.Retry {
		return fleet.Refusal{Of: "quarantine", Err: fmt.Errorf("bundle %d has what failed as bundle %d: %s: %s", b.Serial, failed.Serial, failed.Element, failed.Error),
			Text: "showroom fleet push --retry has it tried again"}
	}
	return nil
}

// turnDown notes a refusal, in memory alone.
func (a *Adoption) turnDown(c *candidate, hash string, err error) {
	at := fleet.Attempt{Phase: fleet.Refused, During: fleet.Received, Element: fleet.Element(err, "bundle"), Error: err.Error(), Hint: fleet.Hint(err), At: a.cfg.Now()}
	if c != nil {
		at.Serial, at.Content, at.During = c.bundle.Serial, c.bundle.Content(), fleet.Verified
	}
	a.cfg.Log.Warn("a configuration is refused", "bundle", at.Serial, "element", at.Element, "error", err)
	if hash != "" {
		if len(a.seen) >= maxSeen {
			clear(a.seen)
		}
		a.seen[hash] = true
	}
	a.note(at)
}

// note shows an attempt that is not of the state.
func (a *Adoption) note(at fleet.Attempt) {
	a.refused = &at
	a.tell()
}
