package storytest

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rogpeppe/go-internal/txtar"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Untold returns what no story of a directory tells, of a program whose commands root
// has: a command, printing for people and with --json, and each of its flags. It also
// returns the commands without an example in their help. What except names, such as
// "bril run --json", has a reason there to be left out; one that is told all the same
// is returned, too.
func Untold(root *cobra.Command, dir string, except map[string]string) ([]string, error) {
	told, err := stories(root, dir)
	if err != nil {
		return nil, err
	}
	var missing []string
	wanted := map[string]bool{}
	want := func(what string, is bool) {
		wanted[what] = true
		switch _, excused := except[what]; {
		case !is && !excused:
			missing = append(missing, what)
		case is && excused:
			missing = append(missing, what+" is told, and needs no exception")
		}
	}
	for _, c := range leaves(root) {
		path := c.CommandPath()
		want(path, told[path])
		want(path+" --json", told[path+" --json"])
		want(path+" (example)", c.Example != "" || c == root)
		c.LocalNonPersistentFlags().VisitAll(func(f *pflag.Flag) {
			if !f.Hidden && f.Name != "help" {
				want(path+" --"+f.Name, told[path+" --"+f.Name])
			}
		})
	}
	for what := range except {
		if !wanted[what] {
			missing = append(missing, what+" is excepted, and does not exist")
		}
	}
	slices.Sort(missing)
	return missing, nil
}

// leaves are the commands that do something, the root included.
func leaves(c *cobra.Command) (list []*cobra.Command) {
	if c.Hidden || c.Name() == "help" {
		return nil
	}
	if c.Runnable() && (!c.HasSubCommands() || !c.HasParent() || ownFlags(c)) {
		list = append(list, c)
	}
	for _, sub := range c.Commands() {
		list = append(list, leaves(sub)...)
	}
	return list
}

// ownFlags tells a command that does something beside having others below it.
func ownFlags(c *cobra.Command) (own bool) {
	c.LocalNonPersistentFlags().VisitAll(func(f *pflag.Flag) { own = own || f.Name != "help" })
	return own
}

// stories returns what the stories call: each command as "bril status" or "bril status
// --json", and each flag as "bril status --watch".
func stories(root *cobra.Command, dir string) (map[string]bool, error) {
	told := map[string]bool{}
	files, err := filepath.Glob(filepath.Join(dir, "*.txtar"))
	if err != nil {
		return nil, err
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("read the story: %w", err)
		}
		for line := range strings.Lines(string(txtar.Parse(data).Comment)) {
			if args, calls := called(line, root.Name()); calls {
				tell(told, root, args)
			}
		}
	}
	return told, nil
}

// called returns the arguments of a program that a line of a story runs.
func called(line, program string) ([]string, bool) {
	words := split(line)
	if len(words) == 0 || !slices.Contains([]string{"exec", "exits", "begin", "until", "!"}, words[0]) {
		return nil, false
	}
	i := slices.Index(words, program)
	if i < 0 {
		return nil, false
	}
	return words[i+1:], true
}

// split parts a line between blanks that are not within single quotes.
func split(line string) (words []string) {
	var word strings.Builder
	quoted, some := false, false
	end := func() {
		if some {
			words = append(words, word.String())
		}
		word.Reset()
		some = false
	}
	for _, r := range line {
		switch {
		case r == '\'':
			quoted, some = !quoted, true
		case !quoted && (r == ' ' || r == '\t' || r == '\n'):
			end()
		case !quoted && r == '#' && !some:
			return words
		default:
			word.WriteRune(r)
			some = true
		}
	}
	end()
	return words
}

func tell(told map[string]bool, root *cobra.Command, args []string) {
	if slices.Contains(args, "--help") || slices.Contains(args, "-h") {
		return
	}
	c, _, err := root.Find(args)
	if err != nil || c == nil {
		return
	}
	path := c.CommandPath()
	asJSON := false
	for _, arg := range args {
		name, isFlag := strings.CutPrefix(arg, "--")
		if !isFlag {
			if len(arg) == 2 && arg[0] == '-' {
				if f := c.Flags().ShorthandLookup(arg[1:]); f != nil {
					told[path+" --"+f.Name] = true
				}
			}
			continue
		}
		name, _, _ = strings.Cut(name, "=")
		told[path+" --"+name] = true
		asJSON = asJSON || name == "json"
	}
	if !asJSON {
		told[path] = true
	}
}
