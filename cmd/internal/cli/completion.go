package cli

import "github.com/spf13/cobra"

// addCompletion adds cobra's own command, with an example for each shell.
func addCompletion(root *cobra.Command, args []string) {
	root.InitDefaultCompletionCmd(args...)
	examples := map[string]string{
		"bash":       "  bril completion bash > ~/.local/share/bash-completion/completions/bril",
		"zsh":        `  bril completion zsh > "${fpath[1]}/_bril"`,
		"fish":       "  bril completion fish > ~/.config/fish/completions/bril.fish",
		"powershell": "  bril completion powershell >> $PROFILE",
	}
	for _, c := range root.Commands() {
		if c.Name() != "completion" {
			continue
		}
		for _, shell := range c.Commands() {
			shell.Example = examples[shell.Name()]
		}
	}
}
