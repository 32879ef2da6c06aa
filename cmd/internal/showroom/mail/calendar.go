package mail

import (
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// method is what the calendar is asked to do (RFC 5546, 3.2).
func (e *Event) method() string {
	if e.Cancelled {
		return "CANCEL"
	}
	return "REQUEST"
}

// ics writes an event as a calendar file (RFC 5545). Times are in UTC, so that the
// file needs no time zones, which readers disagree on.
func (e *Event) ics(now time.Time, organizer, name, attendee string) string {
	status, partStat := "CONFIRMED", "ACCEPTED" // by whom it is to: it was booked by them
	if e.Cancelled {
		status = "CANCELLED"
	}
	var b strings.Builder
	property := func(name, value string) { b.WriteString(fold(name + ":" + value)) }
	property("BEGIN", "VCALENDAR")
	property("VERSION", "2.0")
	property("PRODID", "-//Bril//Showroom//EN")
	property("METHOD", e.method())
	property("BEGIN", "VEVENT")
	property("UID", escape(e.UID))
	property("SEQUENCE", strconv.Itoa(e.Sequence))
	property("DTSTAMP", stamp(now))
	property("DTSTART", stamp(e.Start))
	property("DTEND", stamp(e.End))
	property("SUMMARY", escape(line(e.Summary, maxSubject)))
	if e.Description != "" {
		property("DESCRIPTION", escape(e.Description))
	}
	if e.URL != "" {
		property("LOCATION", escape(e.URL))
		property("URL", line(e.URL, maxURL))
	}
	property("ORGANIZER"+commonName(name), "mailto:"+organizer)
	property("ATTENDEE;ROLE=REQ-PARTICIPANT;PARTSTAT="+partStat+";RSVP=FALSE", "mailto:"+attendee)
	property("STATUS", status)
	property("TRANSP", "OPAQUE")
	property("END", "VEVENT")
	property("END", "VCALENDAR")
	return b.String()
}

func stamp(t time.Time) string { return t.UTC().Format("20060102T150405Z") }

// commonName is a parameter, which is quoted and can hold no quotes (3.2).
func commonName(name string) string {
	name = strings.ReplaceAll(displayName(name), `"`, "'")
	if name == "" {
		return ""
	}
	return `;CN="` + name + `"`
}

// escape writes a TEXT value (3.3.11).
func escape(s string) string {
	var lines []string
	for part := range strings.Lines(s) {
		lines = append(lines, line(part, maxText))
	}
	return strings.NewReplacer(`\`, `\\`, ";", `\;`, ",", `\,`, "\n", `\n`).Replace(strings.Join(lines, "\n"))
}

// fold breaks a line after 75 bytes, within no character (3.1).
func fold(s string) string {
	const most = 75
	var b strings.Builder
	for room := most; len(s) > room; room = most - 1 {
		cut := room
		for !utf8.RuneStart(s[cut]) {
			cut--
		}
		b.WriteString(s[:cut] + "\r\n ")
		s = s[cut:]
	}
	return b.String() + s + "\r\n"
}
