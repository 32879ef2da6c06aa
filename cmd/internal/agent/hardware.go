package agent

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/bril-edge/bril/capture"
	"github.com/bril-edge/bril/cmd/internal/session"
	"github.com/bril-edge/bril/encoder"
	"github.com/bril-edge/bril/encoder/m2m"
	"github.com/bril-edge/bril/hardware/monotonic"
)

// chipEncoder is what is used of *m2m.Encoder.
type chipEncoder interface {
	Encode(f capture.Frame) error
	ForceKeyFrame()
	SetBitRate(rate encoder.BitRate) error
	Name() string
	ProfileLevelID() string
	Skipped() uint64
	Copied() uint64
	Close() error
}

// chipFirst encodes by the board's chip. One that fails is opened again at once;
// one that goes on failing is replaced by software, and tried again later:
//
//	chip --fails--> chip anew --third time in a minute--> software
//	 ^                                                       |
//	 +----------------------- after a while -----------------+
type chipFirst struct {
	open   func(rate encoder.BitRate) (chipEncoder, error)
	soft   func(rate encoder.BitRate) (session.VideoEncoder, error)
	strict bool // no software: what fails is the session's to try again
	log    *slog.Logger

	chip     chipEncoder          // nil while in software
	software session.VideoEncoder // nil while there is a chip
	rate     encoder.BitRate
	profile  string
	failures []time.Duration // of the last minute
	retry    time.Duration   // when the chip is tried again
	wait     time.Duration   // between tries
	opened   time.Duration   // when the chip was opened first, or after software
	warning  string
	skipped  uint64 // by those that are closed
	copied   uint64
}

const (
	failureTime = time.Minute
	maxFailures = 3 // within that time

	firstWait = time.Minute
	maxWait   = 16 * time.Minute
)

// start opens the chip, or what replaces it.
func (h *chipFirst) start() error {
	if err := h.openChip(); err != nil {
		return h.fallBack(err)
	}
	h.opened = monotonic.Now()
	return nil
}

func (h *chipFirst) openChip() (err error) {
	chip, err := h.open(h.rate)
	if err != nil {
		return err
	}
	h.chip, h.warning = chip, ""
	return nil
}

// Encode implements session.VideoEncoder.
func (h *chipFirst) Encode(f capture.Frame) error {
	if h.chip == nil && (h.software == nil || monotonic.Now() >= h.retry) {
		if err := h.tryAgain(); err != nil {
			f.Release()
			return err
		}
	}
	if h.chip == nil {
		return h.software.Encode(f)
	}
	if err := h.chip.Encode(f); err != nil {
		return h.failed(err)
	}
	return nil
}

// failed opens the chip again, or gives it up for a while.
func (h *chipFirst) failed(cause error) error {
	now := monotonic.Now()
	h.closeChip()
	if now-h.opened > maxWait { // it was well for long
		h.wait = 0
	}
	h.failures = append(h.failures, now)
	for h.failures[0] < now-failureTime {
		h.failures = h.failures[1:]
	}
	often := len(h.failures) >= maxFailures
	if !often && !errors.Is(cause, m2m.ErrUnsupported) {
		err := h.openChip()
		if err == nil {
			h.log.Warn("encoder failed, and was opened again", "error", cause)
			return nil
		}
		cause = errors.Join(cause, err)
	}
	if often {
		cause = fmt.Errorf("%d failures in a minute, the last one: %w", len(h.failures), cause)
	}
	return h.fallBack(cause)
}

// fallBack goes over to software.
func (h *chipFirst) fallBack(cause error) error {
	if h.strict {
		return cause
	}
	if h.software == nil {
		var err error
		if h.software, err = h.soft(h.rate); err != nil {
			return errors.Join(cause, err)
		}
	}
	h.wait = min(max(2*h.wait, firstWait), maxWait)
	h.retry = monotonic.Now() + h.wait
	h.failures = h.failures[:0]
	h.warning = fmt.Sprintf("pictures are encoded in software, as the hardware fails: %v; it is tried again at %s",
		cause, monotonic.Wall(h.retry).Format(time.TimeOnly))
	h.log.Warn("encoder failed, pictures are encoded in software", "error", cause, "retry", h.wait)
	return nil
}

// tryAgain goes back to the chip if it opens. Unless it fails there is a chip or
// software afterwards.
func (h *chipFirst) tryAgain() error {
	if err := h.openChip(); err != nil {
		return h.fallBack(err)
	}
	h.log.Info("pictures are encoded by hardware again")
	h.opened = monotonic.Now()
	h.closeSoftware()
	return nil
}

func (h *chipFirst) closeChip() {
	if h.chip == nil {
		return
	}
	if err := h.chip.Close(); err != nil {
		h.log.Debug("close the encoder", "error", err)
	}
	h.skipped += h.chip.Skipped()
	h.copied += h.chip.Copied()
	h.chip = nil
}

func (h *chipFirst) closeSoftware() {
	if h.software == nil {
		return
	}
	state := h.software.State()
	_ = h.software.Close() // frees memory, which cannot fail
	h.skipped += state.Skipped
	h.copied += state.Copied
	h.software = nil
}

// State implements session.VideoEncoder.
func (h *chipFirst) State() session.EncoderState {
	s := session.EncoderState{Name: "none"}
	switch {
	case h.chip != nil:
		s = session.EncoderState{Name: h.chip.Name(), Skipped: h.chip.Skipped(), Copied: h.chip.Copied()}
	case h.software != nil:
		s = h.software.State()
	}
	s.Warning = h.warning
	s.Skipped += h.skipped
	s.Copied += h.copied
	return s
}

// ProfileLevelID implements session.VideoEncoder. Once it is known it stays, as
// the endpoint has been told; software makes no more than any offer.
func (h *chipFirst) ProfileLevelID() string {
	switch {
	case h.profile != "":
	case h.chip != nil:
		h.profile = h.chip.ProfileLevelID()
	case h.software != nil:
		h.profile = h.software.ProfileLevelID()
	}
	return h.profile
}

// ForceKeyFrame implements session.VideoEncoder.
func (h *chipFirst) ForceKeyFrame() {
	switch {
	case h.chip != nil:
		h.chip.ForceKeyFrame()
	case h.software != nil:
		h.software.ForceKeyFrame()
	}
}

// SetBitRate implements session.VideoEncoder.
func (h *chipFirst) SetBitRate(rate encoder.BitRate) error {
	h.rate = rate
	if h.chip != nil {
		return h.chip.SetBitRate(rate)
	}
	if h.software != nil {
		return h.software.SetBitRate(rate)
	}
	return nil
}

// Close implements session.VideoEncoder.
func (h *chipFirst) Close() error {
	h.closeChip()
	h.closeSoftware()
	return nil
}
