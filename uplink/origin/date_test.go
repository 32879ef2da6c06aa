package origin

import (
	"crypto/x509"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"
)

// TestDate: only a server whose certificate was verified tells the time.
func TestDate(t *testing.T) {
	const noon = "Tue, 14 Jul 2026 12:00:00 GMT"
	want, _ := http.ParseTime(noon)
	for _, test := range []struct {
		name   string
		serve  func(http.Handler) *httptest.Server
		date   string
		status int
		told   bool
	}{
		{"over TLS", httptest.NewTLSServer, noon, 200, true},
		{"with an error", httptest.NewTLSServer, noon, 503, true},
		{"no date", httptest.NewTLSServer, "yesterday", 200, false},
		{"in clear", httptest.NewServer, noon, 200, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := test.serve(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Date", test.date)
				w.WriteHeader(test.status)
			}))
			defer s.Close()
			roots := x509.NewCertPool()
			if s.Certificate() != nil {
				roots.AddCert(s.Certificate())
			}
			var told []time.Time
			c, err := New(Config{URL: s.URL, RootCAs: roots, Date: func(at time.Time) { told = append(told, at) }})
			if err != nil {
				t.Fatal(err)
			}
			defer c.CloseIdle()
			at, _ := url.Parse(s.URL)
			if _, err := c.Do(t.Context(), 10*time.Second, Request{Method: "GET", URL: at}); err != nil {
				t.Fatal(err)
			}
			if (len(told) == 1) != test.told || test.told && !told[0].Equal(want) {
				t.Errorf("told %v", told)
			}
		})
	}
}
