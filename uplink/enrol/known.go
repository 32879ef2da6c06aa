package enrol

import (
	"context"
	"net/http"
	"net/url"

	"github.com/bril-edge/bril/uplink/origin"
)

// Known asks the endpoint whether it takes this device, and changes nothing.
func (i *Identity) Known(ctx context.Context) error {
	_, err := i.ask(ctx, func(server *url.URL) (origin.Request, error) {
		return origin.Request{Op: "ask about this device at", Method: http.MethodGet, URL: server.JoinPath(devicePath), Here: true,
			Header: map[string]string{"Accept": "application/json"}}, nil
	})
	return err
}
