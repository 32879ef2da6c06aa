package cmd_test

import (
	"go/ast"
	"go/types"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The customer's voice comes as rtc.Speech, becomes a talkback.Voice, and ends in a
// speaker.Ear, out of which nothing but the sound device is filled.
//
//	uplink/rtc ──Speech──> uplink/talkback ──Ear──> hardware/speaker ──> the ear
//
// Each of these is named by those alone.
var voices = []struct {
	what  string
	names []string // who may name it
}{
	{"uplink/rtc.Speech", []string{"uplink/rtc", "uplink/talkback"}},
	{"uplink/rtc.ReceiverConfig", []string{"uplink/rtc", "uplink/talkback", "cmd/internal/agent/talkback.go"}},
	{"uplink/rtc.NewReceiver", []string{"uplink/talkback"}},
	{"uplink/talkback.Voice", []string{"uplink/talkback"}},
	{"hardware/speaker.Ear", []string{"hardware/speaker", "uplink/talkback", "cmd/internal/agent/talkback.go"}},
	{"(*hardware/speaker.Mixer).Below", []string{"cmd/internal/agent/talkback.go"}},
	{"encoder/opus.NewDecoder", []string{"uplink/talkback", "cmd/internal/cue"}}, // and what a cue says
}

// imports are all that the packages on the voice's way know: neither a disk nor a
// network of their own, and nothing that records.
var imports = map[string][]string{
	"uplink/talkback": {"context", "errors", "log/slog", "math", "sync", "sync/atomic", "time",
		module + "encoder/opus", module + "hardware/monotonic", module + "hardware/speaker", module + "uplink/rtc", module + "uplink/whip"},
	"hardware/speaker": {"errors", "fmt", "log/slog", "slices", "sync", "time", module + "hardware/alsa"},
	"hardware/alsa":    {"C", "errors", "fmt", "log/slog", "os", "path/filepath", "runtime", "strings", "syscall", "time", "unsafe", "github.com/gen2brain/malgo", "golang.org/x/sys/unix"},
}

func TestTheCustomersVoiceIsHeardAndNothingElse(t *testing.T) {
	m := load(t)
	t.Run("who knows it", func(t *testing.T) { knownByFew(t, m) })
	t.Run("what they know", func(t *testing.T) { knowLittle(t, m) })
	t.Run("what they give away", func(t *testing.T) { giveNothing(t, m) })
	t.Run("it cannot be recorded", func(t *testing.T) { noRecordableVoice(t, m) })
}

func knownByFew(t *testing.T, m loaded) {
	found := make([]int, len(voices))
	m.eachNode(t, func(at string, info *types.Info, n ast.Node) {
		id, ok := n.(*ast.Ident)
		if !ok {
			return
		}
		used := ""
		switch o := info.Uses[id].(type) {
		case *types.Func:
			used = fullName(o)
		case *types.TypeName:
			if o.Pkg() != nil {
				used = strings.TrimPrefix(o.Pkg().Path(), module) + "." + o.Name()
			}
		}
		for i, v := range voices {
			if used != v.what {
				continue
			}
			found[i]++
			if !slices.ContainsFunc(v.names, func(name string) bool { return at == name || filepath.Dir(at) == name }) {
				t.Errorf("%s names %s, which is for %v", at, v.what, v.names)
			}
		}
	})
	for i, v := range voices {
		if found[i] == 0 {
			t.Errorf("nobody names %s: what does this test look for?", v.what)
		}
	}
}

func knowLittle(t *testing.T, m loaded) {
	for path, allowed := range imports {
		p, ok := m.listed[module+path]
		if !ok {
			t.Errorf("there is no %s", path)
		}
		for _, imported := range p.Imports {
			if !slices.Contains(allowed, imported) {
				t.Errorf("%s imports %s: is the customer's voice safe from that?", path, imported)
			}
		}
	}
}

// giveNothing wants no way out of the packages but the ear: no function or method
// hands out samples, or takes something to fill or write to, and no field holds any.
func giveNothing(t *testing.T, m loaded) {
	p := m.checked[module+"uplink/talkback"].Types
	if p == nil {
		t.Fatal("uplink/talkback was not read")
	}
	for _, f := range exported(p) {
		for v := range f.Signature().Results().Variables() {
			if carries(v.Type()) {
				t.Errorf("%s returns %v", fullName(f), v.Type())
			}
		}
		for v := range f.Signature().Params().Variables() {
			if carries(v.Type()) || writes(v.Type()) {
				t.Errorf("%s takes %v", fullName(f), v.Type())
			}
		}
	}
	for path, name := range map[string]string{"uplink/talkback": "Voice", "hardware/speaker": "Ear"} {
		of := m.checked[module+path].Types.Scope().Lookup(name).Type()
		s := of.Underlying().(*types.Struct)
		for f := range s.Fields() {
			if f.Exported() {
				t.Errorf("field %s of %s.%s is for all", f.Name(), path, name)
			}
		}
		for f := range of.(*types.Named).Methods() {
			for v := range f.Signature().Results().Variables() {
				if f.Exported() && carries(v.Type()) {
					t.Errorf("%s returns %v", fullName(f), v.Type())
				}
			}
		}
	}
}

// writes says whether something can be written to.
func writes(t types.Type) bool {
	i, ok := t.Underlying().(*types.Interface)
	if !ok {
		return false
	}
	for f := range i.Methods() {
		if strings.HasPrefix(f.Name(), "Write") {
			return true
		}
	}
	return false
}

// noRecordableVoice wants none of what can be recorded anywhere near the voice.
func noRecordableVoice(t *testing.T, m loaded) {
	for at, file := range m.checked[module+"uplink/talkback"].files {
		ast.Inspect(file, func(n ast.Node) bool {
			id, ok := n.(*ast.Ident)
			if !ok {
				return true
			}
			if o, ok := m.checked[module+"uplink/talkback"].info.Uses[id].(*types.TypeName); ok && slices.Contains(recordable, short(o.Type())) {
				t.Errorf("%s names %s", at, short(o.Type()))
			}
			return true
		})
	}
}
