package chromiumtest

import (
	"context"
	_ "embed"
	"testing"

	"github.com/chromedp/chromedp"
)

//go:embed accessible.js
var accessible string

// ComputedNames lets Accessible see the names that a screen reader is given. It is
// an option for Start.
func ComputedNames() chromedp.ExecAllocatorOption {
	return chromedp.Flag("enable-blink-features", "ComputedAccessibilityInfo")
}

// Accessible reports what is wrong with the page when nothing moves any more:
// elements without names, broken references, headings, contrast below WCAG AA,
// targets below 44 px, text that is cut off. A modal dialog is looked at alone.
func Accessible(t testing.TB, ctx context.Context, state string) {
	t.Helper()
	for _, problem := range Eval[[]string](t, ctx, accessible) {
		t.Errorf("%s: %s", state, problem)
	}
}
