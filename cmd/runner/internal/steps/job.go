package steps

import (
	"context"
	"encoding/json"
	"fmt"
	"path"
	"path/filepath"
	"strconv"
	"time"

	"runner/cmd/runner/internal/engine"
	"runner/pkg/archive/manifest"
	"runner/pkg/plan"
	"runner/pkg/plan/graph"
)

// The names of the steps, in the order in which the steps of a job run.
const (
	Check    = "check"
	Clone    = "clone"
	Compress = "compress"
	Checksum = "checksum"
	Metadata = "metadata"
)

// Run is what all jobs of one run have in common.
type Run struct {
	ID         string // names the backup's folder
	Folder     string // of the run in the state directory; empty where nothing is recorded, as in a dry run
	PlanDigest string
	Host       string // the machine that the runner is on
	Version    string // the runner's
	Now        func() time.Time
	History    []engine.Entry // of the attempts before
	// Earlier gives the manifests of a job's backups that can be read, newest first.
	Earlier func(ctx context.Context, job *plan.Job) []*manifest.Manifest
}

// New returns the steps of every job of the plan, by their places in the plan's graph.
func New(p *plan.Plan, run Run, host Host) map[graph.ID]engine.Step {
	all := make(map[graph.ID]engine.Step)
	given := &donors{}
	for _, planned := range p.Jobs {
		j := &job{Job: planned, run: run, host: host, donors: given}
		for name, step := range map[string]engine.Step{
			Check:    &checkStep{job: j},
			Clone:    &cloneStep{job: j},
			Compress: &compressStep{job: j},
			Checksum: &checksumStep{job: j},
			Metadata: &metadataStep{job: j},
		} {
			all[graph.ID{Job: planned.Address, Step: name}] = step
		}
	}
	return all
}

// job is what the steps of one job hand down to one another. They run one after the other, so it has no lock.
type job struct {
	*plan.Job
	run    Run
	host   Host
	donors *donors // of all jobs

	outside bool // a clone was given up because a table outside the data directory appeared: the next one holds DDL back

	checked *checked
	cloned  *cloned
	packed  *packed
	summed  *summed
}

// timing is when a step's work was done, for the manifest.
type timing struct {
	Begin   time.Time `json:"begin"`
	End     time.Time `json:"end"`
	Attempt int       `json:"attempt"`
}

// folder is the folder of this backup in the repository.
func (j *job) folder() string {
	return filepath.Join(j.Repository.Path, j.Folder(), j.run.ID)
}

// stagingName is the name of the staging directory: a later attempt never reuses one, so that the server's
// record of an earlier clone can't be taken for a later one's.
func (j *job) stagingName(attempt int) string {
	name := "runner-" + j.run.ID + "-" + j.Folder()
	if attempt > 1 {
		name += "-" + strconv.Itoa(attempt)
	}
	return name
}

// staging is the staging directory as mysqld sees it and as the runner sees it.
func (j *job) staging(attempt int) (server, ours string) {
	name := j.stagingName(attempt)
	server = path.Join(j.Clone.Directory, name)
	if j.Clone.MountedAt == "" {
		return server, server
	}
	return server, filepath.Join(j.Clone.MountedAt, name)
}

func (j *job) now() time.Time { return j.run.Now().UTC() }

// adopt decodes a recorded result.
func adopt[T any](result json.RawMessage) (*T, error) {
	if len(result) == 0 {
		return nil, fmt.Errorf("nothing was recorded: %w", engine.ErrStale)
	}
	v := new(T)
	if err := json.Unmarshal(result, v); err != nil {
		return nil, fmt.Errorf("read recorded result: %w", err)
	}
	return v, nil
}
