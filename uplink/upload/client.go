package upload

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/bril-edge/bril/uplink/origin"
	"github.com/bril-edge/bril/uplink/spool"
)

const (
	tusVersion = "1.0.0"
	askTimeout = 10 * time.Second // of a request without a body of bytes
)

var errPage = fmt.Errorf("%w: it answers a web page", ErrNotTus)

// client makes the requests of tus 1.0 and understands their answers.
type client struct {
	*origin.Client
	audit func() string
}

// base returns the URL that creates uploads.
func (c client) base() *url.URL {
	u := *c.Endpoint()
	if !strings.HasSuffix(u.Path, "/") {
		u.Path += "/"
		u.RawPath = ""
	}
	return &u
}

// at returns the URL of an upload.
func (c client) at(parts ...string) *url.URL { return c.base().JoinPath(parts...) }

// head returns the offset that the endpoint is at (tus 1.0, HEAD).
func (c client) head(ctx context.Context, item spool.Entry) (int64, error) {
	q := origin.Request{Op: "resume upload", Method: http.MethodHead, URL: c.at(item.ID),
		Header: map[string]string{"Tus-Resumable": tusVersion}}
	r, err := c.Do(ctx, askTimeout, q)
	if err != nil {
		return 0, err
	}
	if r.Status != http.StatusOK && r.Status != http.StatusNoContent {
		return 0, c.refused(q, r)
	}
	offset, err := c.offset(q, r)
	if err != nil {
		return 0, err
	}
	if length := r.Header.Get("Upload-Length"); length != "" && length != strconv.FormatInt(item.Bytes, 10) {
		return 0, q.Fail(fmt.Errorf("%w: it has an upload of %s bytes, and there are %d", ErrNonsense, origin.Clean(length), item.Bytes))
	}
	if offset > item.Bytes {
		return 0, q.Fail(fmt.Errorf("%w: it claims to have %d bytes of %d", ErrNonsense, offset, item.Bytes))
	}
	return offset, nil
}

// create makes the upload (tus 1.0, creation).
func (c client) create(ctx context.Context, item spool.Entry) error {
	q := origin.Request{Op: "create upload at", Method: http.MethodPost, URL: c.base(),
		Header: map[string]string{
			"Tus-Resumable":   tusVersion,
			"Upload-Length":   strconv.FormatInt(item.Bytes, 10),
			"Upload-Metadata": metadata("id", item.ID, "sha256", item.SHA256, "state", string(item.State), "audit", c.audit()),
		}}
	r, err := c.Do(ctx, askTimeout, q)
	if err != nil {
		return err
	}
	if r.Status != http.StatusCreated {
		return c.refused(q, r)
	}
	if err := c.speaksTus(q, r); err != nil {
		return err
	}
	location, err := r.Resolve("Location")
	if err != nil {
		return q.Fail(fmt.Errorf("%w: %w", ErrNotTus, err))
	}
	// Its origin is of no interest: behind a proxy endpoints get it wrong.
	if path.Base(location.Path) != item.ID {
		return q.Fail(origin.WithHint(fmt.Errorf("%w: it gives the upload an id of its own", ErrNotTus), isItHint))
	}
	return nil
}

// patch sends a piece from offset, and returns the offset after it.
func (c client) patch(ctx context.Context, item spool.Entry, offset int64, p *piece) (int64, error) {
	q := origin.Request{Op: "send to upload", Method: http.MethodPatch, URL: c.at(item.ID),
		Body: p.body, Length: p.length,
		Header: map[string]string{
			"Tus-Resumable": tusVersion,
			"Upload-Offset": strconv.FormatInt(offset, 10),
			"Content-Type":  "application/offset+octet-stream",
			// A refusal then comes before the bytes, and is not lost with the
			// connection that they are still being written to.
			"Expect": "100-continue",
		}}
	r, err := p.watched(ctx, func(ctx context.Context) (*origin.Reply, error) { return c.Do(ctx, 0, q) })
	if err != nil {
		return 0, p.explain(q, err)
	}
	if r.Status != http.StatusNoContent && r.Status != http.StatusOK {
		return 0, c.refused(q, r)
	}
	after, err := c.offset(q, r)
	if err != nil {
		return 0, err
	}
	if after < offset || after > offset+p.length {
		return 0, q.Fail(fmt.Errorf("%w: it goes to offset %d from %d with %d bytes", ErrNonsense, after, offset, p.length))
	}
	if after == offset {
		return 0, q.Fail(fmt.Errorf("%w: it takes none of the bytes", errOffset))
	}
	return after, nil
}

// terminate removes an upload at the endpoint (tus 1.0, termination). Not all
// endpoints offer it, so what comes of it does not matter.
func (c client) terminate(ctx context.Context, item spool.Entry) {
	q := origin.Request{Op: "remove upload", Method: http.MethodDelete, URL: c.at(item.ID),
		Header: map[string]string{"Tus-Resumable": tusVersion}}
	_, _ = c.Do(ctx, askTimeout, q)
}

// offset reads the Upload-Offset of an answer.
func (c client) offset(q origin.Request, r *origin.Reply) (int64, error) {
	if err := c.speaksTus(q, r); err != nil {
		return 0, err
	}
	value := r.Header.Get("Upload-Offset")
	offset, err := parseOffset(value)
	if err != nil {
		return 0, q.Fail(origin.WithHint(fmt.Errorf("%w: Upload-Offset %q is no offset", ErrNotTus, origin.Clean(value)), isItHint))
	}
	return offset, nil
}

// parseOffset takes what tus allows: a non-negative integer, in digits only.
func parseOffset(value string) (int64, error) {
	n, err := strconv.ParseUint(value, 10, 63)
	return int64(n), err
}

// speaksTus checks an answer of success: every other one may be a proxy's.
func (c client) speaksTus(q origin.Request, r *origin.Reply) error {
	version := r.Header.Get("Tus-Resumable")
	switch {
	case version == tusVersion:
		return nil
	case r.IsHTML():
		return q.Fail(origin.WithHint(errPage, isItHint))
	case version == "":
		return q.Fail(origin.WithHint(fmt.Errorf("%w: %d without Tus-Resumable", ErrNotTus, r.Status), isItHint))
	}
	return q.Fail(fmt.Errorf("%w: it speaks tus %s", ErrNotTus, origin.Clean(version)))
}

// metadata writes pairs as Upload-Metadata (tus 1.0, creation).
func metadata(pairs ...string) string {
	var b strings.Builder
	for i := 0; i < len(pairs); i += 2 {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(pairs[i] + " " + base64.StdEncoding.EncodeToString([]byte(pairs[i+1])))
	}
	return b.String()
}
