package fleet

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode"
)

// ErrNewer says that a newer version has written a state.
var ErrNewer = errors.New("written by a newer version")

// ReadState reads what State is written as. An error wraps ErrNewer, or it is damaged.
func ReadState(data []byte) (State, error) {
	var s State
	if err := json.Unmarshal(data, &s); err != nil {
		return State{}, fmt.Errorf("read the fleet's state: %w", err)
	}
	if s.SchemaVersion > SchemaVersion {
		return State{}, fmt.Errorf("read the fleet's state: schema_version %d: %w", s.SchemaVersion, ErrNewer)
	}
	if s.SchemaVersion < 1 || s.Starts < 0 || s.Starts > MaxStarts {
		return State{}, fmt.Errorf("read the fleet's state: schema_version %d with %d starts is none", s.SchemaVersion, s.Starts)
	}
	for _, k := range []*Kept{s.Good, s.Trial, s.Staged} {
		if k != nil && (k.Serial == 0 || !isHash(k.Content) || !isHash(k.Envelope)) {
			return State{}, errors.New("read the fleet's state: a bundle in it has no serial, content or envelope")
		}
	}
	return s, nil
}

func isHash(s string) bool {
	return len(s) == 64 && strings.Trim(s, "0123456789abcdef") == ""
}

// cut returns at most n bytes of one line of text.
func cut(text string, n int) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, "\uFFFD"))
	if len(text) > n {
		text = strings.ToValidUTF8(text[:n], "") + "…"
	}
	return text
}
