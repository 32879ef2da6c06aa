package agent

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/bril-edge/bril/cmd/internal/control"
	"github.com/bril-edge/bril/cmd/internal/session"
	"github.com/bril-edge/bril/configs"
	"github.com/bril-edge/bril/uplink/netwatch"
	"github.com/bril-edge/bril/uplink/origin"
	"github.com/bril-edge/bril/uplink/spool"
	"github.com/bril-edge/bril/uplink/upload"
)

// runSpool looks after the spool and empties it, until ctx ends.
func (a *Agent) runSpool(ctx context.Context) {
	a.background.Go(func() { _ = a.spool.Run(ctx) }) // it ends with ctx, and with nothing else
	a.background.Go(func() {
		if u := a.findUploader(ctx); u != nil {
			a.uploader.Store(u)
			_ = u.Run(ctx) // likewise
		}
	})
}

// An endpoint is asked again where to send things, in twice the time each time. One
// that knows of none must not cost a board that is ready; a photo asks, too.
const (
	askFirst = 500 * time.Millisecond
	askLast  = time.Minute
)

// findUploader returns what sends to the cloud once it is known where that is; nil
// when ctx ends before, or when nobody can say.
func (a *Agent) findUploader(ctx context.Context) *upload.Uploader {
	for wait := askFirst; ; wait = min(2*wait, askLast) {
		_ = a.cloud.ask(ctx) // state says it, too
		_, uploads, _ := a.cloud.state()
		switch {
		case uploads != "":
			u, err := a.newUploader(uploads)
			if err != nil {
				a.opts.Log.Error("photos and clips are not sent", "error", err)
				a.cloud.note(err)
			}
			return u
		case a.cloud.find == nil:
			a.opts.Log.Warn("photos and clips are not sent: upload.url is empty")
			return nil
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-a.found: // a photo or clip had the answer
			timer.Stop()
		case <-ctx.Done():
			timer.Stop()
			return nil
		}
	}
}

func (a *Agent) newUploader(to string) (*upload.Uploader, error) {
	cfg := upload.Config{
		Spool: a.spool, URL: to, TrustedOrigins: a.cfg.Uplink.TrustedOrigins,
		Limit: a.uploadLimit, Audit: a.auditHead, UserAgent: "bril/" + a.opts.Version,
		Date: a.clock.Heard, Time: a.clock.TLSTime, Confirmed: a.clock.Confirmed, Identity: a.identity.Origin(), Log: a.opts.Log,
	}
	var err error
	if cfg.Token, err = token(a.cfg.Uplink); err != nil {
		return nil, err
	}
	u, err := upload.New(cfg)
	if err != nil {
		return nil, fmt.Errorf("upload to %s: %w", to, err)
	}
	return u, nil
}

// auditHead goes with each upload, so that the log cannot be cut unnoticed.
func (a *Agent) auditHead() string {
	head, err := a.spool.AuditHead()
	if err != nil {
		a.opts.Log.Warn("an upload goes without the head of the audit log", "error", err)
	}
	return head
}

// uploadLimit keeps uploads below the stream, in bytes a second; 0 is no limit.
func (a *Agent) uploadLimit() int64 {
	phase, rate := a.Session.Rate() // asked for every few kilobytes
	return limitBeside(phase, int64(rate), a.cfg)
}

// limitBeside takes the stream's rate, which is 0 while there is no connection: it
// counts then as what a new one begins with.
func limitBeside(phase session.Phase, rate int64, cfg configs.Config) int64 {
	switch phase {
	case session.Connecting, session.Live, session.Paused:
	default:
		return 0
	}
	if rate == 0 {
		rate = int64(cfg.Video.MaxBitRate)
	}
	return max(rate*int64(cfg.Upload.LiveShare)/100/8, 1)
}

// watchNetwork is netwatch.Run, which tells the uploader and who listens for calls as
// well: after hours without Wi-Fi their next try would be minutes away.
func (a *Agent) watchNetwork(ctx context.Context, changed func()) error {
	return netwatch.Run(ctx, func() {
		if u := a.uploader.Load(); u != nil {
			u.Wake()
		}
		if c := a.events.Load(); c != nil {
			c.Wake()
		}
		changed()
	})
}

// stored tells the uploader of a new item.
func (a *Agent) stored() {
	if u := a.uploader.Load(); u != nil {
		u.Wake()
		return
	}
	select {
	case a.found <- struct{}{}:
	default: // it knows
	}
}

// Spool returns what waits to be sent.
func (a *Agent) Spool() control.Spool {
	var s control.Spool
	for _, e := range a.spool.List() {
		if e.DeleteAfter.IsZero() && e.State != spool.Broken { // at the earliest: the clock is not confirmed
			e.DeleteAfter = e.Since.Add(time.Duration(a.cfg.Spool.Retention))
		}
		s.Items = append(s.Items, control.SpoolItem{
			ID: e.ID, Kind: string(e.Kind), State: string(e.State), Bytes: e.Bytes, Sent: e.Sent,
			DeleteAfter: e.DeleteAfter, Problem: e.Problem,
		})
	}
	return s
}

// SpoolAct does what `bril spool` asks for.
func (a *Agent) SpoolAct(_ context.Context, action control.SpoolAction, id string) error {
	if action == control.Drop {
		return a.spool.Drop(id)
	}
	if err := a.spool.Retry(id); err != nil {
		return err
	}
	a.stored()
	return nil
}

// showSpool puts into s how full the spool is and how its emptying goes.
func (a *Agent) showSpool(s *control.Status) {
	of := a.spool.Status()
	trust, uploads, unknown := a.cloud.state()
	s.Spool = control.SpoolStatus{Items: of.Items, Bytes: of.Bytes, QuotaBytes: of.Quota, Recipient: trust, Oldest: of.Oldest}
	s.Warnings = append(s.Warnings, of.Warnings...)
	if of.Fault != nil {
		s.Errors = append(s.Errors, control.Fault{
			Component: "spool", Message: of.Fault.Error(), Hint: hint(of.Fault), Since: of.FaultSince, Count: 1,
		})
	}
	if of.Full != nil {
		s.Errors = append(s.Errors, control.Fault{
			Component: "spool", Message: of.Full.Error(), Hint: hint(of.Full), Since: of.FullSince, Count: 1,
		})
	}
	s.Errors = append(s.Errors, refused(a.spool.List())...)
	s.Upload = control.Upload{State: "off", URL: uploads}
	if unknown != nil {
		s.Upload.Problem = unknown.Error()
	}
	if u := a.uploader.Load(); u != nil {
		showUpload(s, u.Status())
	}
}

// refused tells of items that the endpoint will never take: without a word they
// would be gone once their retention ends.
func refused(list []spool.Entry) []control.Fault {
	var first spool.Entry
	n := 0
	for _, e := range list {
		if e.State != spool.Refused {
			continue
		}
		if n++; n == 1 {
			first = e
		}
	}
	if n == 0 {
		return nil
	}
	return []control.Fault{{
		Component: "upload", Message: fmt.Sprintf("the endpoint refuses %d of what was taken: %s", n, cmp.Or(first.Problem, "see its log")),
		Hint:  "is it encrypted for that endpoint? check spool.recipient, or of an endpoint on this machine STATE/endpoint.json; then `bril spool retry`",
		Since: first.Since, Count: n,
	}}
}

func showUpload(s *control.Status, u upload.Status) {
	s.Upload.State, s.Upload.Item, s.Upload.Sent, s.Upload.Bytes = string(u.State), u.Item, u.Sent, u.Bytes
	s.Upload.Problem, s.Upload.RetryAt = "", u.Retry
	if u.Err == nil {
		return
	}
	s.Upload.Problem = u.Err.Error()
	s.Errors = append(s.Errors, control.Fault{
		Component: "upload", Message: u.Err.Error(), Hint: cmp.Or(origin.Hint(u.Err), hint(u.Err), uploadHint), Since: u.Since, Count: 1,
	})
}

// uploadHint is for what is the endpoint's own trouble.
const uploadHint = "nothing is lost: it is tried again; `bril spool retry` tries at once"
