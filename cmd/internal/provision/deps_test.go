package provision

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// TestOnlyHere keeps the decoder out of what handles live pictures and photos.
func TestOnlyHere(t *testing.T) {
	list, err := exec.Command("go", "list", "-f", "{{.ImportPath}}: {{join .Imports \" \"}}", "../../../...").Output()
	if err != nil {
		t.Fatal(err)
	}
	var by []string
	for line := range strings.Lines(string(list)) {
		if path, imports, _ := strings.Cut(line, ": "); strings.Contains(imports, "makiuchi-d/gozxing") {
			by = append(by, path)
		}
	}
	if want := []string{"github.com/bril-edge/bril/cmd/internal/provision"}; !slices.Equal(by, want) {
		t.Errorf("the decoder is imported by %v", by)
	}
}
