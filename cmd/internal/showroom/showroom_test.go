package showroom

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"
)

// startServer runs a server on loopback until the test ends, and returns its URL.
func startServer(t *testing.T, cfg Config) string {
	t.Helper()
	if cfg.Listen == "" {
		cfg.Listen = "127.0.0.1:0"
	}
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return runServer(t, s)
}

func runServer(t *testing.T, s *Server) string {
	t.Helper()
	url, stop := runUntil(t, s)
	t.Cleanup(stop)
	return url
}

// runUntil runs a server until stop is called, which waits for its end.
func runUntil(t *testing.T, s *Server) (url string, stop func()) {
	t.Helper()
	s.observe = observed.wrap
	if s.cfg.Log == nil {
		s.log = slog.New(slog.NewTextHandler(observed, &slog.HandlerOptions{Level: slog.LevelError}))
	}
	ctx, cancel := context.WithCancel(context.Background())
	urls, done := make(chan string, 1), make(chan error, 1)
	go func() { done <- s.Run(ctx, func(url string) { urls <- url }) }()
	select {
	case url = <-urls:
	case err := <-done:
		t.Fatal(err)
	}
	return url, func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("run: %v", err)
		}
	}
}

// request sends one request and returns the answer with its body read.
func request(t *testing.T, method, url, body string, header ...string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	client := http.Client{Timeout: 20 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	defer client.CloseIdleConnections()
	answer, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer, string(text)
}
