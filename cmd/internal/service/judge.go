package service

import (
	"strings"
	"time"
	"unicode"

	"github.com/bril-edge/bril/cmd/internal/session"
)

// judge finds the part of a session that stands still. The zero value is ready.
type judge struct {
	of map[string]mark
}

// mark is since when a part is in one and the same step.
type mark struct {
	steps uint64
	since time.Time
}

// look takes how far the parts are now, and returns the name of one that is in the
// same step for longer than patience; "" is none.
func (j *judge) look(parts []session.Part, now time.Time) (stuck string) {
	if j.of == nil {
		j.of = map[string]mark{}
	}
	for _, p := range parts {
		m, known := j.of[p.Name]
		if !known || !p.Busy || p.Steps != m.steps {
			m = mark{p.Steps, now}
		}
		j.of[p.Name] = m
		if now.Sub(m.since) > patience {
			stuck = p.Name
		}
	}
	return stuck
}

// maxLine is in bytes: the service manager cuts nothing.
const maxLine = 200

// oneLine keeps what an endpoint or a file said from looking like another line of
// sd_notify's protocol.
func oneLine(text string) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, text)
	if len(text) > maxLine {
		text = strings.ToValidUTF8(text[:maxLine], "") + "…"
	}
	return text
}
