package letters

import (
	"fmt"
	"strings"
	"time"
)

// words are a language's. In them {title}, {name}, {start}, {was}, {items} and
// {what} stand for what Data has.
type words struct {
	Lang string

	Dear, Hello                                           string // greetings, with a name and without
	Date, Time, Code, Kept, GivenAt, Version              string // labels
	Join, Manage, Again, View, Confirm, Privacy, IfBroken string // links
	SameCode                                              string // where the letter has no code
	Event                                                 string // in a calendar

	Booked, Changed, Reminder, Cancelled, Media, Consent text

	Days                       [7]string // from Sunday
	Months                     [12]string
	DateForm                   string // {day}, {d}, {month} and {year}
	SpanForm                   string // {from}, {to} and {zone}
	MomentForm                 string // {date} and {from}
	Zones                      map[string]string
	And                        string
	Photo, Photos, Clip, Clips string
}

// text is what one kind of letter says.
type text struct {
	Subject, Heading string
	Intro, After     []string
	Footer           string
}

func wordsOf(locale string) *words {
	switch locale {
	case "nl":
		return dutch()
	case "de":
		return german()
	}
	return english()
}

// date is a day in words.
func (w *words) date(t time.Time) string {
	return strings.NewReplacer("{day}", w.Days[t.Weekday()], "{d}", fmt.Sprint(t.Day()),
		"{month}", w.Months[t.Month()-1], "{year}", fmt.Sprint(t.Year())).Replace(w.DateForm)
}

// span is a time of day, from and to, and in which time zone that is.
func (w *words) span(from, to time.Time) string {
	return strings.NewReplacer("{from}", from.Format("15:04"), "{to}", to.Format("15:04"), "{zone}", w.zone(from)).Replace(w.SpanForm)
}

// moment is a day and a time of day.
func (w *words) moment(t time.Time) string {
	return strings.NewReplacer("{date}", w.date(t), "{from}", t.Format("15:04")).Replace(w.MomentForm)
}

func (w *words) zone(t time.Time) string {
	name, _ := t.Zone()
	if known := w.Zones[name]; known != "" {
		return known
	}
	if strings.Trim(name, "+-0123456789") == "" { // a zone that has no abbreviation
		return "UTC" + t.Format("-07:00")
	}
	return name
}

// items counts: 1 photo and 2 videos.
func (w *words) items(photos, clips int) string {
	if photos+clips == 0 {
		return w.what(photos, clips)
	}
	var parts []string
	for _, p := range []struct {
		n         int
		one, many string
	}{{photos, w.Photo, w.Photos}, {clips, w.Clip, w.Clips}} {
		switch {
		case p.n == 1:
			parts = append(parts, "1 "+p.one)
		case p.n > 1:
			parts = append(parts, fmt.Sprintf("%d %s", p.n, p.many))
		}
	}
	return strings.Join(parts, " "+w.And+" ")
}

// what names them.
func (w *words) what(photos, clips int) string {
	switch {
	case clips == 0 && photos > 0:
		return w.Photos
	case photos == 0 && clips > 0:
		return w.Clips
	}
	return w.Photos + " " + w.And + " " + w.Clips
}
