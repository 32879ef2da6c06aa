package control

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// The longest answer, and line of a stream, in bytes. A spool lists each item in
// some 200 bytes: a full one of 2 GB has 10,000 photos and more.
const (
	maxAnswer = 1 << 20
	maxSpool  = 64 << 20
)

// Client sends commands to the daemon at one socket. Its methods return
// ErrNotRunning when nobody listens there, os.ErrPermission when this user may
// not connect, and *Problem when the daemon refuses. It may be used by several
// goroutines.
type Client struct {
	path    string
	http    way
	patient way // for what ends on a disk, or lists what is there
}

// way is how a request goes to the daemon.
type way struct {
	*http.Client
	maxAnswer int64
}

// NewClient makes a client of the socket at path. It connects when it is used.
func NewClient(path string) *Client {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		if err := checkLength(path); err != nil {
			return nil, err
		}
		var d net.Dialer
		return d.DialContext(ctx, "unix", path)
	}
	waiting := func(limit time.Duration, maxAnswer int64) way {
		return way{&http.Client{Transport: &http.Transport{
			DialContext:           dial,
			ResponseHeaderTimeout: limit + requestTime,
			DisableCompression:    true,
		}}, maxAnswer}
	}
	return &Client{path: path, http: waiting(actionTime, maxAnswer), patient: waiting(mediaTime, maxSpool)}
}

// Close frees the connections. It may be called twice.
func (c *Client) Close() {
	c.http.CloseIdleConnections()
	c.patient.CloseIdleConnections()
}

// Status asks for the daemon's status.
func (c *Client) Status(ctx context.Context) (Status, error) {
	var s Status
	err := c.call(ctx, c.http, http.MethodGet, "/v1/status", nil, &s)
	if err == nil {
		err = known(s)
	}
	if err != nil {
		return Status{}, c.explain("ask for the status", err)
	}
	return s, nil
}

// Live asks for an action and returns the state after it.
func (c *Client) Live(ctx context.Context, action Action) (state string, err error) {
	r, err := post[liveResponse](ctx, c, c.http, "/v1/live", liveRequest{Action: string(action)})
	if err != nil {
		return "", c.explain("live "+string(action), err)
	}
	return r.State, nil
}

// Photo takes a photo and returns once it is safe; show marks it for the
// customer's screen.
func (c *Client) Photo(ctx context.Context, show bool) (Photo, error) {
	p, err := post[Photo](ctx, c, c.patient, "/v1/photo", photoRequest{Show: show})
	if err != nil {
		return Photo{}, c.explain("take a photo", err)
	}
	return p, nil
}

// Clip begins a clip, or ends it and returns once it is safe.
func (c *Client) Clip(ctx context.Context, action ClipAction) (Clip, error) {
	clip, err := post[Clip](ctx, c, c.patient, "/v1/clip", clipRequest{Action: string(action)})
	if err != nil {
		return Clip{}, c.explain("clip "+string(action), err)
	}
	return clip, nil
}

// Spool asks for what waits for its upload.
func (c *Client) Spool(ctx context.Context) (Spool, error) {
	var s Spool
	if err := c.call(ctx, c.patient, http.MethodGet, "/v1/spool", nil, &s); err != nil {
		return Spool{}, c.explain("list the spool", err)
	}
	return s, nil
}

// SpoolAct asks for an action on an item, or on all for "", and returns the spool
// after it.
func (c *Client) SpoolAct(ctx context.Context, action SpoolAction, id string) (Spool, error) {
	s, err := post[Spool](ctx, c, c.patient, "/v1/spool", spoolRequest{Action: string(action), ID: id})
	if err != nil {
		return Spool{}, c.explain("spool "+string(action), err)
	}
	return s, nil
}

// Watch calls each with the status, at once and then every interval (50 ms to
// 1 min), until each returns an error or ctx ends, which it returns.
func (c *Client) Watch(ctx context.Context, interval time.Duration, each func(Status) error) error {
	response, err := c.do(ctx, c.http, http.MethodGet, "/v1/status/stream?interval="+url.QueryEscape(interval.String()), nil)
	if err != nil {
		return c.explain("watch the status", err)
	}
	defer response.Body.Close()
	lines := bufio.NewScanner(response.Body)
	lines.Buffer(nil, maxAnswer)
	for lines.Scan() {
		var s Status
		err := json.Unmarshal(lines.Bytes(), &s)
		if err == nil {
			err = known(s)
		}
		if err != nil {
			return c.explain("watch the status", err)
		}
		if err := each(s); err != nil {
			return err
		}
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return c.explain("watch the status", cmp.Or(lines.Err(), io.EOF))
}

// known refuses a daemon that was left running through an upgrade.
func known(s Status) error {
	if s.SchemaVersion != SchemaVersion {
		return hinted{fmt.Errorf("the daemon (version %s) speaks schema_version %d, this command %d", s.Version, s.SchemaVersion, SchemaVersion),
			"restart the daemon"}
	}
	return nil
}

// post sends a request with a body and returns its answer.
func post[T any](ctx context.Context, c *Client, by way, path string, request any) (answer T, err error) {
	body, err := json.Marshal(request)
	if err == nil {
		err = c.call(ctx, by, http.MethodPost, path, body, &answer)
	}
	return answer, err
}

// call sends a request and decodes its answer into out.
func (c *Client) call(ctx context.Context, by way, method, path string, body []byte, out any) error {
	response, err := c.do(ctx, by, method, path, body)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if err := decode(response.Body, by.maxAnswer, out); err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	return nil
}

// decode reads the one value that a bounded body holds.
func decode(body io.Reader, limit int64, out any) error {
	data, err := io.ReadAll(io.LimitReader(body, limit+1))
	if err != nil {
		return err
	}
	if int64(len(data)) > limit {
		return fmt.Errorf("more than %d bytes", limit)
	}
	return json.Unmarshal(data, out)
}

// do sends a request and returns its answer, which is a success.
func (c *Client) do(ctx context.Context, by way, method, path string, body []byte) (*http.Response, error) {
	// The host is what the Host header holds; the socket is where it goes.
	request, err := http.NewRequestWithContext(ctx, method, "http://bril"+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	response, err := by.Do(request)
	if urlErr := (*url.Error)(nil); errors.As(err, &urlErr) {
		return nil, urlErr.Err // without the made-up address
	}
	if err != nil {
		return nil, err
	}
	if response.StatusCode == http.StatusOK {
		return response, nil
	}
	defer response.Body.Close()
	return nil, readProblem(response)
}

func readProblem(response *http.Response) error {
	p := &Problem{}
	if err := decode(response.Body, maxAnswer, p); err != nil || p.Message == "" || p.Code <= 0 {
		return fmt.Errorf("the daemon answered %s", response.Status)
	}
	return p
}

// explain says what was tried on which socket, and what to do where that is
// known. A Problem speaks for itself.
func (c *Client) explain(what string, err error) error {
	problem := (*Problem)(nil)
	switch {
	case errors.As(err, &problem):
		return fmt.Errorf("%s: %w", what, err)
	case errors.Is(err, unix.ENOENT), errors.Is(err, unix.ENOTDIR), errors.Is(err, unix.ECONNREFUSED):
		return hinted{fmt.Errorf("%s: %w: nobody listens on %s", what, ErrNotRunning, c.path), startHint}
	case errors.Is(err, os.ErrPermission):
		return hinted{fmt.Errorf("%s: control socket %s: %w", what, c.path, os.ErrPermission),
			"control needs the group bril: sudo usermod -aG bril $USER, then log in again"}
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, unix.ECONNRESET), errors.Is(err, unix.EPIPE):
		err = stopped()
	}
	return fmt.Errorf("%s: control socket %s: %w", what, c.path, err)
}

// startHint is for glasses, where a service runs it, and for everybody else.
const startHint = "bril run; on glasses with the package sudo systemctl start bril"

// stopped is a connection that the daemon ended.
func stopped() error { return hinted{ErrNotRunning, startHint} }
