package cli

import (
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"runner/cmd/runner/internal/journal"
	"runner/cmd/runner/internal/report"
)

func (a *app) runsCommand() *cobra.Command {
	var jobs []string
	c := &cobra.Command{
		Use:   "runs",
		Short: "List the runs that are recorded, and how each ended",
		Long: `Lists the runs in the state directory, newest first: running, complete, failed, interrupted or discarded.
A failed or interrupted run that has left something can be resumed or discarded.` + exits("done", helpFailed, helpUsage),
		Example: `  runner runs
  runner runs --job job.orders --json`,
		Args: a.arguments(0, 0),
		RunE: func(*cobra.Command, []string) error {
			state, err := a.openState()
			if err != nil {
				return err
			}
			all, err := state.Runs()
			if err != nil {
				return err
			}
			return a.showRuns(ofJobs(all, jobs))
		},
	}
	c.Flags().StringArrayVar(&jobs, "job", nil, "only runs of the job with this `ADDRESS`; may be given again")
	return c
}

func ofJobs(all []journal.Summary, jobs []string) []journal.Summary {
	if len(jobs) == 0 {
		return all
	}
	var some []journal.Summary
	for _, run := range all {
		for _, key := range run.Jobs {
			if contains(jobs, key.Address) {
				some = append(some, run)
				break
			}
		}
	}
	return some
}

func contains(jobs []string, address string) bool {
	for _, j := range jobs {
		if j == address || "job."+j == address {
			return true
		}
	}
	return false
}

func (a *app) showRuns(all []journal.Summary) error {
	if a.global.json {
		return a.runLines(all)
	}
	if len(all) == 0 {
		_, err := fmt.Fprintln(a.Stdout, "no runs")
		return err
	}
	w := tabwriter.NewWriter(a.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "RUN\tSTATE\tATTEMPTS\tSTARTED\tJOBS\tLEFT\tLAST ERROR")
	for _, run := range all {
		problem := run.LastError
		if run.Damage != nil {
			problem = run.Damage.Error()
		}
		problem, _, _ = strings.Cut(problem, "\n")
		fmt.Fprintf(w, "%s\t%s\t%d\t%s\t%s\t%d\t%s\n", run.Run, run.State, run.Attempts,
			run.Started.Local().Format(time.DateTime), strings.Join(addresses(run), ","), run.OpenActions, problem)
	}
	return w.Flush()
}

// runLine: type run.
type runLine struct {
	Run       string    `json:"run"`
	State     string    `json:"state"` // running, complete, failed, interrupted, discarded or damaged
	Attempts  int       `json:"attempts"`
	Started   time.Time `json:"started"`
	Ended     time.Time `json:"ended,omitzero"`
	Jobs      []string  `json:"jobs"`                 // addresses
	Left      int       `json:"left"`                 // things that it made and that are still there
	LastError string    `json:"last_error,omitempty"` // of the last attempt
	Damage    string    `json:"damage,omitempty"`     // why its record can't be read
	Backups   []string  `json:"backups"`              // their folders
}

func (a *app) runLines(all []journal.Summary) error {
	var failed []error
	for _, run := range all {
		line := runLine{
			Run: run.Run, State: string(run.State), Attempts: run.Attempts, Started: run.Started, Ended: run.Ended,
			Jobs: addresses(run), Left: run.OpenActions, LastError: run.LastError, Backups: []string{},
		}
		if run.Damage != nil {
			line.Damage = run.Damage.Error()
		}
		for _, b := range run.Backups {
			line.Backups = append(line.Backups, b.Path)
		}
		failed = append(failed, report.JSONLine(a.Stdout, "run", line))
	}
	return errors.Join(failed...)
}

func addresses(run journal.Summary) []string {
	list := make([]string, len(run.Jobs))
	for i, j := range run.Jobs {
		list[i] = j.Address
	}
	return list
}
