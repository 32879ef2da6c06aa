package letters

import (
	_ "embed" // the templates
	"fmt"
	htmltemplate "html/template"
	"io"
	"strings"
	"text/template"
)

// page is what both forms of a letter show, from top to bottom. What is empty is
// left out.
type page struct {
	Lang, Title, Subject string
	Heading, Greeting    string
	Intro                []string
	Quote                string
	Facts                []fact
	Code                 fact
	Action               link
	IfBroken             string // comes before Action's address
	After                []string
	Other, Privacy       link
	Footer               string
}

type fact struct{ Label, Value string }

type link struct{ Label, URL string }

//go:embed letter.html
var htmlSource string

//go:embed letter.txt
var plainSource string

func (p page) html() string {
	return p.render(htmltemplate.Must(htmltemplate.New("letter.html").Parse(htmlSource)))
}

func (p page) plain() string {
	return strings.TrimSpace(p.render(template.Must(template.New("letter.txt").Parse(plainSource)))) + "\n"
}

func (p page) render(t interface{ Execute(io.Writer, any) error }) string {
	var b strings.Builder
	if err := t.Execute(&b, p); err != nil {
		panic(fmt.Sprintf("letters: template: %v", err)) // every letter is made by a test
	}
	return b.String()
}
