package configs

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
)

// ErrInvalid is what every error about the configuration itself is.
var ErrInvalid = errors.New("configuration is not valid")

// Problem is one thing wrong with a configuration, or worth a warning.
type Problem struct {
	File string `json:"file,omitempty"`
	Line int    `json:"line,omitempty"` // from 1; 0 when it comes from no line
	// Key is the full name, such as camera.fps; empty for the file as a whole.
	Key     string `json:"key,omitempty"`
	Message string `json:"message"`
	// Hint is what to do about it, in one phrase; often empty.
	Hint string `json:"hint,omitempty"`

	cause error
}

// Error returns `file:line: key: message (hint)`, as far as these are known.
func (p Problem) Error() string {
	var b strings.Builder
	if p.File != "" {
		b.WriteString(p.File)
		if p.Line > 0 {
			fmt.Fprintf(&b, ":%d", p.Line)
		}
		b.WriteString(": ")
	}
	if p.Key != "" {
		b.WriteString(p.Key + ": ")
	}
	b.WriteString(p.Message)
	if p.Hint != "" {
		b.WriteString(" (" + p.Hint + ")")
	}
	return b.String()
}

// Unwrap returns the cause, such as os.ErrNotExist, or nil.
func (p Problem) Unwrap() error { return p.cause }

// Problems is the error of a configuration: everything that is wrong with it,
// in the order of the file. It is ErrInvalid for errors.Is.
type Problems []Problem

// Error returns one problem a line.
func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i, problem := range p {
		lines[i] = problem.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap makes the causes visible to errors.Is.
func (p Problems) Unwrap() []error {
	errs := make([]error, len(p))
	for i, problem := range p {
		errs[i] = problem
	}
	return errs
}

// Is reports that any Problems is ErrInvalid.
func (p Problems) Is(target error) bool { return target == ErrInvalid }

// Hint says where the keys and their limits are explained.
func (p Problems) Hint() string {
	if len(p) == 1 && errors.Is(p[0].cause, fs.ErrNotExist) {
		return "bril config show --reference prints a file to begin with"
	}
	return "bril config show --reference explains every key"
}

// orNil sorts and bounds the list, and keeps an empty one from becoming a
// non-nil error.
func (p Problems) orNil() error {
	if len(p) == 0 {
		return nil
	}
	slices.SortStableFunc(p, func(a, b Problem) int { return a.Line - b.Line })
	if more := len(p) - maxProblems; more > 0 {
		p = append(p[:maxProblems], Problem{File: p[0].File, Message: fmt.Sprintf("and %d more problems", more)})
	}
	return p
}
