package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"runner/cmd/runner/internal/engine"
	"runner/cmd/runner/internal/journal"
	"runner/cmd/runner/internal/report"
	"runner/cmd/runner/internal/steps"
	"runner/pkg/plan"
)

// applyLocked begins a run, or goes on with the unfinished one; the locks of the jobs are held.
func (a *app) applyLocked(ctx context.Context, state *journal.Dir, paths []string, p *plan.Plan, o applyOptions, began time.Time) error {
	unfinished, err := state.Unfinished(jobKeys(p))
	if err != nil {
		return err
	}
	if len(unfinished) > 0 {
		switch {
		case o.resume:
			return a.resumeLocked(ctx, state, unfinished[0], o.parallelism)
		case !o.restart:
			newest := unfinished[0]
			return &unfinishedError{run: newest.Run, job: newest.Jobs[0].Address, left: newest.OpenActions, flags: a.flags()}
		}
		for _, run := range unfinished {
			if err := a.discardLocked(ctx, state, run, p, nil); err != nil {
				return err
			}
		}
	}
	header, err := a.header(paths, p)
	if err != nil {
		return err
	}
	header.Run, header.Started = journal.NewRunID(began), began
	record, err := state.Create(header, p.Normalised())
	if err != nil {
		return err
	}
	return errors.Join(a.perform(ctx, p, record, o.parallelism), record.Close())
}

// perform walks the plan's graph and records it.
func (a *app) perform(ctx context.Context, p *plan.Plan, record *journal.Journal, parallelism int) error {
	h := record.Header()
	return a.walk(ctx, p, walk{run: h.Run, host: h.Host, parallelism: parallelism, recorder: record, folder: record.Folder(), on: steps.NewLive(h.Run)})
}

// rehearse is the same walk on a host that refuses to change anything.
func (a *app) rehearse(ctx context.Context, paths []string, o applyOptions) error {
	began := now()
	p, err := a.load(paths, began)
	if err != nil {
		return err
	}
	if p, err = selectJobs(p, o.jobs); err != nil {
		return err
	}
	if a.global.json {
		if err := report.JSONLine(a.Stdout, "plan", lineOf(p)); err != nil {
			return err
		}
	}
	host, err := os.Hostname()
	if err != nil {
		return fmt.Errorf("find the name of this host: %w", err)
	}
	return a.walk(ctx, p, walk{
		run: journal.NewRunID(began), host: host, parallelism: o.parallelism, recorder: &engine.Memory{}, on: steps.Dry{}, planning: true,
	})
}

// walk is how a plan's graph is to be walked.
type walk struct {
	run, host   string
	folder      string // of the run; empty in a dry run
	parallelism int
	recorder    engine.Recorder
	on          steps.Host
	planning    bool
}

func (a *app) walk(ctx context.Context, p *plan.Plan, w walk) error {
	g, err := p.Graph()
	if err != nil {
		return err
	}
	run := steps.Run{ID: w.run, Folder: w.folder, PlanDigest: p.Digest, Host: w.host, Version: a.Version, Now: now, History: w.recorder.History(), Earlier: earlierBackups}
	a.view = report.New(a.reporting(w.planning))
	return engine.Run(ctx, g, steps.New(p, run, w.on), engine.Options{
		Parallelism: w.parallelism,
		Recorder:    w.recorder,
		Observer:    a.view,
		Run:         w.run,
		Now:         now,
		Timeout: func(address string) time.Duration {
			j, _ := p.Job(address)
			return j.Timeout
		},
	})
}
