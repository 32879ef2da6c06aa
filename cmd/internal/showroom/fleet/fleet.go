// Package fleet is the service of a fleet at the endpoint.
package fleet

import (
	_ "github.com/open-telemetry/opamp-go/server"
)
