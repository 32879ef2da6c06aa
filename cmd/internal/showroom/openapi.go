package showroom

import (
	_ "embed"
	"io"
	"net/http"

	"github.com/bril-edge/bril/configs"
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

// configurationSchema is for the editors of who writes what the fleet is to run.
func configurationSchema(w http.ResponseWriter, _ *http.Request) error {
	w.Header().Set("Content-Type", "application/schema+json")
	w.Header().Set("Cache-Control", "no-cache")
	_, _ = io.WriteString(w, configs.JSONSchema()) // the client has gone
	return nil
}
