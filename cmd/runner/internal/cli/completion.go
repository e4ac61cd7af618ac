package cli

import (
	"github.com/spf13/cobra"
)

func (a *app) completionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "completion bash|zsh|fish",
		Short: "Print a completion script for a shell",
		Long:  "Prints a script that completes commands and flags of runner in a shell." + exits("done", helpUsage),
		Example: `  runner completion bash > /etc/bash_completion.d/runner
  runner completion zsh > "${fpath[1]}/_runner"
  runner completion fish > ~/.config/fish/completions/runner.fish`,
		Args:      a.arguments(1, 1),
		ValidArgs: []string{"bash", "zsh", "fish"},
		RunE: func(c *cobra.Command, args []string) error {
			switch args[0] {
			case "bash":
				return c.Root().GenBashCompletionV2(a.Stdout, true)
			case "zsh":
				return c.Root().GenZshCompletion(a.Stdout)
			case "fish":
				return c.Root().GenFishCompletion(a.Stdout, true)
			}
			return usagef(c.CommandPath(), "there is no completion for %q: bash, zsh or fish", args[0])
		},
	}
}
