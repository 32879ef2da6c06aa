package fleet

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/bril-edge/bril/uplink/origin"
)

const (
	// SupportLimit bounds a support bundle, in bytes.
	SupportLimit = 20 << 20
	supportTime  = 2 * time.Minute
	// supportEvery is between two of them: a mobile network is paid for by the megabyte.
	supportEvery = time.Minute
	// AgeHeader begins what age has encrypted (https://age-encryption.org/v1).
	AgeHeader = "age-encryption.org/v1\n"
)

// ErrNotEncrypted keeps a support bundle that anybody could read from being sent.
var ErrNotEncrypted = errors.New("not encrypted by age")

// supporting sends a support bundle whenever one is wanted, one at a time.
func (l *Link) supporting(ctx context.Context) {
	for {
		select {
		case <-l.support:
		case <-ctx.Done():
			return
		}
		if err := l.cfg.Support(ctx); err != nil {
			l.cfg.Log.Warn("no support bundle was sent", "error", err)
		} else {
			l.cfg.Log.Info("a support bundle was sent to the endpoint")
		}
		if !pause(ctx, supportEvery) {
			return
		}
	}
}

// SendSupport puts a support bundle, which has to be encrypted by age already, to the
// address that the enrolment has for them, and to no other.
func SendSupport(ctx context.Context, client *origin.Client, address string, bundle []byte) error {
	u, err := origin.Parse(address)
	if err != nil {
		return fmt.Errorf("the enrolment's support_url: %w", err)
	}
	q := origin.Request{
		Op: "send the support bundle to", Method: http.MethodPut, URL: u, Here: true,
		Header: map[string]string{"Content-Type": "application/vnd.age"},
		Body:   func() io.ReadCloser { return io.NopCloser(bytes.NewReader(bundle)) }, Length: int64(len(bundle)),
	}
	switch {
	case !bytes.HasPrefix(bundle, []byte(AgeHeader)):
		return q.Fail(ErrNotEncrypted)
	case len(bundle) > SupportLimit:
		return q.Fail(fmt.Errorf("%d MB, of at most %d", len(bundle)>>20, SupportLimit>>20))
	case !client.Enrolled(u):
		return q.Fail(errNotEnrolled)
	}
	r, err := client.Do(ctx, supportTime, q)
	if err != nil {
		return err
	}
	if r.Status/100 != 2 {
		return client.Refused(q, r, "", errors.New("it was not taken"))
	}
	return nil
}
