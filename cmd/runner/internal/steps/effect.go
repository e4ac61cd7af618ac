package steps

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"runner/cmd/runner/internal/engine"
	"runner/pkg/clone"
	"runner/pkg/plan"
	"runner/pkg/plan/graph"
)

// The places a directory of ours can be in.
const (
	placeStaging    = "staging"
	placeRepository = "repository"
)

// directory is the data of a directory action of the steps: where it is, and who writes into it.
type directory struct {
	Place  string `json:"place"`            // staging or repository
	Ours   string `json:"ours"`             // as the runner sees it
	Server string `json:"server,omitempty"` // staging: as mysqld sees it
}

// intendDirectory announces a directory of ours.
func intendDirectory(ctx context.Context, r *engine.Runtime, summary string, d directory) (engine.ActionID, error) {
	data, err := json.Marshal(d)
	if err != nil {
		return 0, fmt.Errorf("describe directory: %w", err)
	}
	return r.Intend(ctx, engine.Action{Kind: engine.ActionDirectory, Summary: summary, Data: data})
}

// intendEffect announces what the server is about to be told, and returns what settles it.
func intendEffect(ctx context.Context, r *engine.Runtime, e clone.Effect) (func(context.Context) error, error) {
	id, err := r.Intend(ctx, engine.Action{Kind: engine.ActionKind(e.Kind), Summary: e.Summary, Data: e.Data})
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context) error { return r.Settle(ctx, id) }, nil
}

// Undoing is what is needed to undo what a run left behind.
type Undoing struct {
	Source   *plan.Source
	NoSource error  // why Source is nil: only what needs no server is undone then
	UUID     string // the server's server_uuid; another server is left alone. Empty: any
	Host     Host
	Open     []engine.OpenAction                 // of one job, oldest first
	Settle   func(id engine.ActionID) error      // called for each action when nothing is left of it
	Note     func(action engine.Action)          // told before each; may be nil
	Keep     func(action engine.OpenAction) bool // actions to leave as they are; nil: none
	// Leave is told of a directory that cannot be removed, or may be a backup, and it is left to whoever is told; nil: that is an error,
	// and the action stays open.
	Leave func(path string, why error)

	server  Server
	refused error // why there is none, once that is known
}

// Undo undoes the open actions, newest first: kills a clone that is still running, restores settings, removes a
// plugin that was installed, and deletes the directories that are ours. A backup that is complete is never deleted, and
// neither is a directory that the server may still be writing into. What could not be undone stays open.
func (u *Undoing) Undo(ctx context.Context) (err error) {
	defer func() {
		if u.server != nil {
			err = errors.Join(err, u.server.Close())
		}
	}()
	var failed []error
	for i := len(u.Open) - 1; i >= 0; i-- {
		action := u.Open[i]
		if u.Keep != nil && u.Keep(action) {
			continue
		}
		if u.Note != nil {
			u.Note(action.Action)
		}
		if err := u.undo(ctx, action); err != nil {
			failed = append(failed, fmt.Errorf("undo %q: %w", action.Summary, err))
			continue
		}
		if err := u.Settle(action.ID); err != nil {
			failed = append(failed, err)
		}
	}
	return errors.Join(failed...)
}

func (u *Undoing) undo(ctx context.Context, action engine.OpenAction) error {
	if action.Kind == engine.ActionDirectory {
		return u.undoDirectory(ctx, action)
	}
	server, err := u.connect(ctx)
	if err != nil {
		return err
	}
	return server.Undo(ctx, clone.Effect{Kind: string(action.Kind), Summary: action.Summary, Data: action.Data})
}

func (u *Undoing) undoDirectory(ctx context.Context, action engine.OpenAction) error {
	var d directory
	if err := json.Unmarshal(action.Data, &d); err != nil {
		return fmt.Errorf("read what the journal says of it: %w", err)
	}
	if d.Place == placeRepository {
		return u.removeBackup(d)
	}
	return u.removeStaging(ctx, d)
}

// removeBackup deletes an unfinished backup. One with a manifest is finished, whatever became of the run.
func (u *Undoing) removeBackup(d directory) error {
	complete, err := hasManifest(d.Ours)
	if err != nil {
		return u.left(d.Ours, fmt.Errorf("it may be a backup: %w", err))
	}
	if complete {
		return nil
	}
	return u.left(d.Ours, u.Host.Remove(d.Ours))
}

// left hands a directory that could not be removed over, where there is somebody to take it.
func (u *Undoing) left(path string, err error) error {
	if err == nil || u.Leave == nil {
		return err
	}
	u.Leave(path, err)
	return nil
}

// removeStaging deletes a staging directory once nobody writes into it any more.
func (u *Undoing) removeStaging(ctx context.Context, d directory) error {
	state, err := clone.InspectDirectory(d.Ours)
	if err != nil {
		return u.left(d.Ours, err)
	}
	switch {
	case state == clone.DirFinished, state == clone.DirAbsent && d.Ours == d.Server:
	case state == clone.DirAbsent:
		return u.elsewhere(ctx, d)
	default:
		if err := u.awaitNobody(ctx, d); err != nil {
			return err
		}
	}
	return u.left(d.Ours, u.Host.Remove(d.Ours))
}

// elsewhere tells of a directory that is not where it should be seen: what the server has written lies on its host then, where
// only a person can remove it. It may be one that we removed and were killed before we could say so.
func (u *Undoing) elsewhere(ctx context.Context, d directory) error {
	if u.Source == nil { // nobody is going to know more
		u.unseen(d)
		return nil
	}
	server, err := u.connect(ctx)
	if err != nil {
		return fmt.Errorf("there is no %s, and the server can't be asked whether it has written %s: %w", d.Ours, d.Server, err)
	}
	state, err := server.State(ctx, d.Server)
	if err != nil {
		return fmt.Errorf("there is no %s, and the server did not say whether it has written %s: %w", d.Ours, d.Server, err)
	}
	switch {
	case state.State == clone.CloneInProgress:
		return fmt.Errorf("the server is still writing into %s, which is not seen at %s", d.Server, d.Ours)
	case state.State == clone.CloneNone && !u.began(d): // it was refused
		return nil
	}
	u.unseen(d)
	return nil
}

// unseen tells whoever has to remove a directory that it may be there.
func (u *Undoing) unseen(d directory) {
	if u.Note != nil {
		u.Note(engine.Action{Kind: engine.ActionDirectory, Summary: fmt.Sprintf("%s is not seen at %s: if it is on the server's host, remove it there by hand", d.Server, d.Ours)})
	}
}

// began says whether the server was told to write into a directory, and has forgotten it, as after a restart.
func (u *Undoing) began(d directory) bool {
	for _, action := range u.Open {
		var st clone.StatementEffect
		if action.Kind == engine.ActionStatement && json.Unmarshal(action.Data, &st) == nil && st.Directory == d.Server {
			return true
		}
	}
	return false
}

// awaitNobody asks the server: a directory that is not finished may be one that is still being written.
func (u *Undoing) awaitNobody(ctx context.Context, d directory) error {
	server, err := u.connect(ctx)
	if err != nil {
		return fmt.Errorf("%s is kept, since the server can't be asked whether it still writes into it: %w", d.Ours, err)
	}
	state, err := server.State(ctx, d.Server)
	if err != nil {
		return fmt.Errorf("%s is kept, since the server did not say whether it still writes into it: %w", d.Ours, err)
	}
	if state.State == clone.CloneInProgress {
		return fmt.Errorf("%s is kept: the server is still writing into it", d.Ours)
	}
	return nil
}

func (u *Undoing) connect(ctx context.Context) (Server, error) {
	if u.server != nil {
		return u.server, nil
	}
	if u.refused == nil {
		u.server, u.refused = u.reach(ctx)
		return u.server, u.refused
	}
	return nil, errors.New("its server can't be asked, as said")
}

func (u *Undoing) reach(ctx context.Context) (Server, error) {
	if u.Source == nil {
		return nil, u.NoSource
	}
	server, err := u.Host.Connect(ctx, u.Source)
	if err != nil {
		return nil, err
	}
	if err := u.same(server); err != nil {
		return nil, errors.Join(err, server.Close())
	}
	return server, nil
}

// same refuses a server that is not the one that was changed: it knows nothing of our clone, which the right one may
// still be writing.
func (u *Undoing) same(server Server) error {
	return server.Expect(u.UUID)
}

func sameServer(uuid string, facts *clone.Facts) error {
	if now := facts.Source.ServerUUID; now != uuid {
		return &clone.OtherServerError{Was: uuid, Now: now, Address: facts.Address}
	}
	return nil
}

// ServerOf is the server_uuid of the server that a job's last check would have had write a copy; empty where none was recorded.
func ServerOf(history []engine.Entry, job string) string {
	if c := lastCheck(history, job); c != nil {
		return c.writer().ServerUUID
	}
	return ""
}

// WriterOf is the server that a job's last check would have had write a copy, as the plan names it.
func WriterOf(history []engine.Entry, j *plan.Job) *plan.Source {
	mode := j.Clone.Mode
	if c := lastCheck(history, j.Address); c != nil {
		mode = c.Mode
	}
	return writer(j, mode)
}

// lastCheck is what a job's last check has found; nil where none was recorded.
func lastCheck(history []engine.Entry, job string) *checked {
	var last *checked
	for _, e := range history {
		if e.Type != engine.EntryStepFinished || e.ID != (graph.ID{Job: job, Step: Check}) {
			continue
		}
		if c, err := adopt[checked](e.Result); err == nil && c.Facts != nil {
			last = c
		}
	}
	return last
}
