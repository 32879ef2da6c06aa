package lit

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

const (
	root   = "../../.."
	module = "github.com/bril-edge/bril/"
)

// opens is every way to make a device capture, and the one function in the
// program that may name it. malgo is the library below hardware/alsa.
var opens = []struct{ pkg, name, in, function string }{
	{module + "capture/camera", "Open", "cmd/internal/lit/lit.go", "Machine"},
	{module + "capture/microphone", "Open", "cmd/internal/lit/lit.go", "Machine"},
	{module + "hardware/alsa", "Record", "capture/microphone/microphone.go", "open"},
	{"github.com/gen2brain/malgo", "Capture", "hardware/alsa/alsa.go", ""},
	{"github.com/gen2brain/malgo", "Duplex", "", ""},
	{"github.com/gen2brain/malgo", "Loopback", "", ""},
}

// No path leads around the light: cameras and microphones are opened by one
// function, which only underLight's callers reach. A name counts, called or not.
func TestDevicesAreOpenedHereOnly(t *testing.T) {
	found := make([]int, len(opens))
	eachFile(t, func(at string, file *ast.File) {
		imported := imports(file)
		if imported["."] != "" {
			t.Errorf("%s imports %s by a dot: its names cannot be followed", at, imported["."])
		}
		for _, decl := range file.Decls {
			function := ""
			if f, ok := decl.(*ast.FuncDecl); ok {
				function = f.Name.Name
			}
			ast.Inspect(decl, func(n ast.Node) bool {
				selector, ok := n.(*ast.SelectorExpr)
				if !ok {
					return true
				}
				x, ok := selector.X.(*ast.Ident)
				if !ok {
					return true
				}
				for i, o := range opens {
					if imported[x.Name] != o.pkg || selector.Sel.Name != o.name {
						continue
					}
					found[i]++
					if at != o.in || o.function != "" && function != o.function {
						t.Errorf("%s: %s.%s in %s: devices are opened by package lit, under the light", at, path.Base(o.pkg), o.name, function)
					}
				}
				return true
			})
		}
	})
	for i, o := range opens {
		if o.in != "" && found[i] == 0 {
			t.Errorf("%s.%s is not in %s: what does this test look for?", o.pkg, o.name, o.in)
		}
	}
}

// The openers of a System are called inside underLight's argument, and nowhere
// else: its fields cannot be named outside of this package.
func TestOpenersAreCalledUnderTheLight(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "lit.go", nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	within, all := 0, 0
	count := func(n ast.Node, into *int) {
		ast.Inspect(n, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			if f, ok := call.Fun.(*ast.SelectorExpr); ok && (f.Sel.Name == "camera" || f.Sel.Name == "microphone") {
				*into++
			}
			return true
		})
	}
	count(file, &all)
	ast.Inspect(file, func(n ast.Node) bool {
		if call, ok := n.(*ast.CallExpr); ok {
			if f, ok := call.Fun.(*ast.Ident); ok && f.Name == "underLight" {
				count(call.Args[1], &within)
			}
		}
		return true
	})
	if all != 2 || within != all {
		t.Errorf("%d calls of openers, %d of them under the light; want 2 and 2", all, within)
	}
}

// imports returns the packages that a file imports, by the name that it uses.
func imports(file *ast.File) map[string]string {
	names := map[string]string{}
	for _, spec := range file.Imports {
		pkg, _ := strconv.Unquote(spec.Path.Value)
		name := path.Base(pkg)
		if spec.Name != nil {
			name = spec.Name.Name
		}
		names[name] = pkg
	}
	return names
}

// eachFile parses every file of the program that is no test.
func eachFile(t *testing.T, each func(at string, file *ast.File)) {
	t.Helper()
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return err
		}
		at, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err == nil {
			each(filepath.ToSlash(at), file)
		}
		return err
	})
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
}
