package manual

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
)

func sample() *cobra.Command {
	run := func(*cobra.Command, []string) {}
	root := &cobra.Command{Use: "glasses", Short: "The top", Run: run}
	root.PersistentFlags().Bool("json", false, "print JSON")
	live := &cobra.Command{Use: "live", Short: "Go live", Example: "  glasses live", Run: run}
	live.Flags().String("camera", "auto", "which `source`")
	root.AddCommand(live, &cobra.Command{Use: "secret", Hidden: true, Run: run})
	root.InitDefaultCompletionCmd()
	return root
}

func TestPages(t *testing.T) {
	dir := t.TempDir()
	if err := Pages(dir, sample(), time.Unix(0, 0)); err != nil {
		t.Fatal(err)
	}
	pages, _ := filepath.Glob(filepath.Join(dir, "*"))
	if len(pages) != 2 || filepath.Base(pages[0]) != "glasses-live.1" || filepath.Base(pages[1]) != "glasses.1" {
		t.Fatalf("got %v", pages)
	}
	page, err := os.ReadFile(pages[0])
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"Jan 1970"`, "\n" + `\fB--camera\fP=source` + "\n", "which source (default auto)", "\n" + `\fB--json\fP` + "\n", "glasses(1)"} {
		if !strings.Contains(string(page), want) {
			t.Errorf("no %q in\n%s", want, page)
		}
	}
	top, err := os.ReadFile(pages[1])
	if err != nil {
		t.Fatal(err)
	}
	for _, wrong := range []string{"completion", "secret", "cobra"} {
		if strings.Contains(string(top), wrong) {
			t.Errorf("%q in\n%s", wrong, top)
		}
	}
}

func TestCompletions(t *testing.T) {
	share := t.TempDir()
	if err := Completions(share, sample()); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"bash-completion/completions/glasses", "zsh/vendor-completions/_glasses", "fish/vendor_completions.d/glasses.fish"} {
		script, err := os.ReadFile(filepath.Join(share, path))
		if err != nil || !strings.Contains(string(script), "glasses") {
			t.Errorf("%s: %d bytes, %v", path, len(script), err)
		}
	}
}
