// Package manual writes the man pages and shell completions of a command tree. It
// is for what makes packages, and in no program itself.
package manual

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
	"github.com/spf13/pflag"
)

// Pages writes a page of section 1 for root and each command below it to dir, such
// as bril-live.1. Nothing in them tells when or where they were made but date.
func Pages(dir string, root *cobra.Command, date time.Time) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	hideCompletion(root)
	date = date.UTC()
	for _, c := range tree(root) {
		c.DisableAutoGenTag = true
		c.Flags().VisitAll(plain)
		c.PersistentFlags().VisitAll(plain)
		var page bytes.Buffer
		header := &doc.GenManHeader{
			Title: strings.ToUpper(dashed(c)), Section: "1", Date: &date,
			Source: "Bril", Manual: "Bril",
		}
		if err := doc.GenMan(c, header, &page); err != nil {
			return fmt.Errorf("man page of %s: %w", c.CommandPath(), err)
		}
		if err := os.WriteFile(filepath.Join(dir, dashed(c)+".1"), values.ReplaceAll(page.Bytes(), []byte(`$1$2$3`)), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// values are of flags as cobra writes them: --json[=false] and --state="directory".
var values = regexp.MustCompile(`(?m)^(\\fB-.*\\fP)(?:\[=false\]|(=)"([^"]*)")$`)

// plain has a flag say what it takes, as help does: cobra's pages show the default
// there, which is mostly nothing.
func plain(f *pflag.Flag) {
	name, usage := pflag.UnquoteUsage(f)
	if f.Value.Type() == "bool" || f.Annotations["plain"] != nil {
		return
	}
	if f.DefValue != "" && f.DefValue != "0" && f.DefValue != "0s" && f.DefValue != "[]" {
		usage += " (default " + f.DefValue + ")"
	}
	f.Usage, f.DefValue = usage, name
	f.Annotations = map[string][]string{"plain": {}}
}

// hideCompletion leaves out a command of cobra's that is about installing what a
// package has installed.
func hideCompletion(root *cobra.Command) {
	for _, c := range root.Commands() {
		if c.Name() == "completion" {
			c.Hidden = true
		}
	}
}

// tree returns a command and those below it that users may know of.
func tree(c *cobra.Command) []*cobra.Command {
	list := []*cobra.Command{c}
	for _, sub := range c.Commands() {
		if sub.IsAvailableCommand() {
			list = append(list, tree(sub)...)
		}
	}
	return list
}

func dashed(c *cobra.Command) string { return strings.ReplaceAll(c.CommandPath(), " ", "-") }

// shells are where Debian's shells look for completions below /usr/share.
func shells(root *cobra.Command) []struct {
	path  string
	write func(*bytes.Buffer) error
} {
	return []struct {
		path  string
		write func(*bytes.Buffer) error
	}{
		{"bash-completion/completions/" + root.Name(), func(b *bytes.Buffer) error { return root.GenBashCompletionV2(b, true) }},
		{"zsh/vendor-completions/_" + root.Name(), func(b *bytes.Buffer) error { return root.GenZshCompletion(b) }},
		{"fish/vendor_completions.d/" + root.Name() + ".fish", func(b *bytes.Buffer) error { return root.GenFishCompletion(b, true) }},
	}
}

// Completions writes those of bash, zsh and fish below share, as /usr/share has them.
func Completions(share string, root *cobra.Command) error {
	for _, shell := range shells(root) {
		var script bytes.Buffer
		if err := shell.write(&script); err != nil {
			return fmt.Errorf("completion %s: %w", shell.path, err)
		}
		path := filepath.Join(share, shell.path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, script.Bytes(), 0o644); err != nil {
			return err
		}
	}
	return nil
}
