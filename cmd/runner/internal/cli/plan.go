package cli

import (
	"github.com/spf13/cobra"
)

func (a *app) planCommand() *cobra.Command {
	o := applyOptions{dryRun: true}
	c := &cobra.Command{
		Use:   "plan PATH...",
		Short: "Show what apply would do, and what it would find; changes nothing",
		Long: `Asks the servers for their facts and shows for each job: the findings with their codes and remedies, what
the backup will not contain, the steps in order with what each would do, the room that is needed against
what is free, and how long it would take. Nothing is changed, on the server or on any disk.` +
			exits("every check passed", helpFailed, helpUsage, helpPrerequisite, helpBusy, helpInterrupted),
		Example: `  runner plan plan.hcl
  runner plan plan.hcl --job job.orders
  runner plan plan.hcl --json | jq 'select(.type == "finding" and .severity == "error")'`,
		Args: a.arguments(1, -1),
		RunE: func(c *cobra.Command, args []string) error {
			if err := o.validate(c.CommandPath()); err != nil {
				return err
			}
			return a.rehearse(c.Context(), args, o)
		},
	}
	o.selection(c)
	return c
}
