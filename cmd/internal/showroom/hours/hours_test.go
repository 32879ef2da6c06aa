package hours

import (
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

const brussels = `
showrooms:
  - id: antwerp
    title: Showroom Antwerpen
    time_zone: Europe/Brussels
    slot: 30m
    glasses: [anna, ben]
    hours:
      monday: 09:00-12:30, 13:30-18:00
      tuesday: 09:00-18:00
      saturday: 10:00-17:00
      sunday: 00:00-06:00
    holidays: [2027-01-02, 2027-07-19..2027-07-25]
  - id: gent
    time_zone: Europe/Brussels
    hours: {friday: "08:00-24:00", monday: closed}
`

func parse(t testing.TB, text string) Plan {
	t.Helper()
	plan, err := Parse([]byte(text), "hours.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return plan
}

func antwerp(t testing.TB) Showroom {
	s, _ := parse(t, brussels).Showroom("antwerp")
	return s
}

// local reads a time as the showroom's clock shows it, with its offset.
func local(t *testing.T, text string) time.Time {
	t.Helper()
	at, err := time.Parse("2006-01-02 15:04 -0700", text)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func TestParse(t *testing.T) {
	plan := parse(t, brussels)
	s := antwerp(t)
	if s.Title != "Showroom Antwerpen" || s.TimeZone != "Europe/Brussels" || s.Slot != 30*time.Minute || !slices.Equal(s.Glasses, []string{"anna", "ben"}) {
		t.Errorf("got %+v", s)
	}
	gent, ok := plan.Showroom("gent")
	if !ok || gent.Title != "gent" || gent.Slot != DefaultSlot || len(plan.Showrooms()) != 2 {
		t.Errorf("got %+v, %v", gent, ok)
	}
	for glasses, want := range map[string][2]bool{"anna": {true, false}, "carl": {false, true}} {
		if got := [2]bool{plan.Serves(glasses, s), plan.Serves(glasses, gent)}; got != want {
			t.Errorf("%s serves %v, want %v", glasses, got, want)
		}
	}
}

func TestProblemsHaveLines(t *testing.T) {
	const begin = "showrooms:\n- id: a\n  time_zone: UTC\n  hours:\n    monday: 09:00-17:00\n"
	for _, test := range []struct{ text, want string }{
		{"", "f: the file is empty"},
		{"# nothing\n", "f: the file is empty"},
		{"showrooms: []\n", "f:1: no showroom is listed"},
		{"rooms: []\n", `f:1: unknown key "rooms"`},
		{"- a\n", "f:1: expected keys"},
		{begin + "    mondy: 9:00-10:00\n", `f:6: unknown key "mondy"`},
		{begin + "  holidays: [2027-02-29]\n", `f:6: "2027-02-29": a holiday is written`},
		{begin + "  holidays:\n  - 2027-01-01\n  - 2027-03-02..2027-03-01\n", "f:8: \"2027-03-02..2027-03-01\": the holiday ends"},
		{begin + "    tuesday: 17:00-09:00\n", `f:6: "17:00-09:00": what opens`},
		{begin + "    tuesday: 09:00-25:00\n", `f:6: "09:00-25:00": hours are written`},
		{begin + "    tuesday: 09:00-12:00, 11:00-13:00\n", `f:6: "09:00-12:00, 11:00-13:00": the hours of a day`},
		{begin + "  slot: 90s\n", `f:6: "90s": a slot has`},
		{begin + "  glasses: [anna, \"b/c\"]\n", `f:6: "b/c": names of glasses`},
		{begin + "- id: a\n  time_zone: UTC\n  hours: {}\n", `f:6: a second showroom "a"`},
		{begin + "- id: b\n", `f:6: showroom "b" has no time_zone`},
		{"showrooms:\n- id: A\n", `f:2: "A": an id has`},
		{"showrooms:\n- id: a\n  time_zone: Europe/Brusels\n  hours: {}\n", `f:3: "Europe/Brusels": unknown time zone`},
		{"showrooms:\n\t- id: a\n", "f:2: the line begins with a tab"},
		{"showrooms:\n- id: &a b\n", "f:2: anchors"},
		{"showrooms: [\n", "f:1: "},
		{"showrooms: []\n---\nshowrooms: []\n", "f:3: a second YAML document"},
	} {
		_, err := Parse([]byte(test.text), "f")
		problems := Problems(nil)
		if !errors.As(err, &problems) || !strings.HasPrefix(err.Error(), test.want) {
			t.Errorf("%q: %v, want %s", test.text, err, test.want)
		}
	}
}

func TestAllProblemsAreTold(t *testing.T) {
	_, err := Parse([]byte("showrooms:\n- id: A\n  time_zone: X\n  hours:\n    monday: x\n  slot: x\n"), "f")
	if problems := Problems(nil); !errors.As(err, &problems) || len(problems) != 4 {
		t.Errorf("got %v", err)
	}
}

func TestLoad(t *testing.T) {
	if plan, err := Load("always"); err != nil || len(plan.Showrooms()) != 1 {
		t.Errorf("always: %v, %v", plan, err)
	}
	path := t.TempDir() + "/hours.yaml"
	if _, err := Load(path); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("a file that is missing: %v", err)
	}
	if err := os.WriteFile(path, []byte(brussels), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(path); err != nil {
		t.Error(err)
	}
}

func TestOpen(t *testing.T) {
	s := antwerp(t)
	for _, test := range []struct {
		at   string
		open bool
		next string
	}{
		{"2027-03-01 08:59 +0100", false, "2027-03-01 09:00 +0100"},
		{"2027-03-01 09:00 +0100", true, "2027-03-01 09:00 +0100"},
		{"2027-03-01 12:30 +0100", false, "2027-03-01 13:30 +0100"},
		{"2027-03-01 17:59 +0100", true, "2027-03-01 17:59 +0100"},
		{"2027-03-01 18:00 +0100", false, "2027-03-02 09:00 +0100"},
		{"2027-03-03 12:00 +0100", false, "2027-03-06 10:00 +0100"}, // no Wednesday
		{"2027-01-02 12:00 +0100", false, "2027-01-03 00:00 +0100"}, // a Saturday, but a holiday
		{"2027-07-18 07:00 +0200", false, "2027-07-26 09:00 +0200"}, // a week of holidays
		{"2027-03-28 00:30 +0100", true, "2027-03-28 00:30 +0100"},
		{"2027-03-28 05:59 +0200", true, "2027-03-28 05:59 +0200"},
		{"2027-03-28 06:00 +0200", false, "2027-03-29 09:00 +0200"}, // an hour earlier than the day before
	} {
		at := local(t, test.at)
		next, ok := s.NextOpen(at)
		if s.Open(at) != test.open || !ok || !next.Equal(local(t, test.next)) {
			t.Errorf("%s: open %v, next %v; want %v, %s", test.at, s.Open(at), next.In(s.location), test.open, test.next)
		}
	}
}

func TestNeverOpen(t *testing.T) {
	s, _ := parse(t, "showrooms: [{id: a, time_zone: UTC, hours: {}}]").Showroom("a")
	if at, ok := s.NextOpen(time.Unix(0, 0)); ok {
		t.Errorf("opens at %v", at)
	}
}

// In 2027, clocks in Brussels go forward on 28 March at 01:00 UTC, from 02:00 to
// 03:00, and back on 31 October at 01:00 UTC, from 03:00 to 02:00.
func TestSlotsWhenClocksChange(t *testing.T) {
	for _, test := range []struct {
		name, hours, date string
		want              []string
	}{
		{"forward, over the change", "01:00-04:00", "2027-03-28", []string{"01:00 +0100", "03:00 +0200"}},
		{"forward, from the hour that is not there", "02:30-05:00", "2027-03-28", []string{"03:00 +0200", "04:00 +0200"}},
		{"forward, until the hour that is not there", "00:30-02:30", "2027-03-28", []string{"00:30 +0100"}},
		{"forward, within the hour that is not there", "02:00-03:00", "2027-03-28", nil},
		{"forward, after it", "09:00-11:00", "2027-03-28", []string{"09:00 +0200", "10:00 +0200"}},
		{"the day before", "01:00-04:00", "2027-03-27", []string{"01:00 +0100", "02:00 +0100", "03:00 +0100"}},
		{"back, over the change", "01:00-04:00", "2027-10-31", []string{"01:00 +0200", "02:00 +0200", "02:00 +0100", "03:00 +0100"}},
		{"back, from the hour that is there twice", "02:30-04:00", "2027-10-31", []string{"02:30 +0200", "02:30 +0100"}},
		{"back, until the hour that is there twice", "01:00-02:30", "2027-10-31", []string{"01:00 +0200", "02:00 +0200"}},
		{"back, after it", "09:00-11:00", "2027-10-31", []string{"09:00 +0100", "10:00 +0100"}},
		{"back, the whole day", "00:00-24:00", "2027-10-31", hourly25()},
	} {
		t.Run(test.name, func(t *testing.T) {
			s, _ := parse(t, "showrooms: [{id: a, time_zone: Europe/Brussels, slot: 1h, hours: {saturday: \""+test.hours+"\", sunday: \""+test.hours+"\"}}]").Showroom("a")
			from := local(t, test.date+" 00:00 +0000").Add(-3 * time.Hour)
			var got []string
			for _, slot := range s.Slots(from, from.Add(30*time.Hour)) {
				if slot.End.Sub(slot.Start) != time.Hour {
					t.Errorf("a slot of %v", slot.End.Sub(slot.Start))
				}
				if start := slot.Start.In(s.location); start.Format(time.DateOnly) == test.date {
					got = append(got, start.Format("15:04 -0700"))
				}
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}

// hourly25 is every hour of the day that has 25.
func hourly25() (list []string) {
	for at := time.Date(2027, 10, 30, 22, 0, 0, 0, time.UTC); len(list) < 25; at = at.Add(time.Hour) {
		zone := time.FixedZone("", 7200)
		if len(list) >= 3 {
			zone = time.FixedZone("", 3600)
		}
		list = append(list, at.In(zone).Format("15:04 -0700"))
	}
	return list
}

// Over a whole year, every minute that the clock on the wall says is open is open,
// and slots neither overlap nor leave the hours.
func TestAYear(t *testing.T) {
	s := antwerp(t)
	begin, end := local(t, "2027-01-01 00:00 +0100"), local(t, "2028-01-01 00:00 +0100")
	for at := begin; at.Before(end); at = at.Add(15 * time.Minute) {
		wall := at.In(s.location)
		minute, open := wall.Hour()*60+wall.Minute(), false
		for _, sp := range s.week[wall.Weekday()] {
			open = open || sp.open <= minute && minute < sp.shut
		}
		holiday := slices.ContainsFunc(s.holidays, func(p period) bool { return p.contains(dateOf(wall)) })
		if s.Open(at) != (open && !holiday) {
			t.Fatalf("%v: open %v", wall, s.Open(at))
		}
	}
	last := Slot{}
	for _, slot := range s.Slots(begin, end) {
		if slot.Overlaps(last) || !s.Open(slot.Start) || !s.Open(slot.End.Add(-time.Second)) {
			t.Fatalf("slot %v after %v", slot, last)
		}
		if again, ok := s.HasSlot(slot.Start); !ok || again != slot {
			t.Fatalf("%v is not found again", slot)
		}
		last = slot
	}
}

func TestAlways(t *testing.T) {
	s := Always().Showrooms()[0]
	at := time.Date(2027, 3, 28, 1, 10, 0, 0, time.UTC)
	if !s.Open(at) || len(s.Slots(at, at.Add(24*time.Hour))) != 48 {
		t.Errorf("open %v, %d slots", s.Open(at), len(s.Slots(at, at.Add(24*time.Hour))))
	}
	if _, ok := s.HasSlot(at); ok {
		t.Error("a slot at ten past")
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(brussels))
	f.Add([]byte("showrooms:\n- id: a\n  time_zone: UTC\n  hours: {monday: 00:00-24:00}\n"))
	f.Add([]byte("showrooms: [{}]"))
	f.Add([]byte("{"))
	f.Fuzz(func(t *testing.T, data []byte) {
		plan, err := Parse(data, "f")
		if err != nil {
			return
		}
		for _, s := range plan.Showrooms() {
			at := time.Date(2027, 3, 28, 0, 0, 0, 0, time.UTC)
			s.Slots(at, at.Add(48*time.Hour))
			if next, ok := s.NextOpen(at); ok && !s.Open(next) {
				t.Errorf("opens at %v, and is closed then", next)
			}
		}
	})
}
