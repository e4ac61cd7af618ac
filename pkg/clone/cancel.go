package clone

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"
)

// ErrNotSameHost says that the server writes its clone to a place that does not appear where this
// process looks for it.
var ErrNotSameHost = errors.New("the clone does not appear where it was looked for: the server is on another host or in a container, or mounted_at of the plan names another directory")

// ErrCloneLost says that the server is there but knows nothing of the clone, which is not finished: the server was restarted.
var ErrCloneLost = errors.New("the server was restarted in the middle of the clone")

const (
	// appearTimeout is how long a directory that the server writes to may take to appear here. A
	// local file system shows it at once; NFS may keep an absent name for 30 s, but asks again for a
	// directory that changed.
	appearTimeout = 10 * time.Second
	// killInterval is how often a statement is killed that does not end: a kill that comes before the
	// statement has begun is lost.
	killInterval = time.Second
	killTimeout  = 5 * time.Second
)

// running is the CLONE statement under way. err may be read once done is closed.
type running struct {
	done    chan struct{}
	err     error
	abandon context.CancelFunc // cuts its connection, which does not stop the server
}

// start sends the statement under a context of its own: the end of the caller's would only cut the
// connection, and leave the server cloning with nobody to watch.
func (c *localClone) start(ctx context.Context, conn *sql.Conn) *running {
	own, abandon := context.WithCancel(context.WithoutCancel(ctx))
	r := &running{done: make(chan struct{}), abandon: abandon}
	go func() {
		defer close(r.done)
		r.err = c.explained(c.out.clone(own, conn, c.sent))
	}()
	return r
}

// execute runs the statement to its end, whatever that is: when it returns, the server is no longer
// cloning, or the error is of class Uncertain.
func (c *localClone) execute(ctx context.Context, conn *sql.Conn) (err error) {
	if err := ctx.Err(); err != nil {
		return &Error{Class: Cancelled, Op: "clone", Err: err}
	}
	r := c.start(ctx, conn)
	defer r.abandon()
	ended := false
	defer func() {
		if !ended { // a hook panicked
			_ = c.kill(ctx, r)
		}
	}()
	reason := c.watch(ctx, r)
	if reason != nil {
		if err := c.kill(ctx, r); err != nil {
			ended = true
			return errors.Join(reason, err)
		}
	}
	<-r.done
	err = r.err
	if ClassOf(err) == Uncertain {
		reason, err = c.lost(ctx, reason, err)
	}
	ended = true
	return c.verdict(reason, err)
}

// verdict names a failure by what we killed the statement for, if we did. A statement that was
// finished before the kill reached it is finished.
func (c *localClone) verdict(reason, err error) error {
	switch {
	case err == nil && (errors.Is(reason, ErrNotSameHost) || errors.Is(reason, ErrOtherDonor)):
		return reason
	case err == nil:
		return nil
	case reason == nil, ClassOf(err) == Uncertain:
		return errors.Join(classified(err), reason)
	case errors.Is(reason, ErrNotSameHost), errors.Is(reason, ErrOtherDonor):
		return reason
	}
	return &Error{Number: number(err), Name: nameOf(err), Class: Cancelled, Op: "clone", Err: errors.Join(reason, err)}
}

func classified(err error) error {
	var already *Error
	if errors.As(err, &already) {
		return err
	}
	return wrap("clone", err)
}

func nameOf(err error) string {
	k, _ := known(number(err))
	return k.name
}

// watch reports progress until the statement ends, which gives nil, or until it has to be killed,
// which gives the reason.
func (c *localClone) watch(ctx context.Context, r *running) error {
	poll := startPoller(c.s.db, c.pid, c.o.Directory, c.o.Interval)
	defer poll.stop()
	c.watcher.c = c
	for {
		select {
		case <-r.done:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		case seen := <-poll.seen:
			if err := c.watcher.take(seen); err != nil {
				return err
			}
			if err := c.rememberOnce(ctx); err != nil {
				return err
			}
		}
	}
}

// watcher is what is remembered from one look to the next.
type watcher struct {
	c        *localClone
	meter    meter
	silent   bool      // it was said that there is no progress to be had
	copying  time.Time // when FILE COPY was first seen to have begun
	appeared bool
}

// take handles one look; its error is a reason to kill the statement.
func (w *watcher) take(seen observation) error {
	if seen.err != nil {
		if !w.silent {
			w.c.h.note("progress is unknown: %v", seen.err)
		}
		w.silent = true
		return nil
	}
	if len(seen.stages) == 0 {
		return nil
	}
	w.c.result.Stages = seen.stages
	progress, begun := w.meter.add(seen.at, seen.stages)
	if !begun {
		return nil
	}
	w.c.h.progress(progress)
	return w.look(seen.at)
}

// look waits for the directory to appear: a server that copies has made it.
func (w *watcher) look(at time.Time) error {
	if w.appeared {
		return nil
	}
	if w.copying.IsZero() {
		w.copying = at
	}
	if _, err := os.Lstat(w.c.o.Observe); !errors.Is(err, fs.ErrNotExist) {
		w.appeared = true // or may not be looked at, which says itself when it is read
		return nil
	}
	if at.Sub(w.copying) > appearTimeout {
		return notSameHost(w.c.o)
	}
	return nil
}

func notSameHost(o LocalOptions) error {
	return &Error{Class: UserMustFix, Op: "clone", Err: fmt.Errorf("%w (the server writes %s, looked for at %s)", ErrNotSameHost, o.Directory, o.Observe)}
}

// kill ends the statement on the server and waits until it has ended. The error, of class Uncertain,
// is that of a server that could not be reached for o.Reconnect; the connection is given up then.
func (c *localClone) kill(ctx context.Context, r *running) error {
	own := context.WithoutCancel(ctx)
	c.remember(own)
	reached := time.Now()
	tick := time.NewTicker(killInterval)
	defer tick.Stop()
	for {
		err := c.killOnce(own)
		if err == nil || number(err) != 0 {
			reached = time.Now()
		} else if time.Since(reached) > c.o.Reconnect {
			c.unreachable = true
			r.abandon()
			<-r.done
			return &Error{Class: Uncertain, Op: "kill the clone", Err: err}
		}
		select {
		case <-r.done:
			return nil
		case <-tick.C:
		}
	}
}

// killOnce needs no privilege: the statement runs under our own account. A connection that is gone
// (1094) has nothing to be killed.
func (c *localClone) killOnce(ctx context.Context) error {
	bounded, cancel := context.WithTimeout(ctx, killTimeout)
	defer cancel()
	return c.out.exec(bounded, killQuery(c.pid))
}

func killQuery(pid int64) string { return fmt.Sprintf("KILL QUERY %d", pid) }

// lost finds out what became of the clone after its connection broke, which does not stop it. A nil
// error: it is finished. Where it has to be killed, for the reason given or one that comes up, that is returned too.
func (c *localClone) lost(ctx context.Context, reason, cause error) (error, error) {
	c.h.note("the clone's connection was lost (%v); the server is asked what became of it", cause)
	own := context.WithoutCancel(ctx)
	reached, killed := time.Now(), false
	for {
		state, err := c.ask(own)
		switch {
		case err != nil && number(err) == 0 && time.Since(reached) <= c.o.Reconnect:
			// Not reached; tried again.
		case err != nil:
			c.unreachable = number(err) == 0
			return reason, &Error{Class: Uncertain, Op: "clone", Err: errors.Join(cause, err)}
		case state == nil:
			return reason, c.judge(cause)
		case state.State == stateCompleted:
			return reason, nil
		case state.State == stateFailed:
			return reason, c.explained(serverError(state))
		default:
			reached = time.Now()
			if reason == nil {
				reason = c.follow(ctx)
			}
			if reason != nil {
				if !killed {
					c.remember(own)
				}
				killed = true
				_ = c.killOnce(own) // tried again at the next look
			}
		}
		if err := pause(own, min(c.o.Interval, killInterval)); err != nil {
			return reason, err
		}
	}
}

// follow goes on reporting the progress of a clone that is watched from another connection now. Its
// error is a reason to kill the clone.
func (c *localClone) follow(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), pollTimeout)
	defer cancel()
	stages, err := readStages(bounded, c.s.db, c.pid, c.o.Directory)
	return c.watcher.take(observation{at: time.Now(), stages: stages, err: err})
}

// ask returns the status of our clone; nil once the server neither has it nor runs its statement.
func (c *localClone) ask(ctx context.Context) (*Status, error) {
	bounded, cancel := context.WithTimeout(ctx, pollTimeout)
	defer cancel()
	row, err := c.s.status(bounded)
	if err != nil {
		return nil, err
	}
	if row != nil && row.PID == c.pid && row.into(c.o.Directory) {
		return row, nil
	}
	// The statement may have arrived and not have begun.
	var statements int
	err = oneRow(bounded, c.s.db,
		"SELECT COUNT(*) FROM performance_schema.threads WHERE PROCESSLIST_ID = ? AND PROCESSLIST_INFO LIKE 'CLONE %'", c.pid).Scan(&statements)
	if err != nil {
		return nil, wrap("look for the clone's statement", err)
	}
	if statements > 0 {
		return &Status{PID: c.pid, State: stateNotStarted}, nil
	}
	return nil, nil
}

// judge decides by the directory when the server has forgotten: it was restarted, or has made another
// clone since. Both mean that ours is over.
func (c *localClone) judge(cause error) error {
	state, err := InspectDirectory(c.o.Observe)
	if err == nil && state == DirFinished {
		return nil
	}
	what := fmt.Errorf("%w: %s is %s", ErrCloneLost, c.o.Observe, state)
	return &Error{Class: Other, Op: "clone", Err: errors.Join(what, err, cause)}
}
