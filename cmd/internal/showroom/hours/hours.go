// Package hours knows when a showroom can be called: its office hours and
// holidays, and the slots that appointments are made of. It reads them from YAML.
// It knows nothing of who has booked what.
//
// Hours are on the showroom's own clock, in its time zone. On the days when that
// clock changes, what is open keeps its first and last minute on the wall, and
// slots keep their length.
package hours

import (
	"slices"
	"time"
)

// DefaultSlot is the length of an appointment unless the file says otherwise.
const DefaultSlot = 30 * time.Minute

// horizon bounds how far NextOpen looks: a showroom that is closed for a year is
// closed.
const horizon = 400 // days

// Plan holds the showrooms in the order of their file.
type Plan struct {
	showrooms []Showroom
}

// Showrooms returns all of them. There is at least one.
func (p Plan) Showrooms() []Showroom { return slices.Clone(p.showrooms) }

// Showroom returns the one with the ID.
func (p Plan) Showroom(id string) (Showroom, bool) {
	for _, s := range p.showrooms {
		if s.ID == id {
			return s, true
		}
	}
	return Showroom{}, false
}

// Serves says whether a pair of glasses belongs to a showroom. Glasses that no
// showroom lists serve the showrooms that list none.
func (p Plan) Serves(glasses string, s Showroom) bool {
	if len(s.Glasses) > 0 {
		return slices.Contains(s.Glasses, glasses)
	}
	return !slices.ContainsFunc(p.showrooms, func(s Showroom) bool { return slices.Contains(s.Glasses, glasses) })
}

// Always is one showroom, called showroom, that never closes, in UTC.
func Always() Plan {
	s := Showroom{ID: "showroom", Title: "Showroom", TimeZone: "UTC", Slot: DefaultSlot, location: time.UTC}
	for day := range s.week {
		s.week[day] = []span{{0, 24 * 60}}
	}
	return Plan{showrooms: []Showroom{s}}
}

// Showroom is one place with its hours.
type Showroom struct {
	ID       string
	Title    string
	TimeZone string        // as the IANA names it
	Slot     time.Duration // the length of an appointment
	Glasses  []string      // the pairs that serve it; none listed: any that serve no other

	location *time.Location
	week     [7][]span // by time.Weekday; in order, without overlap
	holidays []period  // in order
}

// Location is the showroom's time zone.
func (s Showroom) Location() *time.Location { return s.location }

// Slot is a time that can be booked.
type Slot struct {
	Start, End time.Time // UTC
}

// Overlaps says whether two of them share a moment.
func (s Slot) Overlaps(other Slot) bool {
	return s.Start.Before(other.End) && other.Start.Before(s.End)
}

// Open says whether the showroom is open at a moment. At the very moment when it
// closes it is closed.
func (s Showroom) Open(at time.Time) bool {
	for _, open := range s.day(dateOf(at.In(s.location))) {
		if !at.Before(open.Start) && at.Before(open.End) {
			return true
		}
	}
	return false
}

// NextOpen returns when the showroom opens next: at itself while it is open. It is
// false for one that stays closed for the next 400 days.
func (s Showroom) NextOpen(at time.Time) (time.Time, bool) {
	first := dateOf(at.In(s.location))
	for i := range horizon {
		for _, open := range s.day(first.plus(i)) {
			if at.Before(open.End) {
				return latest(open.Start, at).UTC(), true
			}
		}
	}
	return time.Time{}, false
}

// Slots returns the slots that start at from or later, and before to, in order.
func (s Showroom) Slots(from, to time.Time) (list []Slot) {
	last := dateOf(to.In(s.location))
	for date := dateOf(from.In(s.location)); !last.before(date); date = date.plus(1) {
		for _, open := range s.day(date) {
			list = append(list, s.within(open, from, to)...)
		}
	}
	return list
}

// within cuts what is open into slots; what is left at its end is too short.
func (s Showroom) within(open Slot, from, to time.Time) (list []Slot) {
	for start := open.Start; !start.Add(s.Slot).After(open.End) && start.Before(to); start = start.Add(s.Slot) {
		if !start.Before(from) {
			list = append(list, Slot{start, start.Add(s.Slot)})
		}
	}
	return list
}

// HasSlot says whether one starts at that moment, and returns it.
func (s Showroom) HasSlot(start time.Time) (Slot, bool) {
	for _, slot := range s.Slots(start, start.Add(time.Nanosecond)) {
		return slot, true
	}
	return Slot{}, false
}

// day returns what is open on a date.
func (s Showroom) day(d date) (open []Slot) {
	if slices.ContainsFunc(s.holidays, func(p period) bool { return p.contains(d) }) {
		return nil
	}
	for _, sp := range s.week[d.weekday()] {
		start, end := d.at(sp.open, s.location, first), d.at(sp.shut, s.location, second)
		if start.Before(end) { // all of it may be in the hour that a day lacks
			open = append(open, Slot{start, end})
		}
	}
	return open
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
