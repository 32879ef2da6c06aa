package chromiumtest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// patience is how long a page may take to show what is to be clicked. It is no target.
const patience = 20 * time.Second

// Open goes to an address.
func Open(t testing.TB, ctx context.Context, url string) {
	t.Helper()
	if err := chromedp.Run(ctx, chromedp.Navigate(url)); err != nil {
		t.Fatalf("open %s: %v", url, err)
	}
}

// Click clicks what the CSS selector finds, once it is to be seen.
func Click(t testing.TB, ctx context.Context, selector string) {
	t.Helper()
	WaitFor(t, ctx, fmt.Sprintf(`document.querySelector(%q)?.checkVisibility()`, selector), patience)
	if err := chromedp.Run(ctx, chromedp.ScrollIntoView(selector, chromedp.ByQuery), chromedp.Click(selector, chromedp.ByQuery)); err != nil {
		t.Fatalf("click %s: %v", selector, err)
	}
}

// Type writes a text over what is in a field.
func Type(t testing.TB, ctx context.Context, selector, text string) {
	t.Helper()
	Eval[bool](t, ctx, fmt.Sprintf(`(document.querySelector(%q).select(), true)`, selector))
	if err := chromedp.Run(ctx, chromedp.SendKeys(selector, text, chromedp.ByQuery)); err != nil {
		t.Fatalf("type into %s: %v", selector, err)
	}
}
