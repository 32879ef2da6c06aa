package fleet

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/bril-edge/bril/cmd/internal/showroom/records"
)

const (
	// auditPage is how many entries are told at once.
	auditPage = 1000
	// verdictTime is for how long the whole audit is not looked through again for who
	// follows its end.
	verdictTime = time.Minute
)

// verdict is whether the audit was what was written, and when that was looked at.
type verdict struct {
	at     time.Time
	intact bool
}

func (s *Service) audit(ctx context.Context, _ string, r *http.Request) (any, error) {
	part := s.behind
	q := r.URL.Query()
	if q.Has("last") {
		part = s.newest
	}
	entries, intact, err := part(ctx, q)
	if err != nil {
		return nil, err
	}
	out := Audit{SchemaVersion: SchemaVersion, Entries: []Entry{}, Intact: intact}
	for _, e := range entries {
		out.Entries = append(out.Entries, Entry(e))
	}
	return out, nil
}

// behind is a page from the beginning, or from behind a number.
func (s *Service) behind(ctx context.Context, q url.Values) (entries []records.FleetEntry, intact bool, err error) {
	after, _ := strconv.ParseUint(q.Get("after"), 10, 64) // from the beginning where it is none
	if entries, err = s.cfg.Records.FleetAudit(ctx, after, auditPage); err != nil {
		return nil, false, err
	}
	if after > 0 { // a page of what was looked through a moment ago
		intact, err = s.lately(ctx)
	} else {
		intact, err = s.intact(ctx)
	}
	return entries, intact, err
}

func (s *Service) newest(ctx context.Context, q url.Values) (entries []records.FleetEntry, intact bool, err error) {
	n, err := strconv.Atoi(q.Get("last"))
	if err != nil || n < 1 || n > auditPage {
		return nil, false, refuse(http.StatusBadRequest, "", "last %.20q is not a number of entries, 1 to %d", q.Get("last"), auditPage)
	}
	if entries, err = s.cfg.Records.LastFleetAudit(ctx, n); err != nil {
		return nil, false, err
	}
	intact, err = s.lately(ctx)
	return entries, intact, err
}

// lately is intact, or what it was a moment ago.
func (s *Service) lately(ctx context.Context) (bool, error) {
	now := s.cfg.Clock()
	s.mu.Lock()
	v := s.verdict
	s.mu.Unlock()
	if age := now.Sub(v.at); age >= 0 && age < verdictTime {
		return v.intact, nil
	}
	return s.intact(ctx)
}

// intact follows the hashes of the audit from its beginning.
func (s *Service) intact(ctx context.Context) (bool, error) {
	intact, err := follows(ctx, s.cfg.Records)
	if err == nil {
		s.mu.Lock()
		s.verdict = verdict{s.cfg.Clock(), intact}
		s.mu.Unlock()
	}
	return intact, err
}

func follows(ctx context.Context, db *records.DB) (bool, error) {
	last, after := "", uint64(0)
	for {
		page, err := db.FleetAudit(ctx, after, auditPage)
		if err != nil {
			return false, err
		}
		if len(page) == 0 {
			return true, nil
		}
		if page[0].Seq != after+1 {
			return false, nil
		}
		if last, err = records.VerifyAudit(last, page); err != nil {
			return false, nil //nolint:nilerr // that is the answer
		}
		after = page[len(page)-1].Seq
	}
}
