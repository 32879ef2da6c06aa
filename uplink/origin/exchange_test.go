package origin

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
)

// cancelled fails first requests as net/http does those that get the connection of
// another that was cancelled.
type cancelled struct {
	http.RoundTripper
	first int
	asked int
}

func (c *cancelled) RoundTrip(r *http.Request) (*http.Response, error) {
	if c.asked++; c.asked <= c.first {
		return nil, context.Canceled
	}
	return c.RoundTripper.RoundTrip(r)
}

func TestAnothersCancel(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	at, _ := url.Parse(server.URL)
	for _, c := range []struct {
		name, method string
		first, asked int
		over         bool // so is the request's own context
		answered     bool
	}{
		{"once", http.MethodDelete, 1, 2, false, true},
		{"again and again", http.MethodDelete, 9, 2, false, false},
		{"what may not arrive twice", http.MethodPost, 1, 1, false, false},
		{"its own", http.MethodDelete, 1, 1, true, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			transport := &http.Transport{}
			defer transport.CloseIdleConnections()
			broken := &cancelled{RoundTripper: transport, first: c.first}
			client, err := New(Config{URL: server.URL, Transport: broken})
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if c.over {
				cancel()
			}
			_, err = client.Do(ctx, 0, Request{Method: c.method, URL: at})
			if broken.asked != c.asked || (err == nil) != c.answered || err != nil && !errors.Is(err, context.Canceled) {
				t.Errorf("asked %d times: %v", broken.asked, err)
			}
		})
	}
}
