package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"runner/cmd/runner/internal/journal"
	"runner/pkg/plan"
)

func (a *app) resumeCommand() *cobra.Command {
	var parallelism int
	c := &cobra.Command{
		Use:   "resume [RUN]",
		Short: "Go on with an unfinished run",
		Long: `Goes on with the newest unfinished run, or with the one named (the beginning of its id is enough). What the
journal proves done is not done again: a finished copy is not cloned anew, a stored archive is not packed anew, and one that was
being packed is continued behind its last durable part, which is read back first.

The plan is read again from where it was read before, and must mean the same. Variables that are not sensitive
are remembered; give sensitive ones again, in the same way as to apply.` +
			exits("every backup of the run is taken", helpFailed, helpUsage, helpPrerequisite, helpVerification, helpBusy, helpInterrupted),
		Example: `  runner resume
  runner resume 20261122T100329Z-k3f9`,
		Args: a.arguments(0, 1),
		RunE: func(c *cobra.Command, args []string) error {
			if parallelism < 0 {
				return usagef(c.CommandPath(), "--parallelism is %d and can't be negative", parallelism)
			}
			return a.resume(c.Context(), args, parallelism)
		},
	}
	c.Flags().IntVar(&parallelism, "parallelism", 0, "steps that run at once; 0 is 2")
	return c
}

func (a *app) resume(ctx context.Context, args []string, parallelism int) error {
	state, err := a.openState()
	if err != nil {
		return err
	}
	run, unlock, err := a.lockUnfinished(state, args, "resume")
	if err != nil {
		return err
	}
	return errors.Join(a.resumeLocked(ctx, state, run, parallelism), unlock())
}

// lockUnfinished finds a run that the verb can be done to and takes the locks of its jobs.
func (a *app) lockUnfinished(state *journal.Dir, args []string, verb string) (journal.Summary, func() error, error) {
	run, err := a.findRun(state, args)
	if err != nil {
		return run, nil, err
	}
	if err := a.unfinished(run, verb); err != nil {
		return run, nil, err
	}
	unlock, err := state.Lock(run.Jobs)
	if err != nil {
		return run, nil, err
	}
	// Whoever held the locks until now may have finished or discarded it.
	if run, err = state.Find(run.Run); err == nil {
		err = a.unfinished(run, verb)
	}
	if err != nil {
		return run, nil, errors.Join(err, unlock())
	}
	return run, unlock, nil
}

// unfinished refuses a run that there is nothing left to do with.
func (a *app) unfinished(run journal.Summary, verb string) error {
	switch {
	case run.State.Unfinished():
		return nil
	case run.Damage != nil:
		return fmt.Errorf("%s run %s: %w", verb, run.Run, run.Damage)
	case run.State == journal.StateRunning:
		return &journal.LockedError{Run: run.Run}
	}
	return withHint(fmt.Errorf("run %s is %s: there is nothing to %s", run.Run, run.State, verb), "runner runs"+a.flags())
}

// findRun is the run that was named, or the newest that is unfinished.
func (a *app) findRun(state *journal.Dir, args []string) (journal.Summary, error) {
	if len(args) == 0 {
		run, err := state.NewestUnfinished()
		if errors.Is(err, journal.ErrNotFound) {
			return run, withHint(fmt.Errorf("there is no unfinished run in %s", state.Path()), "runner runs"+a.flags())
		}
		return run, err
	}
	run, err := state.Find(args[0])
	if errors.Is(err, journal.ErrNotFound) {
		return run, withHint(fmt.Errorf("there is no run %s in %s", args[0], state.Path()), "runner runs"+a.flags())
	}
	return run, err
}

// resumeLocked goes on with a run; the locks of its jobs are held.
func (a *app) resumeLocked(ctx context.Context, state *journal.Dir, run journal.Summary, parallelism int) error {
	p, err := a.reload(run.Header)
	if err != nil {
		return err
	}
	if p.Digest != run.PlanDigest {
		return withHint(fmt.Errorf("the plan of run %s has changed since it began: %s does not mean the same any more",
			run.Run, strings.Join(run.PlanPaths, " ")),
			"to go on, undo the change, then: runner resume "+run.Run+a.flags()+"\nto give it up: runner discard "+run.Run+a.flags())
	}
	record, err := state.Resume(run.Run)
	if err != nil {
		return err
	}
	return errors.Join(a.perform(ctx, p, record, parallelism), record.Close())
}

// reload reads the plan of a run again, with its jobs only.
func (a *app) reload(h journal.Header) (*plan.Plan, error) {
	p, err := a.reloadAll(h)
	if err != nil {
		return nil, withHint(err, "to go on, put the plan back as it was, then: runner resume "+h.Run+a.flags()+
			"\nto give it up: runner discard "+h.Run+a.flags())
	}
	addresses := make([]string, len(h.Jobs))
	for i, j := range h.Jobs {
		addresses[i] = j.Address
	}
	return selectJobs(p, addresses)
}

// reloadAll reads the whole plan of a run again, with the inputs that were remembered; what is given now wins.
func (a *app) reloadAll(h journal.Header) (*plan.Plan, error) {
	vars := make(map[string]string, len(h.Inputs))
	for name, value := range h.Inputs {
		vars[name] = value
	}
	for name, value := range a.vars() {
		vars[name] = value
	}
	varFiles := h.VarFiles
	if len(a.global.varFiles) > 0 {
		varFiles = a.global.varFiles
	}
	p, err := a.loadWith(h.PlanPaths, plan.LoadOptions{Vars: vars, VarFiles: varFiles, Now: h.Started, Dir: h.Dir})
	if err != nil {
		return nil, fmt.Errorf("read the plan of run %s again: %w", h.Run, err)
	}
	return p, nil
}
