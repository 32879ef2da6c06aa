package cmd_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The customer, whose voice comes by the uplink, is never recorded. What can be
// recorded has one of these types, and only local capture and the encoders behind
// it make values of them, and the session its black and silence.
var (
	recordable = []string{"capture.Frame", "capture.Sound", "encoder.AccessUnit", "encoder.Packet"}
	makers     = []string{"capture", "encoder", "cmd/internal/session/blank.go", "uplink/rtc/load.go"} // the last pads a picture that it is given
)

// takers are where it is recorded. What they are given is recordable, or is no
// picture or sound at all.
var takers = []string{"capture/photo", "capture/clip"}

// named in one place each are the ways to a recording: black and silence are not
// made there.
var named = []struct{ what, in string }{
	{"(*cmd/internal/session.record).frame", "cmd/internal/session/video.go"},
	{"(*cmd/internal/session.record).video", "cmd/internal/session/video.go"},
	{"(*cmd/internal/session.record).audio", "cmd/internal/session/audio.go"},
	{"(cmd/internal/session.Tap).Frame", "cmd/internal/session/tap.go"},
	{"(cmd/internal/session.Tap).Video", "cmd/internal/session/tap.go"},
	{"(cmd/internal/session.Tap).Audio", "cmd/internal/session/tap.go"},
	{"(*capture/photo.Taker).Offer", "cmd/internal/recorder"},
	{"(*capture/photo.Taker).TakeOf", "cmd/internal/recorder"},
	{"(*encoder/openh264.Decoder).Decode", "cmd/internal/recorder"},
	{"(*capture/clip.Ring).Video", "cmd/internal/recorder"},
	{"(*capture/clip.Ring).Audio", "cmd/internal/recorder"},
	{"(*uplink/spool.Spool).Create", "cmd/internal/recorder"}, // and where it is kept
}

func TestTheCustomerIsNotRecorded(t *testing.T) {
	m := load(t)
	t.Run("what can be recorded is made by capture only", func(t *testing.T) { onlyCaptureMakes(t, m) })
	t.Run("a recording takes nothing else", func(t *testing.T) { nothingElseIsTaken(t, m) })
	t.Run("it is fed in one place", func(t *testing.T) { fedInOnePlace(t, m) })
}

func onlyCaptureMakes(t *testing.T, m loaded) {
	fields := map[types.Object]bool{}
	for _, name := range recordable {
		s := m.lookup(t, name).Type().Underlying().(*types.Struct)
		for i := range s.NumFields() {
			fields[s.Field(i)] = true
		}
	}
	made := 0
	m.eachNode(t, func(at string, info *types.Info, n ast.Node) {
		what := makes(info, fields, n)
		if what == "" {
			return
		}
		if slices.ContainsFunc(makers, func(maker string) bool { return at == maker || strings.HasPrefix(at, maker+"/") }) {
			made++
			return
		}
		t.Errorf("%s makes something that can be recorded: %s", at, what)
	})
	if made < 2 {
		t.Errorf("black and silence are made %d times: what does this test look for?", made)
	}
	for path, p := range m.listed {
		if !within(path, "capture") && !within(path, "encoder") {
			continue
		}
		for _, imported := range p.Imports {
			if imported == "net" || strings.HasPrefix(imported, "net/") {
				t.Errorf("%s imports %s: what can be recorded does not come by the network", path, imported)
			}
		}
	}
}

// makes returns how a node makes something recordable, or fills it.
func makes(info *types.Info, fields map[types.Object]bool, n ast.Node) string {
	fills := func(e ast.Expr) string {
		for {
			switch x := e.(type) {
			case *ast.SelectorExpr:
				if s := info.Selections[x]; s != nil && fields[s.Obj()] {
					return "field " + x.Sel.Name
				}
				e = x.X
			case *ast.IndexExpr:
				e = x.X
			case *ast.StarExpr:
				e = x.X
			case *ast.ParenExpr:
				e = x.X
			default:
				return ""
			}
		}
	}
	switch n := n.(type) {
	case *ast.CompositeLit:
		if t := short(info.TypeOf(n)); len(n.Elts) > 0 && slices.Contains(recordable, t) {
			return "literal " + t
		}
	case *ast.CallExpr:
		if t := short(info.TypeOf(n)); info.Types[n.Fun].IsType() && slices.Contains(recordable, t) {
			return "conversion to " + t
		}
	case *ast.AssignStmt:
		for _, left := range n.Lhs {
			if field := fills(left); field != "" {
				return field + " is set"
			}
		}
	case *ast.UnaryExpr:
		if field := fills(n.X); n.Op == token.AND && field != "" {
			return field + " may be set"
		}
	case *ast.Ident:
		if f, ok := info.Uses[n].(*types.Func); ok && fullName(f) == "capture.NewPool" {
			return "a pool of frames"
		}
	}
	return ""
}

func nothingElseIsTaken(t *testing.T, m loaded) {
	want := map[string]string{
		"Begin": "func()", "End": "func()",
		"Frame": "func(f *capture.Frame)", "Video": "func(au encoder.AccessUnit)", "Audio": "func(p encoder.Packet)",
	}
	tap := m.lookup(t, "cmd/internal/session.Tap").Type().Underlying().(*types.Interface)
	got := map[string]string{}
	for f := range tap.Methods() {
		got[f.Name()] = types.TypeString(f.Type(), func(p *types.Package) string { return strings.TrimPrefix(p.Path(), module) })
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("the Tap takes %v, want %v", got, want)
	}
	for path, p := range m.checked {
		if !slices.ContainsFunc(takers, func(taker string) bool { return within(path, taker) }) {
			continue
		}
		for _, f := range exported(p.Types) {
			for param := range f.Signature().Params().Variables() {
				if carries(param.Type()) {
					t.Errorf("%s takes %v: a picture or sound of anybody's", fullName(f), param.Type())
				}
			}
		}
	}
}

// exported returns the functions of a package that others can call.
func exported(p *types.Package) (list []*types.Func) {
	for _, name := range p.Scope().Names() {
		switch o := p.Scope().Lookup(name).(type) {
		case *types.Func:
			list = append(list, o)
		case *types.TypeName:
			if n, ok := o.Type().(*types.Named); ok {
				list = slices.AppendSeq(list, n.Methods())
			}
		}
	}
	return slices.DeleteFunc(list, func(f *types.Func) bool { return !f.Exported() })
}

// carries says whether a parameter can carry pictures or sound of no origin: bytes
// or samples, or something to read or ask them from.
func carries(t types.Type) bool {
	switch u := t.Underlying().(type) {
	case *types.Slice:
		b, ok := u.Elem().Underlying().(*types.Basic)
		return ok && b.Info()&types.IsNumeric != 0
	case *types.Pointer:
		return !slices.Contains(recordable, short(u.Elem())) && carries(u.Elem())
	case *types.Interface:
		for f := range u.Methods() {
			if slices.Contains([]string{"Read", "ReadAt", "At", "Bytes", "Next"}, f.Name()) {
				return true
			}
		}
	}
	return false
}

func fedInOnePlace(t *testing.T, m loaded) {
	found := make([]int, len(named))
	m.eachNode(t, func(at string, info *types.Info, n ast.Node) {
		id, ok := n.(*ast.Ident)
		if !ok {
			return
		}
		f, ok := info.Uses[id].(*types.Func)
		if !ok {
			return
		}
		for i, o := range named {
			if fullName(f) != o.what {
				continue
			}
			found[i]++
			if at != o.in && !strings.HasPrefix(at, o.in+"/") {
				t.Errorf("%s uses %s, which is for %s", at, o.what, o.in)
			}
		}
	})
	for i, o := range named {
		if _, err := os.Stat(filepath.Join("..", o.in)); err == nil && found[i] == 0 {
			t.Errorf("%s is not used in %s: what does this test look for?", o.what, o.in)
		}
	}
}

// loaded is the module with its types, but for the makers, who may do all this.
type loaded struct {
	listed  map[string]listed
	checked map[string]checked
	types.Importer
}

type checked struct {
	Types *types.Package
	info  *types.Info
	files map[string]*ast.File // by path in the module
}

// load type-checks what is no maker, with what the go command has compiled of the
// rest.
func load(t *testing.T) loaded {
	t.Helper()
	m := loaded{listed: map[string]listed{}, checked: map[string]checked{}}
	exports := map[string]string{}
	out, err := exec.Command("go", "list", "-export", "-deps", "-json=ImportPath,Name,Dir,GoFiles,CgoFiles,Imports,Export", module+"...").Output()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		t.Fatalf("go list: %v\n%s", err, exit.Stderr)
	} else if err != nil {
		t.Fatal(err)
	}
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p struct {
			listed
			Export string
		}
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		exports[p.ImportPath] = p.Export
		if within(p.ImportPath, "") {
			m.listed[p.ImportPath] = p.listed
		}
	}
	fset := token.NewFileSet()
	m.Importer = importer.ForCompiler(fset, "gc", func(path string) (io.ReadCloser, error) { return os.Open(exports[path]) })
	for path, p := range m.listed {
		maker := within(path, "capture") || within(path, "encoder")
		if taker := slices.ContainsFunc(takers, func(taker string) bool { return within(path, taker) }); !maker || taker {
			m.checked[path] = check(t, fset, p, m.Importer)
		}
	}
	return m
}

func check(t *testing.T, fset *token.FileSet, p listed, from types.Importer) checked {
	t.Helper()
	c := checked{files: map[string]*ast.File{}, info: &types.Info{
		Types: map[ast.Expr]types.TypeAndValue{}, Uses: map[*ast.Ident]types.Object{}, Selections: map[*ast.SelectorExpr]*types.Selection{},
	}}
	var files []*ast.File
	for _, name := range slices.Concat(p.GoFiles, p.CgoFiles) {
		file, err := parser.ParseFile(fset, filepath.Join(p.Dir, name), nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
		c.files[strings.TrimPrefix(p.ImportPath, module)+"/"+name] = file
	}
	var err error
	if c.Types, err = (&types.Config{Importer: from, FakeImportC: true}).Check(p.ImportPath, fset, files, c.info); err != nil {
		t.Fatal(err)
	}
	return c
}

// lookup returns what a name of the module stands for.
func (m loaded) lookup(t *testing.T, name string) types.Object {
	t.Helper()
	i := strings.LastIndex(name, ".")
	p, err := m.Import(module + name[:i])
	if err != nil {
		t.Fatal(err)
	}
	return p.Scope().Lookup(name[i+1:])
}

func (m loaded) eachNode(t *testing.T, each func(at string, info *types.Info, n ast.Node)) {
	t.Helper()
	if len(m.checked) < 10 {
		t.Fatalf("%d packages were read", len(m.checked))
	}
	for _, c := range m.checked {
		for at, file := range c.files {
			ast.Inspect(file, func(n ast.Node) bool {
				if n != nil {
					each(at, c.info, n)
				}
				return true
			})
		}
	}
}

// short returns a type's name as this file writes it.
func short(t types.Type) string {
	if t == nil {
		return ""
	}
	return strings.TrimPrefix(strings.TrimPrefix(types.Unalias(t).String(), "*"), module)
}

func fullName(f *types.Func) string { return strings.Replace(f.FullName(), module, "", 1) }
