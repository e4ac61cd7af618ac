package steps

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"runner/cmd/runner/internal/engine"
	"runner/pkg/clone"
)

// cloned is the result of the step clone.
type cloned struct {
	*clone.Result
	Attempt int `json:"attempt"`
	// Findings are those made after the copy was whole.
	Findings []clone.Finding `json:"findings,omitempty"`
	// RestoreCNF is the option file for the copy, with what changed since the check; "": nothing is known of that.
	RestoreCNF string `json:"restore_cnf,omitempty"`
	// List is what the copy in the staging directory consisted of; nil: not known, or there is none.
	List *copyList `json:"list,omitempty"`
	// Packed is the archive, where the copy went right into it; nil elsewhere.
	Packed *packed `json:"packed,omitempty"`
}

// cloneStep has the server write a copy of itself into a staging directory.
type cloneStep struct{ job *job }

// Exclusive keeps two clones off one server, by whatever address it is reached, and whether it gives a copy or writes one.
func (s *cloneStep) Exclusive() []string {
	if s.job.checked == nil {
		return nil
	}
	return []string{s.job.checked.Facts.Source.ServerUUID, s.job.checked.writer().ServerUUID}
}

func (s *cloneStep) Run(ctx context.Context, r *engine.Runtime) (_ any, err error) {
	j := s.job
	server, err := s.connect(ctx, r)
	if ctx.Err() != nil && err != nil {
		// A stop leaves nothing running, whichever attempt began it.
		return nil, errors.Join(err, s.undo(ctx, r))
	}
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, server.Close()) }()
	if j.streams() {
		if err := s.undoSettings(ctx, r); err != nil {
			return nil, fmt.Errorf("clean up after the attempt before: %w", err)
		}
		return s.stream(ctx, r, server)
	}
	taken, err := s.takeOver(ctx, r, server)
	switch {
	case err != nil && (ctx.Err() != nil || clone.ClassOf(err) == clone.Uncertain):
		return nil, again(errors.Join(err, s.undo(ctx, r)))
	case err != nil:
		// It may have been killed by the attempt that began it, on its way out.
		r.Emit(engine.Note{Text: "the clone of the attempt before came to nothing, and another is made: " + err.Error()})
	case taken != nil:
		return taken, nil
	}
	if err := s.undo(ctx, r); err != nil {
		return nil, fmt.Errorf("clean up after the attempt before: %w", err)
	}
	theirs, ours := j.staging(r.Attempt())
	options := s.options(theirs, ours)
	before := s.before(ctx)
	result, err := s.make(ctx, server, options, s.hooks(r, theirs, ours))
	if result == nil {
		return nil, again(errors.Join(err, s.undo(ctx, r)))
	}
	s.later(r, err)
	j.cloned = &cloned{Result: result, Attempt: r.Attempt()}
	err = s.record(ctx, r, j.cloned)
	if err == nil {
		err = s.reread(ctx, r, before, j.cloned)
	}
	if err != nil {
		return nil, errors.Join(err, s.undo(ctx, r))
	}
	return j.cloned, nil
}

// connect reaches the server that writes the copy, and refuses another one than was checked, on this connection and on all
// later ones: what is to be copied, gone on with, and undone, is not there.
func (s *cloneStep) connect(ctx context.Context, r *engine.Runtime) (Server, error) {
	checked := s.job.checked
	server, err := s.job.host.Connect(ctx, writer(s.job.Job, checked.Mode))
	if err != nil {
		return nil, err
	}
	if err := server.Expect(checked.writer().ServerUUID); err != nil {
		return nil, errors.Join(err, server.Close())
	}
	if r.Attempt() > 1 {
		if err := server.EndLost(ctx); err != nil {
			r.Emit(engine.Note{Text: err.Error()})
		}
	}
	return server, nil
}

// later takes what could not be undone beside a copy that is whole, and into which hours may have gone: it is tried
// again when the backup is complete.
func (s *cloneStep) later(r *engine.Runtime, err error) {
	if err != nil {
		r.Emit(engine.Note{Text: "not everything that the clone changed could be undone yet: " + err.Error()})
	}
}

// cleaningTime bounds the cleaning up after a failure: a server that does not answer must not hold an exit up for ever.
const cleaningTime = 2 * time.Minute

func (s *cloneStep) options(theirs, ours string) clone.LocalOptions {
	p := s.job.Clone
	return clone.LocalOptions{
		Directory: theirs, Observe: ours, Bandwidth: p.Bandwidth, Threads: p.Threads, DDL: p.DDL, DDLTimeout: p.DDLTimeout,
		InstallPlugin: s.job.Check.Plugin == "install",
	}
}

// hooks record what is about to happen to the server and show how far it is.
func (s *cloneStep) hooks(r *engine.Runtime, theirs, ours string) clone.Hooks {
	return clone.Hooks{
		Intend: func(ctx context.Context, e clone.Effect) (func(context.Context) error, error) {
			if e.Kind != clone.EffectDirectory {
				return intendEffect(ctx, r, e)
			}
			id, err := intendDirectory(ctx, r, e.Summary, directory{Place: placeStaging, Ours: ours, Server: theirs})
			return func(ctx context.Context) error { return r.Settle(ctx, id) }, err
		},
		Progress: func(p clone.Progress) {
			r.Progress(engine.Progress{Stage: p.Stage, Done: p.Done, Total: p.Total, Note: received(p.Network)})
		},
		Note: func(text string) { r.Emit(engine.Note{Text: text}) },
	}
}

// takeOver looks for a clone that an earlier attempt began and did not see the end of: the server finishes a
// statement whose sender is gone. nil: there is none that could be used.
func (s *cloneStep) takeOver(ctx context.Context, r *engine.Runtime, server Server) (*cloned, error) {
	staging, statement := s.begun(r)
	if staging == nil || statement == nil {
		return nil, nil
	}
	state, err := server.State(ctx, staging.Server)
	if err != nil {
		return nil, err
	}
	whole := state.State == clone.CloneCompleted
	if state.State == clone.CloneNone { // as after a restart of the server
		found, err := clone.InspectDirectory(staging.Ours)
		if err != nil {
			return nil, err
		}
		whole = found == clone.DirFinished
	}
	if state.State != clone.CloneInProgress && !whole {
		return nil, nil
	}
	r.Emit(engine.Note{Text: "the server went on with the clone of the attempt before; it is taken over"})
	effect := clone.Effect{Kind: string(statement.Kind), Summary: statement.Summary, Data: statement.Data}
	result, err := s.goOn(ctx, r, server, s.options(staging.Server, staging.Ours), effect, s.hooks(r, staging.Server, staging.Ours))
	if err != nil {
		return nil, err
	}
	taken := &cloned{Result: result, Attempt: r.Attempt()}
	if err := s.adoptList(ctx, r, taken); err != nil {
		return nil, err
	}
	if result.Begin.IsZero() { // a server that was restarted has forgotten it: it was not before this
		result.Begin = s.job.checked.End
		if result.Before != nil {
			result.Begin = result.Before.Time
		}
	}
	r.Adopted()
	s.later(r, s.undoSettings(ctx, r))
	s.job.cloned = taken
	return s.job.cloned, s.reread(ctx, r, s.job.checked.Facts.Reading, s.job.cloned)
}

// begun are the newest staging directory and statement that are open.
func (s *cloneStep) begun(r *engine.Runtime) (staging *directory, statement *engine.OpenAction) {
	for _, action := range r.Open() {
		if d, ok := ours(action, placeStaging); ok {
			staging = &d
		}
		if action.Kind == engine.ActionStatement {
			statement = &action
		}
	}
	return staging, statement
}

// undo undoes all that this job's clones have left.
func (s *cloneStep) undo(ctx context.Context, r *engine.Runtime) error {
	return s.undoing(ctx, r, func(engine.OpenAction) bool { return false })
}

// undoSettings undoes all but the staging directory.
func (s *cloneStep) undoSettings(ctx context.Context, r *engine.Runtime) error {
	return s.undoing(ctx, r, func(a engine.OpenAction) bool { return a.Kind == engine.ActionDirectory })
}

func (s *cloneStep) undoing(ctx context.Context, r *engine.Runtime, keep func(engine.OpenAction) bool) error {
	u := Undoing{
		Source: writer(s.job.Job, s.job.checked.Mode), UUID: s.job.checked.writer().ServerUUID, Host: s.job.host, Open: r.Open(), Keep: keep,
		Settle: func(id engine.ActionID) error { return r.Settle(ctx, id) },
		Note:   func(action engine.Action) { r.Emit(engine.Note{Text: "undo: " + action.Summary}) },
	}
	// Why a step ends has nothing to do with what is to be undone: a cancelled context must not stop that, and it must end.
	own, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleaningTime)
	defer cancel()
	return u.Undo(own)
}

// Adopt takes a copy that is finished and still as the server left it, or a backup that is finished already.
func (s *cloneStep) Adopt(ctx context.Context, r *engine.Runtime, result json.RawMessage) error {
	c, err := adopt[cloned](result)
	if err != nil {
		return err
	}
	complete, err := hasManifest(s.job.folder())
	if err != nil {
		return err
	}
	if c.Packed != nil {
		return s.adoptStream(ctx, r, c)
	}
	state, err := clone.InspectDirectory(c.Observe)
	if err != nil {
		return err
	}
	if !complete && state != clone.DirFinished {
		return fmt.Errorf("the staging directory %s is %s: %w", c.Observe, state, engine.ErrStale)
	}
	s.job.cloned = c
	// Whoever was killed right after the clone may not have put the settings back.
	s.later(r, s.undoSettings(ctx, r))
	return nil
}

// retry makes a clone that the server refused for a reason that passes by itself be tried again.
type retry struct{ error }

func (r retry) Unwrap() error             { return r.error }
func (r retry) RetryAfter() time.Duration { return 15 * time.Second }
func (r retry) MaxRetries() int           { return 2 }

// again marks errors that may be tried again. Another clone on the server is none of them: it may take hours.
func again(err error) error {
	if clone.ClassOf(err) == clone.Retry {
		return retry{err}
	}
	return err
}
