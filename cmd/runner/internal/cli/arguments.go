package cli

import (
	"github.com/spf13/cobra"
)

// arguments wants from least to most arguments; most is -1 where there is no limit.
func (a *app) arguments(least, most int) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		switch {
		case len(args) < least:
			return usagef(c.CommandPath(), "%s is called as: runner %s", c.CommandPath(), c.Use)
		case most >= 0 && len(args) > most:
			return usagef(c.CommandPath(), "%s does not take %q", c.CommandPath(), args[most])
		}
		return nil
	}
}
