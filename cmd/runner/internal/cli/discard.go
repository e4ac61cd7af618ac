package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"runner/cmd/runner/internal/engine"
	"runner/cmd/runner/internal/journal"
	"runner/cmd/runner/internal/report"
	"runner/cmd/runner/internal/steps"
	"runner/pkg/plan"
	"runner/pkg/plan/graph"
)

func (a *app) discardCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "discard RUN",
		Short: "Give up an unfinished run and remove what it made",
		Long: `Gives up an unfinished run: stops its clone if it is still running, restores the settings it changed, and deletes
the directories that its journal says are its own. A finished backup is never deleted. What can't be undone now
stays in the journal, and discard can be called again; a directory that only the server's host can see is told of.` +
			exits("nothing of the run is left", helpFailed, helpUsage, helpBusy, helpInterrupted),
		Example: `  runner discard 20261122T100329Z-k3f9`,
		Args:    a.arguments(1, 1),
		RunE:    func(c *cobra.Command, args []string) error { return a.discard(c.Context(), args) },
	}
}

func (a *app) discard(ctx context.Context, args []string) error {
	state, err := a.openState()
	if err != nil {
		return err
	}
	run, unlock, err := a.lockUnfinished(state, args, "discard")
	if err != nil {
		return err
	}
	return errors.Join(a.discardRun(ctx, state, run), unlock())
}

// discardRun reads the run's plan for the sources, where there is something to undo on them. A plan that is gone by
// now keeps nothing from being undone for which no server is needed.
func (a *app) discardRun(ctx context.Context, state *journal.Dir, run journal.Summary) error {
	if run.OpenActions == 0 {
		return a.discardLocked(ctx, state, run, nil, nil)
	}
	p, err := a.reloadAll(run.Header)
	return a.discardLocked(ctx, state, run, p, err)
}

// discardLocked undoes what a run left, job by job; the locks of its jobs are held. Without a plan, planErr says why
// there is none.
func (a *app) discardLocked(ctx context.Context, state *journal.Dir, run journal.Summary, p *plan.Plan, planErr error) (err error) {
	record, err := state.Resume(run.Run)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, record.Close()) }()
	var failed []error
	for _, key := range run.Jobs {
		open := engine.OpenActions(record.History(), key.Address)
		if len(open) == 0 {
			continue
		}
		source, err := sourceOf(p, key.Address, record.History(), planErr)
		undoing := steps.Undoing{
			Source: source, NoSource: err, UUID: steps.ServerOf(record.History(), key.Address), Host: steps.NewLive(run.Run), Open: open,
			Settle: func(id engine.ActionID) error { return settle(record, key.Address, id) },
			Note:   func(action engine.Action) { a.tell("undo: " + action.Summary) },
			Leave: func(path string, why error) {
				a.tell(fmt.Sprintf("left: %s could not be removed, which is to be done by hand: %v", path, why))
			},
		}
		failed = append(failed, undoing.Undo(ctx))
	}
	if err := errors.Join(failed...); err != nil {
		return withHint(fmt.Errorf("discard run %s: %w", run.Run, err), "mend it, then again: runner discard "+run.Run+a.flags())
	}
	if err := record.MarkDiscarded(now()); err != nil {
		return err
	}
	a.tell("run " + run.Run + " is discarded")
	return nil
}

// sourceOf is the server that a job has write its copies, or why it is not known.
func sourceOf(p *plan.Plan, address string, history []engine.Entry, planErr error) (*plan.Source, error) {
	if planErr != nil {
		return nil, fmt.Errorf("the server is not known: %w", planErr)
	}
	job, known := p.Job(address)
	if !known {
		return nil, fmt.Errorf("the server is not known: the plan has no %s any more", address)
	}
	return steps.WriterOf(history, job), nil
}

func settle(record *journal.Journal, job string, id engine.ActionID) error {
	_, err := record.Record(engine.Entry{Time: now(), Type: engine.EntrySettled, ID: graph.ID{Job: job}, ActionID: id})
	return err
}

// remarkLine: type note, outside of a run.
type remarkLine struct {
	Text string `json:"text"`
}

// tell says what was done, outside of a run.
func (a *app) tell(text string) {
	if a.global.json {
		// The summary line tells whether all of stdout could be written.
		_ = report.JSONLine(a.Stdout, "note", remarkLine{text})
		return
	}
	_, _ = fmt.Fprintln(a.Stderr, text)
}
