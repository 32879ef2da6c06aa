package cli

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"
)

// columns is how wide what people read may be.
const columns = 80

// writeUsage writes how a command is typed. Cobra's own does not wrap flags, and
// its template would link text/template with all of reflection.
func writeUsage(c *cobra.Command) error {
	var b strings.Builder
	b.WriteString("Usage:\n")
	if c.HasAvailableSubCommands() {
		fmt.Fprintf(&b, "  %s [command]\n", c.CommandPath())
	} else {
		fmt.Fprintf(&b, "  %s\n", c.UseLine())
	}
	section := func(title, text string) {
		if text = strings.TrimRight(text, "\n"); text != "" {
			fmt.Fprintf(&b, "\n%s:\n%s\n", title, text)
		}
	}
	section("Examples", c.Example)
	section("Commands", commandList(c))
	section("Flags", c.LocalFlags().FlagUsagesWrapped(columns))
	section("Flags of every command", c.InheritedFlags().FlagUsagesWrapped(columns))
	if c.HasAvailableSubCommands() {
		fmt.Fprintf(&b, "\n%s [command] --help says more about a command.\n", c.CommandPath())
	}
	_, err := io.WriteString(c.OutOrStdout(), b.String())
	return err
}

func commandList(c *cobra.Command) string {
	var b strings.Builder
	for _, sub := range c.Commands() {
		if sub.IsAvailableCommand() {
			fmt.Fprintf(&b, "  %-*s %s\n", sub.NamePadding(), sub.Name(), sub.Short)
		}
	}
	return b.String()
}

// labelWidth is that of the names that a row begins with.
const labelWidth = 12

// row writes a name and text beside it, folded between words and aligned; without
// a name it goes on with the row before.
func row(b *strings.Builder, name, text string) {
	if name == "" && text == "" {
		return
	}
	for _, line := range fold(text, columns-labelWidth) {
		fmt.Fprintf(b, "%-*s%s\n", labelWidth, name, line)
		name = ""
	}
}

// fold breaks text into lines of at most width characters, between words: one
// that is longer has a line of its own.
func fold(text string, width int) []string {
	lines := []string{""}
	for _, word := range strings.Fields(text) {
		last := &lines[len(lines)-1]
		switch {
		case *last == "":
			*last = word
		case utf8.RuneCountInString(*last)+1+utf8.RuneCountInString(word) <= width:
			*last += " " + word
		default:
			lines = append(lines, word)
		}
	}
	return lines
}

// cut shortens a line to width characters.
func cut(line string, width int) string {
	if utf8.RuneCountInString(line) <= width {
		return line
	}
	return string([]rune(line)[:max(width-1, 0)]) + "…"
}
