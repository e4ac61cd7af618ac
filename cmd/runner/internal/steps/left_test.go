package steps_test

import (
	"encoding/json"
	"errors"
	"testing"

	"runner/cmd/runner/internal/engine"
	"runner/cmd/runner/internal/steps"
)

// stuck is a host on which nothing can be removed.
type stuck struct{ steps.Live }

var errStuck = errors.New("input/output error")

func (stuck) Remove(string) error { return errStuck }

func TestWhatCannotBeRemovedIsLeftToWhoeverIsTold(t *testing.T) {
	for _, place := range []string{"repository", "staging"} {
		folder := t.TempDir()
		data, err := json.Marshal(map[string]string{"place": place, "ours": folder, "server": folder})
		if err != nil {
			t.Fatal(err)
		}
		settled, left := 0, ""
		undoing := steps.Undoing{
			Host: stuck{}, Open: []engine.OpenAction{{ID: 1, Job: "job.j", Action: engine.Action{Kind: engine.ActionDirectory, Data: data}}},
			Settle: func(engine.ActionID) error { settled++; return nil },
		}
		undoing.NoSource = errStuck
		if err := undoing.Undo(t.Context()); err == nil || settled != 0 {
			t.Errorf("%s, nobody is told: %v, %d settled", place, err, settled)
		}
		if place == "staging" {
			continue // what may still be written is never handed over before the server was asked
		}
		undoing.Leave = func(path string, _ error) { left = path }
		if err := undoing.Undo(t.Context()); err != nil || settled != 1 || left != folder {
			t.Errorf("%s: %v, %d settled, %q left", place, err, settled, left)
		}
	}
}
