// Package web holds the customer's page. It is plain HTML, CSS and JavaScript,
// embedded, and asks no other server for anything.
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

// ServePage serves the page, the same for every conversation.
func ServePage(w http.ResponseWriter, r *http.Request) error { return serve(w, r, "page.html") }

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
