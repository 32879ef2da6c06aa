package chromiumtest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// Patience is how long a page may take for anything. It is no target.
const Patience = 20 * time.Second

// Run does what chromedp itself would wait for without an end.
func Run(t testing.TB, ctx context.Context, actions ...chromedp.Action) {
	t.Helper()
	bounded, cancel := context.WithTimeout(ctx, Patience)
	defer cancel()
	if err := chromedp.Run(bounded, actions...); err != nil {
		t.Fatal(err)
	}
}

// Open goes to an address.
func Open(t testing.TB, ctx context.Context, url string) {
	t.Helper()
	bounded, cancel := context.WithTimeout(ctx, Patience)
	defer cancel()
	if err := chromedp.Run(bounded, chromedp.Navigate(url)); err != nil {
		t.Fatalf("open %s: %v", url, err)
	}
}

// Arrive returns once the page has been left for the one at a path, which WaitFor
// does not bear.
func Arrive(t testing.TB, ctx context.Context, path string) {
	t.Helper()
	for deadline := time.Now().Add(Patience); time.Now().Before(deadline); {
		if where(ctx) == path+"complete" {
			return
		}
	}
	t.Fatalf("the page is not %s", path)
}

// where says which page is there, and how far it has come; empty while one is left
// for another, when the question may never be answered.
func where(ctx context.Context) (page string) {
	bounded, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	if chromedp.Run(bounded, chromedp.Evaluate(`location.pathname + document.readyState`, &page)) != nil {
		return ""
	}
	return page
}

// Click clicks what the CSS selector finds, once it is to be seen.
func Click(t testing.TB, ctx context.Context, selector string) {
	t.Helper()
	WaitFor(t, ctx, fmt.Sprintf(`document.querySelector(%q)?.checkVisibility()`, selector), Patience)
	bounded, cancel := context.WithTimeout(ctx, Patience)
	defer cancel()
	if err := chromedp.Run(bounded, chromedp.ScrollIntoView(selector, chromedp.ByQuery), chromedp.Click(selector, chromedp.ByQuery)); err != nil {
		t.Fatalf("click %s: %v", selector, err)
	}
}

// Type writes a text over what is in a field.
func Type(t testing.TB, ctx context.Context, selector, text string) {
	t.Helper()
	Eval[bool](t, ctx, fmt.Sprintf(`(document.querySelector(%q).select(), true)`, selector))
	bounded, cancel := context.WithTimeout(ctx, Patience)
	defer cancel()
	if err := chromedp.Run(bounded, chromedp.SendKeys(selector, text, chromedp.ByQuery)); err != nil {
		t.Fatalf("type into %s: %v", selector, err)
	}
}

// Press presses a key, of chromedp/kb or a letter, wherever the focus is.
func Press(t testing.TB, ctx context.Context, key string) {
	t.Helper()
	Run(t, ctx, chromedp.KeyEvent(key))
}
