package cli

import (
	"io"
	"testing"

	"github.com/bril-edge/bril/cmd/internal/storytest"
)

// Every command and every flag has its story, and every command an example.
func TestStories(t *testing.T) {
	except := map[string]string{}
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		except["bril completion "+shell+" --json"] = "it prints a script of that shell"
	}
	missing, err := storytest.Untold(newRoot(App{Version: "1.2.3", Stdout: io.Discard, Stderr: io.Discard}), "testdata/script", except)
	if err != nil {
		t.Fatal(err)
	}
	for _, what := range missing {
		t.Errorf("no story of %s", what)
	}
}
