package fleet

import "slices"

// refuse notes what is none of a fleet's business, or cannot be now. It is logged once
// of each kind; the kinds are this package's words, so they are few.
func (l *Link) refuse(kind, why string) {
	l.mu.Lock()
	l.status.Refused++
	_, told := l.refused[kind]
	l.refused[kind] = why
	l.mu.Unlock()
	if !told {
		l.cfg.Log.Warn("refused what the fleet's service asks for", "kind", kind, "why", why)
	}
	l.Tell()
}

// refusals are what was refused, for the report.
func (l *Link) refusals() (list []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for kind, why := range l.refused {
		list = append(list, "fleet: refused "+kind+": "+why)
	}
	slices.Sort(list)
	return list
}
