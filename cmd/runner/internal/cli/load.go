package cli

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"runner/cmd/runner/internal/report"
	"runner/pkg/plan"
	"runner/pkg/plan/diag"
)

// load reads a plan and shows every problem of it. The error is a *planError when there is one.
func (a *app) load(paths []string, at time.Time) (*plan.Plan, error) {
	return a.loadWith(paths, plan.LoadOptions{Vars: a.vars(), VarFiles: a.global.varFiles, Now: at})
}

func (a *app) loadWith(paths []string, o plan.LoadOptions) (*plan.Plan, error) {
	var err error
	if o.Dir == "" {
		if o.Dir, err = os.Getwd(); err != nil {
			return nil, fmt.Errorf("find the current folder: %w", err)
		}
	}
	if o.Hostname, err = os.Hostname(); err != nil {
		return nil, fmt.Errorf("find the name of this host: %w", err)
	}
	o.Getenv = a.Getenv
	p, files, problems := plan.Load(paths, o)
	if err := a.showDiagnostics(files, problems); err != nil {
		return nil, err
	}
	if !problems.HasErrors() {
		return p, nil
	}
	count := 0
	for _, d := range problems {
		if d.Severity == diag.Error {
			count++
		}
	}
	return nil, &planError{problems: count}
}

// vars are the values of --var; their form was checked when the flags were read.
func (a *app) vars() map[string]string {
	vars := make(map[string]string, len(a.global.vars))
	for _, v := range a.global.vars {
		name, value, _ := strings.Cut(v, "=")
		vars[name] = value
	}
	return vars
}

// showDiagnostics prints them on stderr for people, or as JSON lines.
func (a *app) showDiagnostics(files *diag.Files, problems diag.List) error {
	if !a.global.json {
		width, terminal := terminalWidth(a.screen)
		return diag.Render(a.painted(terminal), files, problems, width, a.color())
	}
	var failed []error
	for _, d := range problems {
		failed = append(failed, report.JSONLine(a.Stdout, "diagnostic", d))
	}
	return errors.Join(failed...)
}

// selectJobs narrows the plan to the jobs that were asked for; all of them when none was.
func selectJobs(p *plan.Plan, addresses []string) (*plan.Plan, error) {
	if len(addresses) == 0 {
		return p, nil
	}
	selected, err := p.Select(addresses)
	if err != nil {
		return nil, withHint(&usageError{command: "runner", err: err}, "runner validate PATH shows the jobs of a plan")
	}
	return selected, nil
}
