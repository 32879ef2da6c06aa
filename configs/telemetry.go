package configs

import "net/netip"

// Telemetry says whether the glasses count what they do, and who can ask for it.
type Telemetry struct {
	Enabled bool `json:"enabled"`
	// MetricsListen is IP:port where Prometheus can ask, beside the control socket; port 0
	// takes a free one, "" is nowhere.
	MetricsListen string `json:"metrics_listen"`
}

func (v *checker) telemetry(t Telemetry) {
	if t.MetricsListen == "" {
		return
	}
	if _, err := netip.ParseAddrPort(t.MetricsListen); err != nil {
		v.report("telemetry.metrics_listen", "on this machine only: 127.0.0.1:9464", "%q is not IP:port", t.MetricsListen)
	}
}
