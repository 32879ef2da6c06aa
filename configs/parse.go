package configs

import (
	"encoding"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"reflect"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// The bounds of a configuration file; the reference has 6 kB and 150 words.
const (
	MaxSize     = 64 << 10 // bytes
	maxTokens   = 4000     // the YAML parser's time grows with their square: 40 ms
	maxProblems = 50       // that are reported one by one
)

// Load reads and validates the configuration in the file at path. Its error is
// Problems, also for a file that cannot be read.
func Load(path string) (Config, error) { return LoadOver(Default(), path) }

// LoadOver is Load for a file whose keys have other defaults than Default's.
func LoadOver(base Config, path string) (Config, error) {
	cfg, _, err := LoadLayer(base, path)
	return cfg, err
}

// read reads a bounded regular file; its errors leave the path to the caller.
func read(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, withoutPath(err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, MaxSize+1))
	if err != nil {
		return nil, withoutPath(err)
	}
	return data, nil
}

func withoutPath(err error) error {
	if pathErr := (*os.PathError)(nil); errors.As(err, &pathErr) {
		return pathErr.Err
	}
	return err
}

// Parse reads a configuration from YAML. Keys that data does not have keep
// their defaults. Unknown and repeated keys, wrong values and values outside
// their limits are Problems, which name the file as name.
//
// Anchors, aliases, merge keys and tags are refused: what a key is set to
// stands where the key stands.
func Parse(data []byte, name string) (Config, error) {
	cfg, _, err := Layer{Name: name, Data: data}.Over(Default())
	return cfg, err
}

// decoder sets the fields of a Config from YAML nodes and gathers what is wrong.
type decoder struct {
	file     string
	lines    map[string]int // where each key stands
	refuse   func(key string) (why string)
	problems Problems
}

func (d *decoder) report(node ast.Node, key, hint, format string, args ...any) {
	p := Problem{File: d.file, Key: key, Message: fmt.Sprintf(format, args...), Hint: hint}
	if node != nil {
		p.Line = line(node)
	}
	d.problems = append(d.problems, p)
}

func line(node ast.Node) int {
	if tk := node.GetToken(); tk != nil && tk.Position != nil {
		return tk.Position.Line
	}
	return 0
}

// document returns the one mapping of data; false when there is none, which
// is a problem unless data is empty or only comments.
func (d *decoder) document(data []byte) (ast.Node, bool) {
	if len(data) > MaxSize {
		d.report(nil, "", "", "more than %d kB: this is not a configuration file", MaxSize>>10)
		return nil, false
	}
	tokens, ok := d.tokens(strings.TrimPrefix(string(data), "\xef\xbb\xbf")) // Windows editors leave a byte order mark
	if !ok {
		return nil, false
	}
	file, err := parser.Parse(tokens, 0)
	if err != nil {
		d.syntax(err, data)
		return nil, false
	}
	var root ast.Node
	for _, doc := range file.Docs {
		switch {
		case doc.Body == nil || doc.Body.Type() == ast.CommentType:
		case root != nil:
			d.report(doc.Body, "", "", "a second YAML document starts here: one file holds one")
			return nil, false
		default:
			root = doc.Body
		}
	}
	return root, root != nil
}

// tokens returns the words of a file; false when there is one that is refused.
func (d *decoder) tokens(text string) (token.Tokens, bool) {
	tokens := lexer.Tokenize(text)
	for i, tk := range tokens {
		what := ""
		switch tk.Type {
		case token.AnchorType, token.AliasType, token.MergeKeyType:
			what = "anchors (&), aliases (*) and merge keys (<<) are not supported: write the value where it belongs, or quote it"
		case token.TagType, token.DirectiveType, token.MappingKeyType:
			what = "tags (!), directives (%) and explicit keys (?) are not supported; a value that starts so needs quotes"
		}
		if i == maxTokens {
			what = "too long: this is not a configuration file"
		}
		if what != "" {
			d.problems = append(d.problems, Problem{File: d.file, Line: tk.Position.Line, Message: what})
			return nil, false
		}
	}
	return tokens, true
}

// syntax reports an error of the YAML parser with its line. Of a tab, which looks
// like the spaces that belong there, the parser says nothing that helps.
func (d *decoder) syntax(err error, data []byte) {
	if n := tabbed(string(data)); n > 0 {
		d.problems = append(d.problems, Problem{File: d.file, Line: n, Message: "the line begins with a tab: YAML takes spaces only"})
		return
	}
	p := Problem{File: d.file, Message: err.Error()}
	if detail := yaml.Error(nil); errors.As(err, &detail) {
		p.Message = detail.GetMessage()
		if tk := detail.GetToken(); tk != nil && tk.Position != nil {
			p.Line = tk.Position.Line
		}
	}
	d.problems = append(d.problems, p)
}

// tabbed returns the first line with a tab in its indentation; 0 for none.
func tabbed(text string) (line int) {
	for l := range strings.Lines(text) {
		line++
		if rest := strings.TrimLeft(l, " "); strings.HasPrefix(rest, "\t") && strings.TrimSpace(rest) != "" {
			return line
		}
	}
	return 0
}

// value sets v, which key names, from node. An empty value keeps the default.
func (d *decoder) value(node ast.Node, v reflect.Value, key string) {
	if _, empty := node.(*ast.NullNode); empty || node == nil {
		return
	}
	if _, scalar := v.Addr().Interface().(encoding.TextUnmarshaler); scalar {
		d.scalar(node, v, key)
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		if s, ok := v.Addr().Interface().(*Session); ok && d.named(node, s, key) {
			return
		}
		d.mapping(node, v, key)
	case reflect.Slice:
		d.list(node, v, key)
	default:
		d.scalar(node, v, key)
	}
}

// named reads `session: NAME`, which is short for its name.
func (d *decoder) named(node ast.Node, s *Session, key string) bool {
	text, ok := scalarText(node)
	if ok {
		s.Name = text
		d.lines[join(key, "name")] = line(node)
	}
	return ok
}

func (d *decoder) mapping(node ast.Node, v reflect.Value, key string) {
	m, ok := node.(ast.MapNode)
	if !ok {
		d.report(node, key, "", "expected keys below it, such as %s", strings.Join(keys(v.Type()), ", "))
		return
	}
	for it := m.MapRange(); it.Next(); {
		name := it.Key().GetToken().Value
		full := join(key, name)
		if _, empty := it.Value().(*ast.NullNode); !empty { // which sets nothing
			d.lines[full] = line(it.Key())
		}
		i, known := field(v.Type(), name)
		if !known {
			d.report(it.Key(), full, suggest(v.Type(), name), "unknown key")
			continue
		}
		if why := d.refused(full); why != "" {
			d.report(it.Key(), full, "", "%s", why)
			continue
		}
		d.value(it.Value(), v.Field(i), full)
	}
}

func (d *decoder) refused(key string) string {
	if d.refuse == nil {
		return ""
	}
	return d.refuse(key)
}

func (d *decoder) list(node ast.Node, v reflect.Value, key string) {
	seq, ok := node.(*ast.SequenceNode)
	if !ok {
		d.report(node, key, "", "expected a list: [a, b], or one `- ` line for each")
		return
	}
	out := reflect.MakeSlice(v.Type(), len(seq.Values), len(seq.Values))
	for i, item := range seq.Values {
		full := fmt.Sprintf("%s[%d]", key, i)
		d.lines[full] = line(item)
		d.value(item, out.Index(i), full)
	}
	v.Set(out)
}

func (d *decoder) scalar(node ast.Node, v reflect.Value, key string) {
	text, ok := scalarText(node)
	if !ok {
		d.report(node, key, "", "expected a plain value, found %s", node.Type().YAMLName())
		return
	}
	if err := set(v, text); err != nil {
		d.report(node, key, "", "%v", err)
	}
}

// scalarText returns a scalar as it is written, so that 08 stays 08 and each
// type reads its own text.
func scalarText(node ast.Node) (string, bool) {
	switch node.(type) {
	case *ast.StringNode, *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		return node.GetToken().Value, true
	}
	return "", false
}

// set parses text as v's type.
func set(v reflect.Value, text string) error {
	if u, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok {
		return u.UnmarshalText([]byte(text))
	}
	switch v.Kind() {
	case reflect.String:
		if err := printable(text); err != nil {
			return fmt.Errorf("%q: %w", text, err)
		}
		v.SetString(text)
	case reflect.Bool:
		if text != "true" && text != "false" {
			return fmt.Errorf("%q is not true or false", text)
		}
		v.SetBool(text == "true")
	case reflect.Int:
		n, err := strconv.ParseInt(text, 10, 32)
		if err != nil {
			return fmt.Errorf("%q is not a whole number", text)
		}
		v.SetInt(n)
	case reflect.Float64:
		f, err := strconv.ParseFloat(text, 64)
		if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
			return fmt.Errorf("%q is not a number", text)
		}
		v.SetFloat(f)
	default:
		panic("configs: a field of type " + v.Type().String() + " cannot be set")
	}
	return nil
}

func join(section, key string) string {
	if section == "" {
		return key
	}
	return section + "." + key
}
