package upload

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/bril-edge/bril/uplink/spool"
)

const (
	// pieceSize is what one PATCH sends at most: a cut behind a proxy that buffers
	// bodies costs that much, what is confirmed is shown as often, and it is the
	// most that nginx lets pass unless told otherwise.
	pieceSize = 1 << 20
	// minPiece bounds what one sends under a limit, which otherwise is a second's:
	// something that is to be shown waits for the end of a piece.
	minPiece = 64 << 10

	// An endpoint checks what it got, mostly at once. It is asked for the receipt so
	// often, in twice the time each time, before other items are sent.
	receiptFirst = 50 * time.Millisecond
	receiptLast  = 2 * time.Second

	maxCorrections = 3 // of the offset in one try
)

// sending is one try to send an item:
//
//	receipt? ──stored──> acknowledged
//	   │ unknown, receiving
//	   v
//	 HEAD ──gone──> POST        wrong offset: HEAD again
//	   │             │          nonsense:     DELETE, POST
//	   v             v
//	 PATCH … PATCH ──> receipt? ──> acknowledged, pending or refused
type sending struct {
	spool.Entry
	client   client
	pace     *pace
	spool    Spool
	progress func(id string, sent int64) (more bool)
	log      *slog.Logger

	advanced bool // the endpoint has more than before
	anew     bool // what the endpoint has is to be thrown away
}

func (s *sending) run(ctx context.Context) error {
	if done, err := s.settled(ctx, false); done || err != nil {
		return err
	}
	for corrections := 0; ; corrections++ {
		err := s.send(ctx)
		if err == nil {
			break
		}
		s.anew = errors.Is(err, ErrNonsense)
		if corrections == maxCorrections || !s.anew && !is(err, errOffset, errGone) {
			return err
		}
		if s.anew {
			s.log.Warn("an upload begins anew", "item", s.ID, "error", err)
			s.client.terminate(ctx, s.Entry)
		}
	}
	return s.await(ctx)
}

// await asks for the receipt of what was sent.
func (s *sending) await(ctx context.Context) error {
	for wait := receiptFirst; ; wait *= 2 {
		_, err := s.settled(ctx, true)
		if !errors.Is(err, errPending) || wait > receiptLast {
			return err
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		}
	}
}

// settled asks for the receipt and acts on it. What was sent to its end and has
// no receipt yet is pending.
func (s *sending) settled(ctx context.Context, sent bool) (bool, error) {
	r, err := s.client.receipt(ctx, s.Entry)
	switch {
	case err != nil:
		return false, err
	case r.State == stateStored:
		return true, s.acknowledge(r)
	case r.State == stateProcessing, sent && r.State == stateReceiving:
		return false, errPending
	case sent:
		return false, fmt.Errorf("item %s was sent, and the endpoint has no receipt for it: %w", s.ID, errGone)
	}
	return false, nil
}

func (s *sending) acknowledge(r receipt) error {
	if !strings.EqualFold(r.SHA256, s.SHA256) {
		return fmt.Errorf("receipt for item %s: %w", s.ID, ErrChecksum)
	}
	if err := s.spool.Acknowledge(s.ID, s.SHA256); err != nil {
		return fmt.Errorf("delete item %s, which the endpoint has: %w", s.ID, err)
	}
	return nil
}

// send brings the endpoint to the end of the item, from wherever it is.
func (s *sending) send(ctx context.Context) error {
	offset, err := s.start(ctx)
	if err != nil {
		return err
	}
	s.advanced = s.progress(s.ID, offset) || s.advanced
	for offset < s.Bytes {
		if offset, err = s.piece(ctx, offset); err != nil {
			return err
		}
		s.advanced = s.progress(s.ID, offset) || s.advanced
		if offset < s.Bytes && !s.spool.Turn(s.ID) {
			return errYields
		}
	}
	return nil
}

// piece sends what follows an offset. It opens the item each time: one that was
// dropped meanwhile is sent no further.
func (s *sending) piece(ctx context.Context, offset int64) (int64, error) {
	file, err := s.spool.Open(s.ID)
	if err != nil {
		return 0, fmt.Errorf("send item %s: %w", s.ID, err)
	}
	defer file.Close()
	p := &piece{file: file, start: offset, length: min(s.pieceLength(), s.Bytes-offset), pace: s.pace}
	return s.client.patch(ctx, s.Entry, offset, p)
}

func (s *sending) pieceLength() int64 {
	if limit := s.pace.limit(); limit > 0 {
		return min(max(limit, minPiece), pieceSize)
	}
	return pieceSize
}

// start returns the offset to go on from. An upload that the endpoint does not
// know is created.
func (s *sending) start(ctx context.Context) (int64, error) {
	if !s.anew {
		offset, err := s.client.head(ctx, s.Entry)
		if !errors.Is(err, errGone) {
			return offset, err
		}
	}
	return 0, s.client.create(ctx, s.Entry)
}
