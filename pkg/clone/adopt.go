package clone

import (
	"context"
	"errors"
	"time"
)

// errGone is the loss that a clone is looked for after: the process that began it is no more.
var errGone = errors.New("the process that began the clone is gone")

// Adopt goes on with a clone that another process began and did not see the end of: the server finishes
// a statement whose sender is gone. It takes the statement's recorded effect, waits until the clone is over, and returns what
// CloneLocal would have. Settings and plugin are left to Undo of their own effects.
//
// When ctx ends the clone is killed and awaited. Errors are those of CloneLocal.
func (s *Server) Adopt(ctx context.Context, o LocalOptions, statement Effect, h Hooks) (*Result, error) {
	return adopt(ctx, s, sending{s}, o, statement, h)
}

// Adopt looks at the clone that Server.Adopt would go on with; it neither kills nor finishes anything.
func (d *DryServer) Adopt(ctx context.Context, o LocalOptions, statement Effect, h Hooks) (*Result, error) {
	return adopt(ctx, d.s, withholding{}, o, statement, h)
}

func adopt(ctx context.Context, s *Server, out outlet, o LocalOptions, statement Effect, h Hooks) (*Result, error) {
	c := &localClone{s: s, out: out, o: o, h: h, result: &Result{Mode: "local", Stages: []Stage{}, Settings: []Setting{}}}
	return c.adopt(ctx, statement)
}

// adopt awaits a clone that is described by its statement's effect.
func (c *localClone) adopt(ctx context.Context, statement Effect) (*Result, error) {
	var effect StatementEffect
	if err := decode(statement, &effect); err != nil {
		return nil, err
	}
	c.o.Directory = effect.Directory
	c.o = c.o.withDefaults()
	c.pid, c.result.Statement, c.result.Before = effect.PID, effect.Statement, effect.Before
	c.watcher.c = c
	if status, err := c.s.status(ctx); err == nil && status != nil && status.PID == c.pid && status.Begin != nil {
		c.result.Begin = status.Begin.UTC()
	}
	if reason, err := c.lost(ctx, nil, errGone); err != nil {
		if ClassOf(err) != Uncertain {
			c.letGo(ctx)
		}
		return nil, c.verdict(reason, err)
	}
	c.result.End = time.Now().UTC()
	if status, err := c.s.status(ctx); err == nil && status != nil && status.PID == c.pid && status.End != nil {
		c.result.End = status.End.UTC()
	}
	if err := c.finish(ctx, c.logBin(ctx)); err != nil {
		return nil, err
	}
	return c.result, nil
}
