package cli

import (
	"errors"
	"sync"
	"time"

	"runner/cmd/runner/internal/engine"
	"runner/cmd/runner/internal/report"
	"runner/pkg/plan/graph"
)

// paintInterval is the shortest time between two looks at the progress of a command.
const paintInterval = 100 * time.Millisecond

// watch shows the progress of work that is no run: the reading of a backup. The work's progress may be told from any
// goroutine, one at a time.
func (a *app) watch(backup, step string, work func(progress func(done, total int64)) error) error {
	view := report.New(a.reporting(false))
	id := graph.ID{Job: backup, Step: step}
	began := now()
	view.Observe(engine.StepStarted{Stamp: engine.Stamp{Time: began}, ID: id})
	var (
		mu    sync.Mutex
		shown time.Time
	)
	err := work(func(done, total int64) {
		mu.Lock()
		defer mu.Unlock()
		at := now()
		if at.Sub(shown) < paintInterval && done < total {
			return
		}
		shown = at
		view.Observe(engine.StepProgress{Stamp: engine.Stamp{Time: at}, ID: id, Progress: engine.Progress{Stage: step, Done: done, Total: total}})
	})
	outcome := engine.OutcomeDone
	if err != nil {
		outcome = engine.OutcomeFailed
	}
	mu.Lock()
	defer mu.Unlock()
	ended := now()
	view.Observe(engine.StepFinished{Stamp: engine.Stamp{Time: ended}, ID: id, Outcome: outcome, Err: err, Duration: ended.Sub(began)})
	return errors.Join(err, view.Close())
}
