package showroom

import (
	_ "embed"
	"net/http"
)

// openAPIText describes the API to programs and their authors. A test compares it
// with what the handlers do.
//
//go:embed openapi.yaml
var openAPIText []byte

func openAPI(w http.ResponseWriter, _ *http.Request) error {
	w.Header().Set("Content-Type", "application/yaml")
	w.Header().Set("Cache-Control", "no-cache")
	_, _ = w.Write(openAPIText) // the client has gone
	return nil
}
