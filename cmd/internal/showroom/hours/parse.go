package hours

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
)

// maxSize bounds what is read by mistake, in bytes.
const maxSize = 64 << 10

// Load reads the plan in the file at path, or Always for the word always.
func Load(path string) (Plan, error) {
	if path == "always" {
		return Always(), nil
	}
	f, err := os.Open(path)
	if err != nil {
		return Plan{}, Problems{{File: path, Message: "read the office hours: " + err.Error()}}
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxSize+1))
	if err != nil {
		return Plan{}, Problems{{File: path, Message: "read the office hours: " + err.Error()}}
	}
	return Parse(data, path)
}

// Parse reads a plan from YAML. Everything that is wrong with it is Problems,
// which name the file as name.
//
//	showrooms:
//	  - id: antwerp                  # a-z, 0-9 and -
//	    title: Showroom Antwerpen
//	    time_zone: Europe/Brussels
//	    slot: 30m
//	    glasses: [anna, ben]         # optional
//	    hours:
//	      monday: 09:00-12:30, 13:30-18:00
//	      saturday: 10:00-17:00
//	    holidays: [2027-01-01, 2027-07-19..2027-07-25]
func Parse(data []byte, name string) (Plan, error) {
	p := parsing{file: name}
	root := p.document(data)
	if root == nil {
		return Plan{}, p.problems.orNil()
	}
	plan := p.plan(root)
	if err := p.problems.orNil(); err != nil {
		return Plan{}, err
	}
	return plan, nil
}

// Problem is one thing wrong with a plan.
type Problem struct {
	File    string
	Line    int // from 1; 0 when it comes from no line
	Message string
}

// Error returns `file:line: message`.
func (p Problem) Error() string {
	if p.Line == 0 {
		return p.File + ": " + p.Message
	}
	return fmt.Sprintf("%s:%d: %s", p.File, p.Line, p.Message)
}

// Problems is everything that is wrong with a plan, in the order of the file.
type Problems []Problem

// Error returns one problem a line.
func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i, problem := range p {
		lines[i] = problem.Error()
	}
	return strings.Join(lines, "\n")
}

// Hint says how such a file looks.
func (p Problems) Hint() string {
	return "showroom --help shows a file of office hours; --hours always needs none"
}

func (p Problems) orNil() error {
	if len(p) == 0 {
		return nil
	}
	slices.SortStableFunc(p, func(a, b Problem) int { return a.Line - b.Line })
	return p
}
