package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"runner/cmd/runner/internal/report"
	"runner/pkg/plan"
)

func (a *app) validateCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "validate PATH...",
		Short: "Check a plan alone; no server is contacted",
		Long: `Reads a plan, which may be several files and folders (*.hcl, *.yaml, *.yml, *.json), and shows every
problem of it at once, with file, line and column. No server is contacted and nothing is changed.
Prints the jobs and the plan's digest.` + exits("the plan is sound", helpFailed, helpUsage),
		Example: `  runner validate plan.hcl
  runner validate common.hcl eu.yaml --var environment=prod
  runner validate /etc/runner/plans --json`,
		Args: a.arguments(1, -1),
		RunE: func(_ *cobra.Command, args []string) error {
			p, err := a.load(args, now())
			if err != nil {
				return err
			}
			return a.showPlan(p)
		},
	}
}

// showPlan prints what a sound plan declares.
func (a *app) showPlan(p *plan.Plan) error {
	if a.global.json {
		return report.JSONLine(a.Stdout, "plan", lineOf(p))
	}
	for _, j := range p.Jobs {
		if _, err := fmt.Fprintf(a.Stdout, "%s\n    source      %s\n    repository  %s (%s)\n    steps       %s\n",
			j.Address, j.Source.Address(), j.Repository.Address(), j.Repository.Path, stepsLine(j)); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(a.Stdout, "digest %s\n", p.Digest)
	return err
}

func stepsLine(j *plan.Job) string {
	compress := j.Compress.Format
	if j.Encrypt != nil {
		compress += fmt.Sprintf(", age for %d", len(j.Encrypt.Recipients))
	}
	return fmt.Sprintf("check, clone (%s), compress (%s), checksum (%s), metadata", j.Clone.Mode, compress, j.Checksum.Algorithm)
}

// planLine: type plan.
type planLine struct {
	Digest string           `json:"digest"` // of the normalised plan
	Jobs   []plannedJobLine `json:"jobs"`
}

// plannedJobLine is a job that a plan declares.
type plannedJobLine struct {
	Address    string   `json:"address"`
	Source     string   `json:"source"`     // address
	Repository string   `json:"repository"` // address
	Path       string   `json:"path"`       // of the repository
	DependsOn  []string `json:"depends_on"` // addresses of jobs
	Mode       string   `json:"mode"`       // of the clone
	Format     string   `json:"format"`     // of the archive
	Recipients int      `json:"recipients"` // that the archive is encrypted for; 0: it is not
}

func lineOf(p *plan.Plan) planLine {
	line := planLine{Digest: p.Digest, Jobs: make([]plannedJobLine, 0, len(p.Jobs))}
	for _, j := range p.Jobs {
		recipients := 0
		if j.Encrypt != nil {
			recipients = len(j.Encrypt.Recipients)
		}
		line.Jobs = append(line.Jobs, plannedJobLine{
			Address: j.Address, Source: j.Source.Address(), Repository: j.Repository.Address(), Path: j.Repository.Path,
			DependsOn: append([]string{}, j.DependsOn...), Mode: j.Clone.Mode, Format: j.Compress.Format, Recipients: recipients,
		})
	}
	return line
}
