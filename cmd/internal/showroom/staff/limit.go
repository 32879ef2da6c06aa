package staff

import (
	"net/netip"
	"sync"
	"time"

	"github.com/bril-edge/bril/cmd/internal/showroom/limit"
)

// How many guesses are free, and how often there is one more.
const (
	freeOfAddress = 10
	freeOfName    = 30 // above one address's, so that one address cannot use it up
	freeOfDevice  = 10
	refill        = 30 * time.Second

	maxGuessers = 8192 // of each kind that are remembered
)

// guesses bounds how often passwords are guessed: for each address, and for each
// name from all addresses together. Names that nobody has are bounded as those
// that somebody has, so that nothing tells them apart.
//
// Whoever guesses from many addresses could so keep the name's owner out. So a
// browser that has logged in before is counted by itself and by nothing else (see
// device.go), and every wait ends: a guess that is refused costs nothing.
type guesses struct {
	mu                        sync.Mutex
	addresses, names, devices *limit.Limiter[string]
}

func newGuesses() *guesses {
	return &guesses{
		addresses: limit.New[string](freeOfAddress, refill, maxGuessers),
		names:     limit.New[string](freeOfName, refill, maxGuessers),
		devices:   limit.New[string](freeOfDevice, refill, maxGuessers),
	}
}

// count is where a guess is counted.
type count struct {
	of  *limit.Limiter[string]
	key string
}

func (g *guesses) counts(name string, from netip.Addr, device string) []count {
	if device != "" {
		return []count{{g.devices, device}}
	}
	return []count{{g.addresses, limit.Site(from).String()}, {g.names, name}}
}

// take counts a guess everywhere, or nowhere and returns how long to wait.
func (g *guesses) take(now time.Time, counts []count) (wait time.Duration, ok bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, c := range counts {
		wait = max(wait, c.of.Wait(c.key, now))
	}
	if wait > 0 {
		return wait, false
	}
	for _, c := range counts {
		c.of.Take(c.key, now)
	}
	return 0, true
}

// giveBack undoes take: it was no guess.
func (g *guesses) giveBack(now time.Time, counts []count) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, c := range counts {
		c.of.GiveBack(c.key, now)
	}
}
