// Package telemetry counts what the glasses do.
package telemetry

import (
	_ "github.com/prometheus/client_golang/prometheus"
)
