// Package privacy keeps what the showroom promises of personal data: it is gone
// after its retention, given out and erased when a person asks, and its purpose is
// on record. It knows where such data are: in the records, in the media store and
// in the mail queue, and stores nothing itself.
//
// It tells counts by kind, and never of whom.
package privacy

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"slices"
	"time"

	"github.com/bril-edge/bril/cmd/internal/showroom/mail"
	"github.com/bril-edge/bril/cmd/internal/showroom/media"
	"github.com/bril-edge/bril/cmd/internal/showroom/records"
)

// Media is the store of photos and clips.
type Media interface {
	Items(conversation string) []media.Item
	OpenItem(media.Item) (*os.File, error)
	Erase(conversation string) (int, error)
	Purge(now time.Time) int
}

// Mail is the queue of e-mail.
type Mail interface {
	Export(customer string) ([]mail.Copy, error)
	Erase(customer string) (int, error)
	Purge(before time.Time) (int, error)
}

// Config is what the promises are kept with. Zero means the default.
type Config struct {
	Records   *records.DB      // needed
	Media     Media            // default: there is none
	Mail      Mail             // default: there is none
	Retention time.Duration    // after the last service; default and at most media.MaxRetention
	Clock     func() time.Time // default time.Now
	Log       *slog.Logger     // default: none

	// End ends a conversation that is erased while it goes on; default: none goes on.
	End func(ctx context.Context, conversation string)
}

// Keeper keeps the promises. Its methods may be called from any goroutine.
type Keeper struct {
	cfg Config
}

// New starts nothing.
func New(cfg Config) *Keeper {
	if cfg.Retention <= 0 || cfg.Retention > media.MaxRetention {
		cfg.Retention = media.MaxRetention
	}
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Keeper{cfg}
}

// interval is how often Run looks for what has had its time.
const interval = time.Hour

// Run finishes what an earlier process left half removed, and purges at once and
// each hour, until ctx ends. What fails is logged and tried again.
func (k *Keeper) Run(ctx context.Context) error {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		if _, err := k.Purge(ctx); err != nil && ctx.Err() == nil {
			k.cfg.Log.Error("purge; it is tried again", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

// The kinds that counts have beside the records' tables.
const (
	countItems = "photos_and_clips"
	countMails = "mails"
)

// Purge removes all that has had its time, wherever it is, and says how much of
// which kind. It also finishes what was broken off.
func (k *Keeper) Purge(ctx context.Context) (records.Counts, error) {
	now := k.cfg.Clock()
	before := now.Add(-k.cfg.Retention)
	counts, err := k.resume(ctx)
	others := records.Counts{}
	purged, purgeErr := k.cfg.Records.Purge(ctx, before, k.others(others))
	counts.Add(purged)
	counts.Add(others)
	if k.cfg.Media != nil {
		counts.Add(records.Counts{countItems: k.cfg.Media.Purge(now)})
	}
	var mailErr error
	if k.cfg.Mail != nil {
		n := 0
		n, mailErr = k.cfg.Mail.Purge(before)
		counts.Add(records.Counts{countMails: n})
	}
	k.report("purged", counts)
	return counts, errors.Join(err, purgeErr, mailErr)
}

// resume finishes removals that were broken off.
func (k *Keeper) resume(ctx context.Context) (records.Counts, error) {
	pending, err := k.cfg.Records.Pending(ctx)
	if err != nil || pending.Empty() {
		return records.Counts{}, err
	}
	return k.remove(ctx, pending)
}

// Erase removes all that is stored of who, a customer's ID or e-mail address.
// records.ErrNotFound: nobody is known by that. After any other error Purge goes
// on with it, in this process or the next.
func (k *Keeper) Erase(ctx context.Context, who string) (records.Counts, error) {
	scope, err := k.cfg.Records.Find(ctx, who)
	if err != nil {
		return nil, err
	}
	counts, err := k.remove(ctx, scope)
	if err != nil {
		return nil, fmt.Errorf("erase a customer, which will be tried again: %w", err)
	}
	k.report("erased a customer", counts)
	return counts, nil
}

func (k *Keeper) remove(ctx context.Context, scope records.Scope) (records.Counts, error) {
	counts := records.Counts{}
	rows, err := k.cfg.Records.Remove(ctx, scope, k.others(counts))
	counts.Add(rows)
	return counts, err
}

// others removes what is not in the records, and adds to counts.
func (k *Keeper) others(counts records.Counts) records.Others {
	return func(ctx context.Context, scope records.Scope) error {
		var errs []error
		for _, id := range scope.Conversations {
			errs = append(errs, k.removeConversation(ctx, id, counts))
		}
		for _, id := range scope.Customers {
			if k.cfg.Mail == nil {
				continue
			}
			n, err := k.cfg.Mail.Erase(id)
			counts.Add(records.Counts{countMails: n})
			errs = append(errs, err)
		}
		return errors.Join(errs...)
	}
}

func (k *Keeper) removeConversation(ctx context.Context, id string, counts records.Counts) error {
	if k.cfg.End != nil {
		k.cfg.End(ctx, id)
	}
	if k.cfg.Media == nil {
		return nil
	}
	n, err := k.cfg.Media.Erase(id)
	counts.Add(records.Counts{countItems: n})
	return err
}

// report logs counts where there are any.
func (k *Keeper) report(what string, counts records.Counts) {
	if counts.Total() == 0 {
		return
	}
	var attributes []any
	for _, kind := range slices.Sorted(maps.Keys(counts)) {
		attributes = append(attributes, kind, counts[kind])
	}
	k.cfg.Log.Info(what, attributes...)
}

// Backup writes a backup of the records and returns its path.
func (k *Keeper) Backup(ctx context.Context) (string, error) { return k.cfg.Records.Backup(ctx) }

// Erased is media.Config.Erased by the records. What they cannot say is not taken
// for erased: it is asked again when the item is listed at the latest.
func Erased(db *records.DB, log *slog.Logger) func(conversation string) bool {
	return func(conversation string) bool {
		gone, err := db.Erased(context.Background(), conversation)
		if err != nil && log != nil {
			log.Error("ask whether a conversation was erased", "error", err)
		}
		return gone
	}
}

// Known is mail.Config.Known by the records.
func Known(db *records.DB) func(ctx context.Context, customer string) (bool, error) {
	return func(ctx context.Context, customer string) (bool, error) {
		_, err := db.Customer(ctx, customer)
		if errors.Is(err, records.ErrNotFound) {
			return false, nil
		}
		return err == nil, err
	}
}
