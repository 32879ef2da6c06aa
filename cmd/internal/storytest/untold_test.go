package storytest

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/spf13/cobra"
)

func TestUntold(t *testing.T) {
	root := &cobra.Command{Use: "lens"}
	root.PersistentFlags().Bool("json", false, "")
	run := func(*cobra.Command, []string) error { return nil }
	clean := &cobra.Command{Use: "clean", Example: "  lens clean", RunE: run}
	clean.Flags().BoolP("wet", "w", false, "")
	clean.Flags().Bool("dry", false, "")
	polish := &cobra.Command{Use: "polish", RunE: run}
	group := &cobra.Command{Use: "frame", RunE: run}
	group.AddCommand(&cobra.Command{Use: "bend", Example: "  lens frame bend", RunE: run})
	root.AddCommand(clean, polish, group)

	dir := t.TempDir()
	story := `# exec lens polish is no story, nor is what follows.
exec lens clean -w # --dry
until 'a b' lens clean --json
exec lens polish --help
stdout 'lens polish'
! exec lens frame bend
-- file --
exec lens polish
`
	if err := os.WriteFile(filepath.Join(dir, "a.txtar"), []byte(story), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := Untold(root, dir, map[string]string{"lens polish --json": "it has no data", "lens clean": "", "lens shine": ""})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"lens clean --dry", "lens clean is told, and needs no exception", "lens frame bend --json",
		"lens polish", "lens polish (example)", "lens shine is excepted, and does not exist",
	}
	if !slices.Equal(got, want) {
		t.Errorf("untold: %q\nwant: %q", got, want)
	}
}
