package hours

import (
	"errors"
	"fmt"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// maxTokens bounds the words of a file: the YAML parser's time grows with their
// square.
const maxTokens = 4000

// parsing gathers what is wrong with a file.
type parsing struct {
	file     string
	problems Problems
}

func (p *parsing) report(node ast.Node, format string, a ...any) {
	p.at(lineOf(node), format, a...)
}

func (p *parsing) at(line int, format string, a ...any) {
	p.problems = append(p.problems, Problem{File: p.file, Line: line, Message: fmt.Sprintf(format, a...)})
}

func lineOf(node ast.Node) int {
	if node == nil || node.GetToken() == nil || node.GetToken().Position == nil {
		return 0
	}
	return node.GetToken().Position.Line
}

// document returns the one document of a file, or nil and a problem.
func (p *parsing) document(data []byte) ast.Node {
	if len(data) > maxSize {
		p.at(0, "more than %d kB: this is not a file of office hours", maxSize>>10)
		return nil
	}
	text := strings.TrimPrefix(string(data), "\xef\xbb\xbf") // Windows editors leave a byte order mark
	if line := tabbed(text); line > 0 {
		p.at(line, "the line begins with a tab: YAML takes spaces only")
		return nil
	}
	tokens, ok := p.tokens(text)
	if !ok {
		return nil
	}
	file, err := parser.Parse(tokens, 0)
	if err != nil {
		p.syntax(err)
		return nil
	}
	return p.single(file)
}

func (p *parsing) single(file *ast.File) (root ast.Node) {
	for _, doc := range file.Docs {
		switch {
		case doc.Body == nil || doc.Body.Type() == ast.CommentType:
		case root != nil:
			p.report(doc.Body, "a second YAML document starts here: one file holds one")
			return nil
		default:
			root = doc.Body
		}
	}
	if root == nil {
		p.at(0, "the file is empty: it needs showrooms:")
	}
	return root
}

// tokens returns the words of a file; false when there is one that is refused:
// what a key is set to stands where the key stands.
func (p *parsing) tokens(text string) (token.Tokens, bool) {
	tokens := lexer.Tokenize(text)
	if len(tokens) > maxTokens {
		p.at(tokens[maxTokens].Position.Line, "too long: this is not a file of office hours")
		return nil, false
	}
	for _, t := range tokens {
		switch t.Type {
		case token.AnchorType, token.AliasType, token.MergeKeyType, token.TagType, token.DirectiveType, token.MappingKeyType:
			p.at(t.Position.Line, "anchors, aliases, merge keys, tags and directives are not supported: write the value where it belongs, or quote it")
			return nil, false
		}
	}
	return tokens, true
}

func (p *parsing) syntax(err error) {
	detail := yaml.Error(nil)
	if !errors.As(err, &detail) {
		p.at(0, "%v", err)
		return
	}
	line := 0
	if t := detail.GetToken(); t != nil && t.Position != nil {
		line = t.Position.Line
	}
	p.at(line, "%s", detail.GetMessage())
}

// tabbed returns the first line with a tab in its indentation; 0 for none. Of it
// the parser says nothing that helps.
func tabbed(text string) (line int) {
	for l := range strings.Lines(text) {
		line++
		if rest := strings.TrimLeft(l, " "); strings.HasPrefix(rest, "\t") && strings.TrimSpace(rest) != "" {
			return line
		}
	}
	return 0
}

// keys calls set for each key of a mapping; set says whether it knows the key.
func (p *parsing) keys(node ast.Node, known string, set func(key string, at, value ast.Node) bool) {
	m, ok := node.(ast.MapNode)
	if !ok {
		p.report(node, "expected keys: %s", known)
		return
	}
	for it := m.MapRange(); it.Next(); {
		key := it.Key().GetToken().Value
		if !set(key, it.Key(), it.Value()) {
			p.report(it.Key(), "unknown key %q; known here: %s", key, known)
		}
	}
}

func (p *parsing) list(node ast.Node) []ast.Node {
	seq, ok := node.(*ast.SequenceNode)
	if !ok {
		p.report(node, "expected a list: [a, b], or one `- ` line for each")
		return nil
	}
	return seq.Values
}

// text returns a scalar as it is written.
func (p *parsing) text(node ast.Node) string {
	switch node.(type) {
	case *ast.StringNode, *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode:
		return strings.TrimSpace(node.GetToken().Value)
	}
	p.report(node, "expected a plain value")
	return ""
}
