package letters

import (
	"strings"
	"testing"
	"unicode"
)

func TestName(t *testing.T) {
	for typed, want := range map[string]string{
		"Anna de Vries":                    "Anna de Vries",
		"  J.  van 't Hek ":                "J. van 't Hek",
		"Jean-Luc O’Neill":                 "Jean-Luc O’Neill",
		"Müller":                           "Müller",
		"Ştefan Ünal":                      "Ştefan Ünal",
		"محمد علی":                         "محمد علی",
		"李小龍":                              "李小龍",
		"Anna\u202eseirV":                  "AnnaseirV",
		"Anna\r\nBcc: x":                   "",
		"You won! evil.example":            "",
		"Win www.evil.example":             "",
		"evil.example":                     "",
		"https://evil.example":             "",
		"anna@example.com":                 "",
		"<script>":                         "",
		"Anna 123":                         "",
		"...":                              "",
		"":                                 "",
		"Z" + strings.Repeat("\u0300", 20): "",
		strings.Repeat("a", 61):            "",
	} {
		if got := Name(typed); got != want {
			t.Errorf("%q: %q, want %q", typed, got, want)
		}
	}
}

// Whatever is typed as a name, the letter says nothing but the name, or none.
func FuzzName(f *testing.F) {
	for _, seed := range []string{"Anna de Vries", "Anna\r\nBcc: x@y.example", "\u202eanna", "=?utf-8?q?x?=", "<img src=x>", "evil.example", "{title}", "ﷺ\u0301\u0301\u0301"} {
		f.Add(seed)
	}
	plain := Confirmation(story("en"))
	f.Fuzz(func(t *testing.T, typed string) {
		name := Name(typed)
		if strings.ContainsFunc(name, func(r rune) bool {
			return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || strings.ContainsRune("<>@:/{}\"&=?\n", r)
		}) {
			t.Errorf("%q gave %q", typed, name)
		}
		d := story("en")
		d.Name = typed
		m := Confirmation(d)
		greeting := "Hello,"
		if name != "" {
			greeting = "Dear " + name + ","
		}
		if want := strings.Replace(plain.Text, "Dear Anna de Vries,", greeting, 1); m.Text != want || m.Name != name {
			t.Errorf("%q wrote %q", typed, m.Text)
		}
		if strings.Count(m.HTML, "<") != strings.Count(plain.HTML, "<") || m.Subject != plain.Subject || *m.Calendar != *plain.Calendar {
			t.Errorf("%q wrote %q", typed, m.HTML)
		}
	})
}
