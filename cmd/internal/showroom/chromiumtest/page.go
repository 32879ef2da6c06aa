package chromiumtest

import (
	"context"
	"fmt"
	"os"
	"slices"
	"testing"

	"github.com/chromedp/chromedp"
)

// Shoot takes the page, all of it, as a phone and as a desktop browser show it, to be
// looked at by eye: PNG files in the directory SHOWROOM_SCREENSHOTS, none where that is
// not set. It fails the test where the page is wider than the window.
func Shoot(t testing.TB, ctx context.Context, name string) {
	t.Helper()
	dir := os.Getenv("SHOWROOM_SCREENSHOTS")
	for size, width := range map[string]int64{"390": 390, "1280": 1280} {
		Run(t, ctx, chromedp.EmulateViewport(width, 844))
		wide := Eval[[]int](t, ctx, `[document.documentElement.scrollWidth, innerWidth]`)
		if wide[0] > wide[1] {
			t.Errorf("%s at %s: the page is %d wide, the window %d", name, size, wide[0], wide[1])
		}
		if dir == "" {
			continue
		}
		var png []byte
		Run(t, ctx, chromedp.FullScreenshot(&png, 100))
		if err := os.WriteFile(dir+"/"+name+"-"+size+".png", png, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// Words fails the test unless a catalogue, an export of a module, says the same in
// Dutch, German and English, with the same values, and at least so many words.
func Words(t testing.TB, ctx context.Context, module, catalogue string, least int) {
	t.Helper()
	keys := Eval[map[string][]string](t, ctx, fmt.Sprintf(`import(%q).then((module) => Object.fromEntries(Object.entries(module[%q]).map(([tag, words]) =>
		[tag, Object.entries(words).map(([key, text]) => key + [...text.matchAll(/\{\w+\}/g)].map(String).sort().join("")).sort()])))`, module, catalogue))
	if len(keys) != 3 || len(keys["en"]) < least {
		t.Fatalf("%s: %d languages, %d words", module, len(keys), len(keys["en"]))
	}
	for tag, words := range keys {
		if !slices.Equal(words, keys["en"]) {
			t.Errorf("%s: %s has other words than en:\n%q\n%q", module, tag, words, keys["en"])
		}
	}
}
