// Package web holds the customers' pages. They are plain HTML, CSS and JavaScript,
// embedded, ask no other server for anything, and keep nothing in the browser.
package web

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"net/http"
	"path"
	"time"
)

//go:embed assets
var assets embed.FS

// Page is one of the pages. Each is the same for everybody: what is personal comes
// from the API.
type Page string

const (
	Home         Page = "home.html"        // showrooms: talk now, book
	Conversation Page = "page.html"        // of a room, a call, a code
	Appointment  Page = "appointment.html" // see, change, cancel
	News         Page = "news.html"        // confirms a consent
	Unsubscribe  Page = "unsubscribe.html" // withdraws a consent
	Privacy      Page = "privacy.html"
	Staff        Page = "staff.html" // of advisors and managers
	Fleet        Page = "fleet.html" // of the fleet's managers
)

// Serve serves the page.
func (p Page) Serve(w http.ResponseWriter, r *http.Request) error { return serve(w, r, string(p)) }

// ServeAsset serves what the page loads.
func ServeAsset(w http.ResponseWriter, r *http.Request) error {
	return serve(w, r, r.PathValue("file"))
}

func serve(w http.ResponseWriter, r *http.Request, file string) error {
	data, err := fs.ReadFile(assets, path.Join("assets", path.Base(file)))
	if err != nil {
		http.NotFound(w, r)
		return nil
	}
	digest := sha256.Sum256(data)
	w.Header().Set("ETag", `"`+hex.EncodeToString(digest[:8])+`"`)
	w.Header().Set("Cache-Control", "no-cache") // ask each time, by the ETag
	w.Header().Set("Cross-Origin-Resource-Policy", "same-origin")
	http.ServeContent(w, r, file, time.Time{}, bytes.NewReader(data))
	return nil
}
