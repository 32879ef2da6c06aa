package hours

import "time"

// span is a part of a day, in minutes on the showroom's clock since midnight. It
// may end at 24:00.
type span struct{ open, shut int }

// date is a day on the showroom's calendar.
type date struct {
	year  int
	month time.Month
	day   int
}

func dateOf(t time.Time) date {
	y, m, d := t.Date()
	return date{y, m, d}
}

// utc is the date's midnight where clocks never change.
func (d date) utc() time.Time { return time.Date(d.year, d.month, d.day, 0, 0, 0, 0, time.UTC) }

func (d date) plus(days int) date { return dateOf(d.utc().AddDate(0, 0, days)) }

func (d date) before(other date) bool { return d.utc().Before(other.utc()) }

func (d date) weekday() time.Weekday { return d.utc().Weekday() }

// period is some days of which the last belongs to it.
type period struct{ from, to date }

func (p period) contains(d date) bool { return !d.before(p.from) && !p.to.before(d) }

// occurrence is which of two moments is meant when a clock that is put back shows
// the same time twice.
type occurrence int

const (
	first occurrence = iota
	second
)

// at returns the moment when the showroom's clock shows minute on this date. Of a
// time that the clock skips, it is the moment of the change.
//
// time.Date does not say which moment it takes in either case.
func (d date) at(minute int, where *time.Location, which occurrence) time.Time {
	wall := d.utc().Add(time.Duration(minute) * time.Minute)
	// No zone is further than a day from UTC, and none changes twice within days.
	_, before := wall.Add(-24 * time.Hour).In(where).Zone()
	_, after := wall.Add(24 * time.Hour).In(where).Zone()
	early, late := wall.Add(-time.Duration(before)*time.Second), wall.Add(-time.Duration(after)*time.Second)
	shows := func(t time.Time) bool {
		_, offset := t.In(where).Zone()
		return t.Add(time.Duration(offset) * time.Second).Equal(wall)
	}
	switch {
	case shows(early) && (which == first || !shows(late)):
		return early
	case shows(late):
		return late
	}
	change, _ := early.In(where).ZoneBounds() // early is past the change, on its clock
	return change.UTC()
}
