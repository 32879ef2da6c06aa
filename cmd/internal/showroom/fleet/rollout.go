package fleet

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// plan is a rollout as it is kept.
type plan struct {
	State       string    `json:"state"`
	Why         string    `json:"why,omitempty"`
	Waves       []int     `json:"waves"` // cumulative percents, the last one 100
	Wave        int       `json:"wave"`  // under way, from 0
	Since       time.Time `json:"since"` // of the wave
	MaxFailures string    `json:"max_failures"`
	SoakSeconds int       `json:"soak_s"`
	Final       []Wave    `json:"final,omitempty"` // counts when it ended
	// First is the device that goes first, where chance has left the first wave empty.
	First string `json:"first,omitempty"`
}

const (
	defaultMaxFailures = "5%"
	maxWaves           = 20
	maxSoak            = 30 * 24 * 3600 // seconds
)

func defaultWaves() []int { return []int{5, 25, 100} }

// newPlan reads how a push is to be rolled out.
func newPlan(p Push, now time.Time) (plan, error) {
	waves := p.Waves
	if len(waves) == 0 {
		waves = defaultWaves()
	}
	last := 0
	for _, percent := range waves {
		if percent <= last || percent > 100 {
			return plan{}, errors.New("waves are percents that rise to 100, such as 5,25,100")
		}
		last = percent
	}
	if last != 100 || len(waves) > maxWaves {
		return plan{}, errors.New("waves are percents that rise to 100, such as 5,25,100")
	}
	if p.SoakSeconds < 0 || p.SoakSeconds > maxSoak {
		return plan{}, errors.New("soak is from 0 to 30 days")
	}
	most := cmp.Or(p.MaxFailures, defaultMaxFailures)
	if _, err := allowed(most, 100); err != nil {
		return plan{}, err
	}
	return plan{State: StateRunning, Waves: waves, Since: now, MaxFailures: most, SoakSeconds: p.SoakSeconds}, nil
}

// allowed is how many of devices may fail: a number, or a share that is rounded down,
// so that in a small wave one failure is one too many.
func allowed(most string, devices int) (int, error) {
	number, share := strings.CutSuffix(most, "%")
	n, err := strconv.Atoi(number)
	if err != nil || n < 0 || share && n > 100 {
		return 0, fmt.Errorf("max_failures %.20q is not a number of devices, or a share such as 5%%", most)
	}
	if share {
		return devices * n / 100, nil
	}
	return n, nil
}

// waveOf returns in which wave a device is: the same at each look, another one in each
// rollout, so that not the same glasses go first each time.
func (p plan) waveOf(serial uint64, device string) int {
	if device == p.First {
		return 0
	}
	at := lot(serial, device) % 100
	for i, percent := range p.Waves {
		if at < uint64(percent) {
			return i
		}
	}
	return len(p.Waves) - 1
}

func lot(serial uint64, device string) uint64 {
	sum := sha256.Sum256(fmt.Appendf(nil, "%d/%s", serial, device))
	return binary.BigEndian.Uint64(sum[:8])
}

// step returns the plan after a look at how the devices of its waves do.
//
//	running --too many failures--> stopped
//	   | ^
//	   | +-- wave over: the next one
//	   +---- last wave over --> done
//
// A wave is over when all of its devices that are not away have ended, at least one of
// them, and the soak has passed; too many failures have stopped it before. Glasses in drawers keep no wave from ending, and
// a wave of nothing but those waits for the first one that comes.
func (p plan) step(waves []Wave, now time.Time) plan {
	if !p.watched() {
		return p
	}
	devices, failed := 0, 0
	for _, w := range waves[:p.Wave+1] {
		devices, failed = devices+w.Devices, failed+w.Failed
	}
	if most, _ := allowed(p.MaxFailures, devices); failed > most {
		p.State, p.Final = StateStopped, slices.Clone(waves)
		p.Why = fmt.Sprintf("%d of %d devices failed in wave %d, at most %s may", failed, devices, p.Wave+1, p.MaxFailures)
		return p
	}
	for p.State == StateRunning && p.over(waves[p.Wave], now) {
		if p.Wave == len(p.Waves)-1 {
			p.State = StateDone
			break
		}
		p.Wave, p.Since = p.Wave+1, now
	}
	return p
}

// watched says whether failures stop the rollout: also after its last wave, for the
// glasses that were in a drawer then, until another one takes its place.
func (p plan) watched() bool {
	return p.State == StateRunning || p.State == StateDone && p.Final == nil
}

func (p plan) over(w Wave, now time.Time) bool {
	if w.Devices == 0 {
		return true
	}
	return w.Offered == 0 && w.Pending == 0 && w.Confirmed+w.Failed > 0 && now.Sub(p.Since) >= time.Duration(p.SoakSeconds)*time.Second
}
