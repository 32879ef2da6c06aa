package desk

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/bril-edge/bril/cmd/internal/showroom/records"
)

// Wish is what a customer asks to be sent.
type Wish struct {
	Name, Email string // the name is optional
	Locale      string
	Items       []string // IDs; none: all of the conversation
	Marketing   bool     // consents to it
}

const (
	settleTime = 5 * time.Second // an upload that is about to begin is waited for
	sendWait   = 3 * time.Minute // then what is there is mailed
	quietTime  = time.Minute     // of what comes later, nothing came for so long
	lateMedia  = 48 * time.Hour  // glasses that are offline have so long to upload
	maxMails   = 4               // for one wish
	maxItems   = 200             // that can be named
	maxItem    = 64              // bytes of such a name: an ID has 26

	pollSoon  = 2 * time.Second // while something is on its way
	pollLater = 30 * time.Second
)

// Send takes down what a customer asks for, durably, and mails it: once the items
// are there, or none of the conversation's is on its way any more, or a few
// minutes are over; then what comes later in a mail of its own. Errors are joined
// *FieldErrors, *TooManyError, ErrNotYet and ErrUnknown.
func (d *Desk) Send(ctx context.Context, cid string, w Wish) error {
	customer, err := w.customer()
	if err != nil {
		return err
	}
	seen, err := d.Lookup(ctx, cid)
	if err != nil {
		return err
	}
	if seen.Started.IsZero() {
		return ErrNotYet
	}
	if err := d.maySend(cid); err != nil {
		return err
	}
	d.keep(ctx) // the customer is written into what is stored
	known, err := d.cfg.Records.SetCustomer(ctx, cid, customer)
	if err != nil {
		return gone(err)
	}
	err = d.cfg.Records.SetWish(ctx, records.Wish{
		ID: records.NewID(), Conversation: cid, Customer: known.ID, Items: w.Items, Asked: d.now(), Name: customer.Name, Locale: customer.Locale,
	})
	if err != nil {
		return gone(err)
	}
	d.mu.Lock()
	if c := d.calls[cid]; c != nil {
		c.sent = true
	}
	d.mu.Unlock()
	rouse(d.wished)
	if w.Marketing {
		d.consent(ctx, known.ID, known.Email, customer.Locale, seen.Title)
	}
	return nil
}

func (w Wish) customer() (records.Customer, error) {
	c := records.Customer{Name: strings.TrimSpace(w.Name), Email: strings.TrimSpace(w.Email), Locale: w.Locale}
	errs := []error{checkEmail(c.Email), checkLocale(c.Locale)}
	if c.Name != "" {
		errs = append(errs, checkName(c.Name))
	}
	if len(w.Items) > maxItems {
		errs = append(errs, &FieldError{Field: "items", Detail: "these are too many; leave it out for all"})
	}
	if slices.ContainsFunc(w.Items, func(id string) bool { return len(id) > maxItem }) {
		errs = append(errs, &FieldError{Field: "items", Detail: "these are no IDs of photos and clips"})
	}
	return c, errors.Join(errs...)
}

// gone makes a conversation that was erased one that is unknown.
func gone(err error) error {
	if errors.Is(err, records.ErrErased) || errors.Is(err, records.ErrNotFound) {
		return ErrUnknown
	}
	return err
}

// consent takes down a consent, and asks by mail whether it was the address's owner
// who gave it: until that is confirmed there is none. What the customer asked for is
// done whether this succeeds or not.
func (d *Desk) consent(ctx context.Context, customer, email, locale, title string) {
	token, err := d.cfg.Records.GiveConsent(ctx, customer, records.Marketing, d.cfg.ConsentText, locale)
	if err == nil {
		err = d.cfg.Post.Consented(ctx, ConsentLetter{
			Customer: customer, Email: email, Locale: locale, Title: title, Text: d.cfg.ConsentText, Token: token, At: d.now(),
		})
	}
	if err != nil {
		d.cfg.Log.Error("take down a consent", "error", err)
	}
}

// deliver mails what customers asked for. What is still to be sent stands in the
// records only: nothing is lost by a restart. A crash between a mail and its
// record sends that mail twice.
func (d *Desk) deliver(ctx context.Context) error {
	p := postman{desk: d, seen: map[string]progress{}}
	for ctx.Err() == nil {
		timer := time.NewTimer(p.round(ctx))
		select {
		case <-ctx.Done():
		case <-d.wished:
		case <-timer.C:
		}
		timer.Stop()
	}
	return nil
}

// postman is the loop that looks after wishes.
type postman struct {
	desk *Desk
	seen map[string]progress // by wish
}

// progress is what is remembered of a wish from one round to the next.
type progress struct {
	there   int       // items that could be mailed
	changed time.Time // when that number did last
	mailed  *records.Wish
}

// round looks at all wishes, and returns when to look again.
func (p *postman) round(ctx context.Context) time.Duration {
	list, err := p.desk.cfg.Records.Wishes(ctx)
	if err != nil {
		if ctx.Err() == nil {
			p.desk.cfg.Log.Error("read what is to be sent", "error", err)
		}
		return pollLater
	}
	// Of who was erased nothing is remembered here either.
	maps.DeleteFunc(p.seen, func(id string, _ progress) bool {
		return !slices.ContainsFunc(list, func(w records.Wish) bool { return w.ID == id })
	})
	again := time.Hour
	for _, w := range list {
		wait, err := p.look(ctx, w)
		if err != nil && ctx.Err() == nil {
			p.desk.cfg.Log.Error("send what was asked for", "conversation", w.Conversation, "error", err)
			wait = pollLater
		}
		again = min(again, wait)
	}
	return again
}

// look mails of a wish what is to be mailed now.
func (p *postman) look(ctx context.Context, w records.Wish) (again time.Duration, err error) {
	d, now := p.desk, p.desk.now()
	mark := p.seen[w.ID]
	if sent := mark.mailed; sent != nil && w.Mails < sent.Mails { // which could not be taken down
		if w = *sent; d.cfg.Records.SetWish(ctx, w) != nil {
			return pollLater, nil
		}
	}
	seen, err := d.Lookup(ctx, w.Conversation)
	if errors.Is(err, ErrUnknown) {
		return pollLater, d.cfg.Records.DropWish(ctx, w.ID)
	}
	if err != nil {
		return 0, err
	}
	items := wanted(w, d.cfg.Media.Items(w.Conversation))
	if len(items) != mark.there || mark.changed.IsZero() {
		mark.there, mark.changed = len(items), now
		p.seen[w.ID] = mark
	}
	o := outlook{now: now, running: d.cfg.Media.Running(w.Conversation), ended: seen.Ended, quiet: mark.changed}
	mail, done := o.decide(w, items)
	if mail {
		if w, err = p.mail(ctx, w, seen, items); err != nil {
			return 0, err
		}
		done = done || fulfilled(w)
	}
	if done {
		delete(p.seen, w.ID)
		return pollLater, d.cfg.Records.DropWish(ctx, w.ID)
	}
	return o.again(w), nil
}

// wanted returns the items of a wish that have not been mailed.
func wanted(w records.Wish, items []Item) []Item {
	return slices.DeleteFunc(slices.Clone(items), func(i Item) bool {
		return slices.Contains(w.Mailed, i.ID) || len(w.Items) > 0 && !slices.Contains(w.Items, i.ID)
	})
}

// fulfilled says whether all of what was named has been mailed.
func fulfilled(w records.Wish) bool {
	return len(w.Items) > 0 && !slices.ContainsFunc(w.Items, func(id string) bool { return !slices.Contains(w.Mailed, id) }) || w.Mails >= maxMails
}

// outlook is how things stand for a wish.
type outlook struct {
	now     time.Time
	running int       // uploads
	ended   time.Time // the conversation; zero while it is open
	quiet   time.Time // since when no item has come
}

// decide says whether the items that are there are to be mailed now, and whether
// the wish is given up after that.
func (o outlook) decide(w records.Wish, items []Item) (mail, done bool) {
	age := o.now.Sub(w.Asked)
	done = age >= lateMedia && !o.ended.IsZero() && o.now.Sub(o.ended) >= lateMedia
	switch {
	case len(items) == 0:
		return false, done
	case done || len(w.Items) > 0 && len(items)+len(w.Mailed) >= len(w.Items):
		return true, done
	case w.Mails > 0: // what comes later waits for its like, and for the end
		return !o.ended.IsZero() && o.now.Sub(o.quiet) >= quietTime && (o.running == 0 || o.now.Sub(o.quiet) >= sendWait), done
	case age >= sendWait:
		return true, done
	}
	return len(w.Items) == 0 && o.running == 0 && age >= settleTime, done
}

// again is when to look again: soon, while something is likely to come.
func (o outlook) again(w records.Wish) time.Duration {
	if o.ended.IsZero() || o.now.Sub(o.ended) < 2*sendWait || o.now.Sub(w.Asked) < 2*sendWait || o.running > 0 {
		return pollSoon
	}
	return pollLater
}

// mail mails items, and takes that down.
func (p *postman) mail(ctx context.Context, w records.Wish, c Conversation, items []Item) (records.Wish, error) {
	r := p.desk.cfg.Records
	customer, err := r.Customer(ctx, w.Customer)
	if err != nil {
		return w, err
	}
	id, err := p.desk.cfg.Post.Media(ctx, MediaLetter{
		Customer: w.Customer, Conversation: w.Conversation, Name: w.Name, Email: customer.Email, Locale: w.Locale,
		Title: c.Title, Date: cmp.Or(c.Started, c.Created), Items: items, More: w.Mails > 0,
	})
	if err != nil {
		return w, err
	}
	sent := records.Delivery{Conversation: w.Conversation, Customer: w.Customer, Mail: id}
	for _, item := range items {
		sent.Items = append(sent.Items, item.ID)
	}
	w.Mailed, w.Mails = append(slices.Clip(w.Mailed), sent.Items...), w.Mails+1
	p.seen[w.ID] = progress{changed: p.desk.now(), mailed: &w}
	return w, errors.Join(r.SetWish(ctx, w), r.AddDelivery(ctx, sent))
}
