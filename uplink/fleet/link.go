// Package fleet is a board's line to the service of its fleet: OpAMP over a WebSocket
// with the board's certificate, and the plain fetch of the same signed bundle. It
// carries envelopes down and reports up. It believes nothing that it carries, and
// takes no packages, no connection settings and no commands but a restart and the
// request for a support bundle.
package fleet

import (
	_ "github.com/open-telemetry/opamp-go/client"
)
