package power

// Look looks at once, as a Monitor does first, for who has none that runs. A gauge that
// says empty is asked again, as one of them may be wrong once.
func Look(cfg Config) Reading {
	m := NewMonitor(cfg)
	r := m.look()
	for i := 0; i < 5 && m.gauge.suspects(); i++ {
		r = m.look()
	}
	return r
}
