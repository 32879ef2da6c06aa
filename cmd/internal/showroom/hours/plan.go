package hours

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"
)

// The bounds of what a plan says.
const (
	minSlot  = 5 * time.Minute
	maxSlot  = 8 * time.Hour
	maxTitle = 80 // bytes
	maxID    = 32 // characters
	maxName  = 64 // characters of a pair of glasses
)

var weekdays = [...]string{"sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"} // by time.Weekday

func (p *parsing) plan(root ast.Node) (plan Plan) {
	p.keys(root, "showrooms", func(key string, _, value ast.Node) bool {
		if key != "showrooms" {
			return false
		}
		for _, node := range p.list(value) {
			s := p.showroom(node)
			if _, twice := plan.Showroom(s.ID); twice && s.ID != "" {
				p.report(node, "a second showroom %q", s.ID)
			}
			plan.showrooms = append(plan.showrooms, s)
		}
		return true
	})
	if len(plan.showrooms) == 0 && len(p.problems) == 0 {
		p.report(root, "no showroom is listed")
	}
	return plan
}

func (p *parsing) showroom(node ast.Node) Showroom {
	s := Showroom{Slot: DefaultSlot, location: time.UTC}
	said := map[string]bool{}
	p.keys(node, "id, title, time_zone, slot, glasses, hours, holidays", func(key string, at, value ast.Node) bool {
		said[key] = true
		return p.field(&s, key, value)
	})
	for _, needed := range []string{"id", "time_zone", "hours"} {
		if len(said) > 0 && !said[needed] {
			p.report(firstKey(node), "showroom %q has no %s", s.ID, needed)
		}
	}
	if s.Title == "" {
		s.Title = s.ID
	}
	return s
}

// firstKey is where a mapping begins for who reads the file; its own token is the
// first colon.
func firstKey(node ast.Node) ast.Node {
	if m, ok := node.(ast.MapNode); ok {
		if it := m.MapRange(); it.Next() {
			return it.Key()
		}
	}
	return node
}

// field sets one key of a showroom; false for one that is unknown.
func (p *parsing) field(s *Showroom, key string, value ast.Node) bool {
	switch key {
	case "id":
		s.ID = p.checked(value, validID)
	case "title":
		s.Title = p.checked(value, validTitle)
	case "time_zone":
		p.zone(s, value)
	case "slot":
		s.Slot = p.slot(value)
	case "glasses":
		for _, node := range p.list(value) {
			s.Glasses = append(s.Glasses, p.checked(node, validGlasses))
		}
	case "hours":
		p.keys(value, strings.Join(weekdays[:], ", "), func(day string, _, spans ast.Node) bool {
			i := slices.Index(weekdays[:], day)
			if i >= 0 {
				s.week[i] = p.spans(spans)
			}
			return i >= 0
		})
	case "holidays":
		for _, node := range p.list(value) {
			s.holidays = append(s.holidays, p.holiday(node))
		}
	default:
		return false
	}
	return true
}

// checked returns a text that valid, which says what is wrong with it, lets pass.
func (p *parsing) checked(node ast.Node, valid func(string) error) string {
	before := len(p.problems)
	text := p.text(node)
	if len(p.problems) > before {
		return ""
	}
	if err := valid(text); err != nil {
		p.report(node, "%q: %v", text, err)
		return ""
	}
	return text
}

func validID(text string) error {
	if text == "" || len(text) > maxID || strings.ContainsFunc(text, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-'
	}) {
		return fmt.Errorf("an id has 1 to %d of a-z, 0-9 and -", maxID)
	}
	return nil
}

func validTitle(text string) error {
	if text == "" || len(text) > maxTitle || strings.ContainsFunc(text, func(r rune) bool { return !strconv.IsPrint(r) }) {
		return fmt.Errorf("a title has 1 to %d bytes that can be printed", maxTitle)
	}
	return nil
}

func validGlasses(text string) error {
	if text == "" || len(text) > maxName || strings.ContainsFunc(text, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_'
	}) {
		return fmt.Errorf("names of glasses have 1 to %d letters, digits, - and _", maxName)
	}
	return nil
}

func (p *parsing) zone(s *Showroom, node ast.Node) {
	s.TimeZone = p.checked(node, func(name string) error {
		if name == "" || name == "Local" {
			return errors.New("a time zone is named as in Europe/Brussels")
		}
		location, err := time.LoadLocation(name)
		if err != nil {
			return fmt.Errorf("%w; a time zone is named as in Europe/Brussels, and needs the package tzdata", err)
		}
		s.location = location
		return nil
	})
}

func (p *parsing) slot(node ast.Node) (d time.Duration) {
	d = DefaultSlot
	p.checked(node, func(text string) error {
		parsed, err := time.ParseDuration(text)
		if err != nil || parsed < minSlot || parsed > maxSlot || parsed%time.Minute != 0 {
			return errors.New("a slot has whole minutes from 5m to 8h")
		}
		d = parsed
		return nil
	})
	return d
}

// spans reads 09:00-12:30, 13:30-18:00, or closed.
func (p *parsing) spans(node ast.Node) (list []span) {
	p.checked(node, func(text string) (err error) {
		list, err = parseSpans(text)
		return err
	})
	return list
}

func parseSpans(text string) (list []span, err error) {
	if text == "closed" {
		return nil, nil
	}
	for part := range strings.SplitSeq(text, ",") {
		open, shut, _ := strings.Cut(part, "-")
		s := span{minuteOf(open), minuteOf(shut)}
		switch {
		case s.open < 0 || s.shut < 0:
			return nil, errors.New(`hours are written as "09:00-12:30, 13:30-18:00", or closed`)
		case s.open >= s.shut:
			return nil, errors.New("what opens must close later on the same day, at 24:00 at the latest")
		case len(list) > 0 && s.open < list[len(list)-1].shut:
			return nil, errors.New("the hours of a day are in order and do not overlap")
		}
		list = append(list, s)
	}
	return list, nil
}

// minuteOf reads HH:MM up to 24:00; -1 for what is none.
func minuteOf(text string) int {
	hour, minute, ok := strings.Cut(strings.TrimSpace(text), ":")
	h, errH := strconv.ParseUint(hour, 10, 8)
	m, errM := strconv.ParseUint(minute, 10, 8)
	if !ok || errH != nil || errM != nil || len(hour) > 2 || len(minute) != 2 || m > 59 || h*60+m > 24*60 {
		return -1
	}
	return int(h*60 + m)
}

// holiday reads 2027-01-01, or 2027-07-19..2027-07-25.
func (p *parsing) holiday(node ast.Node) (days period) {
	p.checked(node, func(text string) (err error) {
		days, err = parsePeriod(text)
		return err
	})
	return days
}

func parsePeriod(text string) (period, error) {
	from, to, ranged := strings.Cut(text, "..")
	if !ranged {
		to = from
	}
	a, errA := time.Parse(time.DateOnly, strings.TrimSpace(from))
	b, errB := time.Parse(time.DateOnly, strings.TrimSpace(to))
	if errA != nil || errB != nil {
		return period{}, errors.New("a holiday is written as 2027-01-01, or 2027-07-19..2027-07-25")
	}
	if b.Before(a) {
		return period{}, errors.New("the holiday ends before it begins")
	}
	return period{dateOf(a), dateOf(b)}, nil
}
