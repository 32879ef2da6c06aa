package gpio

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/warthog618/go-gpiocdev/uapi"
)

// Chip is one GPIO controller, for people and as JSON.
type Chip struct {
	Name  string     `json:"name"` // gpiochip0
	Label string     `json:"label,omitempty"`
	Lines []LineInfo `json:"lines,omitempty"`
	Error string     `json:"error,omitempty"` // why nothing more is known of it
}

// LineInfo is one line of a Chip. Its direction is what it is now.
type LineInfo struct {
	Offset    int    `json:"offset"`
	Name      string `json:"name,omitempty"` // of the board's maker
	Direction string `json:"direction"`      // in or out
	ActiveLow bool   `json:"active_low,omitempty"`
	Used      bool   `json:"used,omitempty"`
	Consumer  string `json:"consumer,omitempty"` // who uses it
}

// List describes all GPIO chips and their lines. It changes none of them.
func List() []Chip { return list(linux{}) }

func list(k kernel) []Chip {
	chips := []Chip{}
	for _, path := range k.chips() {
		chip := Chip{Name: filepath.Base(path)}
		err := eachLine(k, path, func(info uapi.ChipInfo, line uapi.LineInfoV2) {
			chip.Label = text(info.Label[:])
			chip.Lines = append(chip.Lines, lineInfo(line))
		})
		if err != nil {
			chip.Error = err.Error()
		}
		chips = append(chips, chip)
	}
	return chips
}

func lineInfo(line uapi.LineInfoV2) LineInfo {
	direction := "in"
	if line.Flags.IsOutput() {
		direction = "out"
	}
	return LineInfo{
		Offset: int(line.Offset), Name: text(line.Name[:]), Direction: direction,
		ActiveLow: line.Flags.IsActiveLow(), Used: line.Flags.IsUsed(), Consumer: text(line.Consumer[:]),
	}
}

func eachLine(k kernel, path string, each func(uapi.ChipInfo, uapi.LineInfoV2)) error {
	fd, err := k.open(path)
	if err != nil {
		return err
	}
	defer k.close(fd) //nolint:errcheck // nothing was written
	info, err := k.chip(fd)
	if err != nil {
		return fmt.Errorf("read chip: %w", err)
	}
	for offset := range int(info.Lines) {
		line, err := k.line(fd, offset)
		if err != nil {
			return fmt.Errorf("read line %d: %w", offset, err)
		}
		each(info, line)
	}
	return nil
}

// place is where a line is.
type place struct {
	chip   string // its device node
	offset int
}

func (p place) String() string { return filepath.Base(p.chip) + "/" + strconv.Itoa(p.offset) }

// find returns where a line is: gpiochipN/OFFSET, or a name that one line of all
// chips has. Names need not be unique (docs.kernel.org); to light a lamp by a
// name that two lines have would be a guess.
func find(k kernel, line string) (place, error) {
	if p, ok := parsePlace(line); ok {
		return p, nil
	}
	var found []place
	var failed error
	for _, path := range k.chips() {
		err := eachLine(k, path, func(_ uapi.ChipInfo, info uapi.LineInfoV2) {
			if line != "" && text(info.Name[:]) == line {
				found = append(found, place{path, int(info.Offset)})
			}
		})
		if err != nil {
			failed = fmt.Errorf("%s: %w", path, err)
		}
	}
	switch {
	case len(found) == 1:
		return found[0], nil
	case len(found) > 1:
		return place{}, hinted{fmt.Errorf("%d lines have this name: %v and %v", len(found), found[0], found[1]),
			"name it by chip and number, as " + found[0].String()}
	case failed != nil: // it may be on that chip
		return place{}, failed
	}
	return place{}, hinted{fmt.Errorf("no GPIO chip has a line of this name (%w)", os.ErrNotExist),
		"bril devices lists the lines; is board.profile the right one?"}
}

func parsePlace(line string) (place, bool) {
	chip, number, ok := strings.Cut(line, "/")
	if !ok || !strings.HasPrefix(chip, "gpiochip") {
		return place{}, false
	}
	offset, err := strconv.ParseUint(number, 10, 16)
	if err != nil {
		return place{}, false
	}
	return place{filepath.Join("/dev", chip), int(offset)}, true
}

// hinted is an error with what to do about it, which a user sees on a line of its
// own.
type hinted struct {
	error
	hint string
}

func (h hinted) Unwrap() error { return h.error }

// Hint returns what the user can do, as one line.
func (h hinted) Hint() string { return h.hint }

// explain says what was tried on which line or key, and hints at what to do where
// the cause is known. group is who may open it.
func explain(tried, thing, group string, err error) error {
	hint := ""
	var advice interface{ Hint() string }
	switch {
	case errors.As(err, &advice):
		hint = advice.Hint()
	case errors.Is(err, errBusy):
		hint = "bril devices shows who uses it"
	case errors.Is(err, os.ErrPermission):
		hint = "add the user to the group " + group + ", or start the program as a service"
	case errors.Is(err, errGone):
		hint = "its device is gone; it is tried again"
	}
	err = fmt.Errorf("%s %s: %w", tried, thing, err)
	if hint == "" {
		return err
	}
	return hinted{err, hint}
}
