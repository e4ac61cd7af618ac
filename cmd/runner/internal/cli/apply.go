package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"runner/cmd/runner/internal/journal"
	"runner/pkg/plan"
)

// applyOptions are the flags of apply and plan.
type applyOptions struct {
	dryRun, resume, restart bool
	jobs                    []string
	parallelism             int
}

func (o *applyOptions) selection(c *cobra.Command) {
	c.Flags().StringArrayVar(&o.jobs, "job", nil, "only the job with this `ADDRESS`; may be given again")
	c.Flags().IntVar(&o.parallelism, "parallelism", 0, "steps that run at once; 0 is 2")
}

func (o *applyOptions) validate(command string) error {
	if o.parallelism < 0 {
		return usagef(command, "--parallelism is %d and can't be negative", o.parallelism)
	}
	if o.resume && o.restart {
		return usagef(command, "--resume and --restart exclude each other")
	}
	if o.dryRun && (o.resume || o.restart) {
		return usagef(command, "--dry-run begins nothing that could be resumed or restarted")
	}
	return nil
}

func (a *app) applyCommand() *cobra.Command {
	var o applyOptions
	c := &cobra.Command{
		Use:   "apply PATH...",
		Short: "Take the backups that a plan declares",
		Long: `Takes the backups that a plan declares: checks the server, clones it, packs the copy into the
repository in one pass, and writes the manifest last. A backup without a manifest does not exist.

A run that was interrupted, or that failed after it had made something, is unfinished: apply refuses to
begin another one of the same job until it is resumed (--resume), discarded and begun anew (--restart),
or given up (runner discard).` + exits("every backup was taken", helpFailed, helpUsage, helpPrerequisite, helpVerification, helpBusy, helpUnfinished, helpInterrupted),
		Example: `  runner apply plan.hcl
  runner apply plan.hcl --dry-run
  runner apply plan.hcl --job job.orders --job 'job.each["eu"]'
  runner apply plan.hcl --resume
  runner apply plan.hcl --json --log-format json`,
		Args: a.arguments(1, -1),
		RunE: func(c *cobra.Command, args []string) error {
			if err := o.validate(c.CommandPath()); err != nil {
				return err
			}
			if o.dryRun {
				return a.rehearse(c.Context(), args, o)
			}
			return a.apply(c.Context(), args, o)
		},
	}
	o.selection(c)
	c.Flags().BoolVar(&o.dryRun, "dry-run", false, "show what would be done and change nothing, as runner plan does")
	c.Flags().BoolVar(&o.resume, "resume", false, "go on with the unfinished run of these jobs, if there is one")
	c.Flags().BoolVar(&o.restart, "restart", false, "give the unfinished run of these jobs up, if there is one, and begin anew")
	return c
}

func (a *app) apply(ctx context.Context, paths []string, o applyOptions) error {
	began := now()
	p, err := a.load(paths, began)
	if err != nil {
		return err
	}
	if p, err = selectJobs(p, o.jobs); err != nil {
		return err
	}
	state, err := a.openState()
	if err != nil {
		return err
	}
	unlock, err := state.Lock(jobKeys(p))
	if err != nil {
		return err
	}
	err = a.applyLocked(ctx, state, paths, p, o, began.UTC())
	return errors.Join(err, unlock())
}

func (a *app) openState() (*journal.Dir, error) {
	dir, err := a.stateDir()
	if err != nil {
		return nil, err
	}
	return journal.Open(dir)
}

// jobKeys name the plan's jobs beyond the plan.
func jobKeys(p *plan.Plan) []journal.JobKey {
	keys := make([]journal.JobKey, len(p.Jobs))
	for i, j := range p.Jobs {
		keys[i] = journal.JobKey{Address: j.Address, Repository: j.Repository.Path, Folder: j.Folder()}
	}
	return keys
}

func absolute(paths []string) ([]string, error) {
	all := make([]string, len(paths))
	for i, p := range paths {
		full, err := filepath.Abs(p)
		if err != nil {
			return nil, fmt.Errorf("find %s: %w", p, err)
		}
		all[i] = full
	}
	return all, nil
}

// header is what the journal keeps about a new run, so that it can be resumed without being told anything.
func (a *app) header(paths []string, p *plan.Plan) (journal.Header, error) {
	planPaths, err := absolute(paths)
	if err != nil {
		return journal.Header{}, err
	}
	varFiles, err := absolute(a.global.varFiles)
	if err != nil {
		return journal.Header{}, err
	}
	host, err := os.Hostname()
	if err != nil {
		return journal.Header{}, fmt.Errorf("find the name of this host: %w", err)
	}
	dir, err := os.Getwd()
	if err != nil {
		return journal.Header{}, fmt.Errorf("find the current folder: %w", err)
	}
	return journal.Header{
		Host: host, Version: a.Version, Dir: dir, PlanPaths: planPaths, VarFiles: varFiles, Inputs: p.Inputs,
		PlanDigest: p.Digest, Jobs: jobKeys(p), PID: os.Getpid(),
	}, nil
}
