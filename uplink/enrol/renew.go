package enrol

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"reflect"
	"time"

	"github.com/bril-edge/bril/uplink/origin"
)

const (
	// lookEvery is between two questions whether anything is new.
	lookEvery = 24 * time.Hour
	// glance is how often the wall clock is looked at: it may be set, and stands still
	// for no timer while the board sleeps.
	glance = 10 * time.Minute
	// firstLook is within which the first question is asked after the start.
	firstLook = 30 * time.Second
	// A question that failed is asked again after failedFirst, and after twice the
	// time each time up to failedLast.
	failedFirst = 10 * time.Second
	failedLast  = time.Hour
)

// keyEnrolment is what errors name where a command would have --server.
const keyEnrolment = "the enrolment's server"

// Run renews the certificate when that is due, and asks whether the endpoint has
// anything new to say, once a day and when it forbids something, until ctx ends.
func (i *Identity) Run(ctx context.Context) error {
	next := time.Now().Add(rand.N(firstLook))
	if i.due() {
		next = time.Now()
	}
	var asked time.Time
	for {
		doubted := i.pause(ctx, min(time.Until(next), glance))
		if ctx.Err() != nil {
			return ctx.Err()
		}
		fine := i.Status().Count == 0
		if fine && doubted { // what is in trouble already has its own pace
			next = latest(time.Now(), asked.Add(failedFirst))
		}
		if time.Now().Before(next) && !(fine && i.due()) {
			continue
		}
		err := i.Tend(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		asked = time.Now()
		next = asked.Add(i.wait(err))
	}
}

// pause waits, at most until there is a doubt.
func (i *Identity) pause(ctx context.Context, d time.Duration) (doubted bool) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return false
	case <-i.doubted:
		return true
	case <-ctx.Done():
		return false
	}
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// due says whether the certificate is to be renewed: at once where it has expired.
func (i *Identity) due() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	leaf, now := i.certificate.Leaf, i.cfg.now()
	return now.After(leaf.NotAfter) || now.After(renewAt(leaf).Add(i.spread))
}

// wait is until the next question, after one that ended with err.
func (i *Identity) wait(err error) time.Duration {
	if err == nil {
		return lookEvery - rand.N(lookEvery/10)
	}
	wait := failedLast
	if n := i.Status().Count; n < 10 {
		wait = min(failedFirst<<(n-1), failedLast)
	}
	return max(wait-rand.N(wait/4), origin.RetryAfter(err))
}

// Tend asks the endpoint once: for a new certificate where that is due, and otherwise
// for what is new. Status has what came of it.
func (i *Identity) Tend(ctx context.Context) error {
	err := i.tend(ctx)
	if ctx.Err() != nil {
		return err
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.trouble = err; err == nil {
		i.count, i.since = 0, time.Time{}
		return nil
	}
	if i.count++; i.count == 1 {
		i.since = i.cfg.now()
		i.cfg.log().Warn("the enrolment cannot be looked after", "error", err)
	}
	return err
}

func (i *Identity) tend(ctx context.Context) error {
	if i.due() {
		return i.renew(ctx)
	}
	body, err := i.ask(ctx, func(server *url.URL) (origin.Request, error) {
		return origin.Request{Op: "ask about this device at", Method: http.MethodGet, URL: server.JoinPath(devicePath), Here: true,
			Header: map[string]string{"Accept": "application/json"}}, nil
	})
	if errors.Is(err, ErrExpired) { // by the endpoint's clock
		return i.renew(ctx)
	}
	if err != nil {
		return err
	}
	return i.update(body, false)
}

// renew gets a new certificate for the same key. The old one stays good until its
// end, so that nothing hangs on the answer.
func (i *Identity) renew(ctx context.Context) error {
	csr, err := request(i.key)
	if err != nil {
		return err
	}
	body, err := i.ask(ctx, func(server *url.URL) (origin.Request, error) {
		question, err := json.Marshal(map[string]any{"schema_version": schemaVersion, "csr": csr, "version": i.cfg.Version})
		return post("renew the certificate at", server.JoinPath(renewPath), question), err
	})
	if err != nil {
		return err
	}
	return i.update(body, true)
}

// ask asks as this device.
func (i *Identity) ask(ctx context.Context, make func(*url.URL) (origin.Request, error)) (json.RawMessage, error) {
	server, err := ParseServer(i.Document().Server)
	if err != nil {
		return nil, err
	}
	q, err := make(server)
	if err != nil {
		return nil, err
	}
	c, err := origin.New(origin.Config{
		URL: q.URL.String(), Key: keyEnrolment, Foreign: ErrNotEndpoint, UserAgent: "bril/" + i.cfg.Version, Identity: i.Origin(),
		Date: i.cfg.Date, Time: i.cfg.Time, Confirmed: i.cfg.Confirmed,
	})
	if err != nil {
		return nil, err
	}
	defer c.CloseIdle()
	r, err := c.Do(ctx, askTime, q)
	if err != nil {
		return nil, err
	}
	if r.Status != http.StatusOK {
		return nil, refused(c, q, r)
	}
	return r.Body, nil
}

// update takes a new document, and with renewed its certificate.
func (i *Identity) update(body json.RawMessage, renewed bool) error {
	r := i.shown()
	r.Document = body
	if renewed {
		r.Certificate = ""
	}
	fresh, err := newIdentity(i.cfg, i.key, &r)
	if err != nil {
		return fmt.Errorf("what %s says: %w", i.Document().Server, err)
	}
	if fresh.doc.Device != i.Document().Device {
		return fmt.Errorf("what %s says: it is of another device", i.Document().Server)
	}
	other := !same(fresh.doc, i.Document())
	if !renewed && !other {
		return nil
	}
	// The disk first: who hears of a change reads it there, and what could not be kept
	// is asked for again.
	if err := i.keep(r); err != nil {
		return err
	}
	i.mu.Lock()
	i.record, i.doc, i.roots, i.certificate = r, fresh.doc, fresh.roots, fresh.certificate
	i.mu.Unlock()
	if renewed {
		i.cfg.log().Info("the certificate was renewed", "device", fresh.doc.Device, "not_after", fresh.certificate.Leaf.NotAfter)
	}
	if other {
		select {
		case i.changed <- struct{}{}:
		default:
		}
	}
	return nil
}

func (i *Identity) shown() record {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.record
}

// keep writes a record, unless the board has become somebody else meanwhile.
func (i *Identity) keep(r record) error {
	f, err := openFolder(i.cfg.Dir, i.cfg.before)
	if err != nil {
		return err
	}
	defer f.close()
	there, err := readRecord(i.cfg.Dir)
	if err != nil {
		return err
	}
	if there.Key != r.Key {
		return errors.New("the board was enrolled anew meanwhile: restart the daemon")
	}
	return commit(i.cfg, f, r)
}

// same says whether two documents mean the same.
func same(a, b Document) bool {
	a.Time, b.Time = time.Time{}, time.Time{}
	return reflect.DeepEqual(a, b)
}
