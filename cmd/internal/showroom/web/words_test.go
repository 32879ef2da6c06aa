package web

import (
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

var languages = []string{"nl", "de", "en"}

// catalogue reads a language's texts. Each is on a line of its own.
func catalogue(t *testing.T, language string) map[string]string {
	t.Helper()
	line := regexp.MustCompile(`^  '([\w.]+)': '([^']*)',$`)
	texts := map[string]string{}
	for _, l := range strings.Split(asset(t, "words."+language+".js"), "\n") {
		if l == "" || l == "export default {" || l == "};" {
			continue
		}
		match := line.FindStringSubmatch(l)
		if match == nil || strings.TrimSpace(match[2]) == "" {
			t.Errorf("%s: %s", language, l)
			continue
		}
		if _, ok := texts[match[1]]; ok {
			t.Errorf("%s has %s twice", language, match[1])
		}
		texts[match[1]] = match[2]
	}
	return texts
}

func asset(t *testing.T, name string) string {
	t.Helper()
	data, err := fs.ReadFile(assets, path.Join("assets", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// files returns the names of the customers' assets of a kind, without the
// catalogues. The pages behind a door have their own.
func files(t *testing.T, suffix string) (names []string) {
	t.Helper()
	entries, err := fs.ReadDir(assets, "assets")
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		name := entry.Name()
		behindADoor := slices.ContainsFunc([]string{"staff", "fleet", "door.", "language."}, func(prefix string) bool { return strings.HasPrefix(name, prefix) })
		if strings.HasSuffix(name, suffix) && !behindADoor && (name == "words.js" || !strings.HasPrefix(name, "words.")) {
			names = append(names, name)
		}
	}
	return names
}

// Every language says everything, with the same values in it.
func TestCatalogues(t *testing.T) {
	value := regexp.MustCompile(`\{\w+\}`)
	english := catalogue(t, "en")
	for _, language := range languages {
		texts := catalogue(t, language)
		if len(texts) != len(english) {
			t.Errorf("%s has %d texts, en %d", language, len(texts), len(english))
		}
		for key, text := range english {
			other, ok := texts[key]
			if !ok {
				t.Errorf("%s has no %s", language, key)
			}
			want, got := value.FindAllString(text, -1), value.FindAllString(other, -1)
			slices.Sort(want)
			slices.Sort(got)
			if !slices.Equal(slices.Compact(want), slices.Compact(got)) {
				t.Errorf("%s of %s has %q, not %q", key, language, got, want)
			}
		}
	}
}

// What pages and scripts ask for is there, and nothing else is.
func TestKeys(t *testing.T) {
	texts := catalogue(t, "en")
	exact := regexp.MustCompile("data-(?:t|label)=\"([\\w.]+)\"|['\"`]([a-z]+(?:\\.\\w+)*)['\"`]")
	made := regexp.MustCompile("[`]([a-z.]+\\.)\\$\\{") // `state.${state}`
	used := map[string]bool{}
	var prefixes []string
	for _, name := range append(files(t, ".html"), files(t, ".js")...) {
		text := asset(t, name)
		for _, match := range exact.FindAllStringSubmatch(text, -1) {
			key := match[1] + match[2]
			used[key] = true
			if _, ok := texts[key]; !ok && match[1] != "" {
				t.Errorf("%s asks for %s", name, key)
			}
		}
		for _, match := range made.FindAllStringSubmatch(text, -1) {
			prefixes = append(prefixes, match[1])
		}
	}
	for key := range texts {
		if !used[key] && !slices.ContainsFunc(prefixes, func(prefix string) bool { return strings.HasPrefix(key, prefix) }) &&
			!used[strings.TrimSuffix(key, ".at")] {
			t.Errorf("nobody asks for %s", key)
		}
	}
}

// Pages have no words of their own, but for the brand and for those who have no
// script to read a catalogue with.
func TestPagesHaveNoWords(t *testing.T) {
	for _, name := range files(t, ".html") {
		document, err := html.Parse(strings.NewReader(asset(t, name)))
		if err != nil {
			t.Fatal(err)
		}
		for node := range document.Descendants() {
			checkNode(t, name, node)
		}
	}
}

func checkNode(t *testing.T, name string, node *html.Node) {
	for _, attribute := range node.Attr {
		switch attribute.Key {
		case "aria-label", "alt", "title", "placeholder", "aria-description", "value":
			if attribute.Val != "" {
				t.Errorf("%s: <%s %s=%q>", name, node.Data, attribute.Key, attribute.Val)
			}
		case "style", "onclick", "onsubmit":
			t.Errorf("%s: <%s %s>", name, node.Data, attribute.Key)
		case "src", "href":
			if !strings.HasPrefix(attribute.Val, "/assets/") && !strings.HasPrefix(attribute.Val, "#") {
				t.Errorf("%s: <%s %s=%q>", name, node.Data, attribute.Key, attribute.Val)
			}
		}
	}
	if node.Type != html.TextNode || node.Parent.Data == "noscript" {
		return
	}
	if text := strings.TrimSpace(node.Data); text != "" && text != "Bril" {
		t.Errorf("%s: <%s>%s", name, node.Parent.Data, text)
	}
}

// Nor have scripts: no string of theirs is a phrase, but for errors, which no
// customer reads.
func TestScriptsHaveNoWords(t *testing.T) {
	comment := regexp.MustCompile(`(?m)//.*$|(?s)/\*.*?\*/`)
	literal := regexp.MustCompile("'(?:[^'\\\\\n]|\\\\.)*'|`(?:[^`\\\\]|\\\\.)*`")
	phrase := regexp.MustCompile(`[A-Z][a-z]+ [a-z]|[a-z]{2,} [a-z]{2,}|^.[A-Z][a-z]+.$`)
	harmless := regexp.MustCompile("server answered|^.button span.$|^.(?:Content-Type|Location|Authorization|Escape|Arrow(?:Left|Right)|Retry-After|.*Error|Bearer .*|POST|GET|PUT|DELETE).$|measure sound")
	for _, name := range files(t, ".js") {
		for _, found := range literal.FindAllString(comment.ReplaceAllString(asset(t, name), ""), -1) {
			if phrase.MatchString(found) && !harmless.MatchString(found) {
				t.Errorf("%s: %s", name, found)
			}
		}
	}
}
