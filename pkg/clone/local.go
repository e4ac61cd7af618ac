package clone

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"
)

// The server's numbers of what is found out here before the server is asked.
const (
	erDBCreateExists = 1007
	erPluginNotThere = 1524
	erWrongValue     = 1525
	erCloneBusy      = 3634
)

// CloneLocal makes the server write a copy of itself into a directory on its own host
// (CLONE LOCAL DATA DIRECTORY), and returns when that is finished.
//
// Each change is told to h.Intend before it is made: settings, plugin, directory, statement. Settings
// are restored and an installed plugin is removed whatever happens, a panic of a hook included. When
// that fails after a finished clone, the Result is returned beside the error.
//
// When ctx ends, the statement is killed on the server and awaited, and the error is ctx's. Nothing
// is deleted: the partial directory, which the recorded effect names, is the caller's to delete once
// State no longer says in progress. A lost connection is made again, and the server is asked what
// became of the clone; only a server that cannot be reached gives an error of class Uncertain.
//
// Errors are *Error. ErrNotSameHost: what the server writes does not appear at o.Observe. ErrCloneLost:
// the server came back without knowing of the clone. Class Busy: another clone runs; nothing was changed.
func (s *Server) CloneLocal(ctx context.Context, o LocalOptions, h Hooks) (*Result, error) {
	return cloneLocal(ctx, s, sending{s}, o, h)
}

// outlet is how changes leave for the server: for real, or in a dry run not at all. Reads don't pass through it.
type outlet interface {
	// exec sends a statement that changes something.
	exec(ctx context.Context, statement string) error
	// reserve keeps other runs away from the server until release is called or the connection is closed.
	reserve(ctx context.Context, conn *sql.Conn) (release func(), err error)
	// clone sends the CLONE statement and waits for its end.
	clone(ctx context.Context, conn *sql.Conn, statement string) error
	// stop kills the clone into the directory, if it runs, and waits for its end.
	stop(ctx context.Context, directory string) error
	// landed returns the directories that the clone is in, once it is seen to be finished there.
	landed(ctx context.Context, o LocalOptions) (directory, observe string, err error)
}

// localClone is a clone under way that a server writes into a directory: its own, or one that it pulls from a donor.
type localClone struct {
	s       *Server // writes the directory
	out     outlet
	o       LocalOptions
	h       Hooks
	pid     int64 // the connection that runs the statement
	undo    []func(context.Context) error
	sent    string // the statement with its secrets, which result.Statement does not have
	pull    *pull  // nil: the server clones itself
	result  *Result
	watcher watcher
	// settleDirectory says that there is no directory after all.
	settleDirectory func(context.Context) error
	// unreachable is set once the server was sought for o.Reconnect in vain.
	unreachable bool
	// logsUnknown is set once the source did not say its log positions.
	logsUnknown bool
}

func cloneLocal(ctx context.Context, s *Server, out outlet, o LocalOptions, h Hooks) (_ *Result, err error) {
	if o, err = o.normalise(); err != nil {
		return nil, err
	}
	c := &localClone{s: s, out: out, o: o, h: h, result: &Result{Mode: ModeLocal, Stages: []Stage{}, Settings: []Setting{}}}
	c.sent = "CLONE LOCAL DATA DIRECTORY = " + quote(o.Directory)
	c.result.Statement = c.sent
	return c.all(ctx)
}

// all reserves the server, and clones if nobody else does.
func (c *localClone) all(ctx context.Context) (_ *Result, err error) {
	conn, err := c.s.conn(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, discard(conn)) }()
	if err := oneRow(ctx, conn, "SELECT CONNECTION_ID()").Scan(&c.pid); err != nil {
		return nil, wrap("read connection id", err)
	}
	c.s.fit(ctx, conn)
	release, err := c.out.reserve(ctx, conn)
	if err != nil {
		return nil, err
	}
	defer release()
	if err := c.idle(ctx, c.s); err != nil {
		return nil, err
	}
	finished, err := c.run(ctx, conn)
	if !finished {
		return nil, err
	}
	return c.result, err
}

// run makes the changes, clones, and undoes the changes. It reports whether the clone is finished,
// which it can be beside an error of undoing.
func (c *localClone) run(ctx context.Context, conn *sql.Conn) (finished bool, err error) {
	defer func() { err = errors.Join(err, c.restore(ctx)) }()
	if err := c.prepare(ctx); err != nil {
		return false, err
	}
	logBin := c.logBin(ctx)
	c.result.Before = c.logStatus(ctx)
	given := int64(-1)
	if c.pull != nil {
		given = c.pull.given(ctx)
	}
	if err := c.attempt(ctx, conn); err != nil {
		return false, err
	}
	if _, sends := c.out.(sending); sends && c.pull != nil {
		if err := c.proveDonor(ctx, given); err != nil {
			return false, err
		}
	}
	if err := c.finish(ctx, logBin); err != nil {
		return false, err
	}
	return true, nil
}

// finish records what the clone that exists now is. An end of ctx no longer matters to it.
func (c *localClone) finish(ctx context.Context, logBin *bool) (err error) {
	own, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.o.Reconnect)
	defer cancel()
	c.result.After = c.logStatus(own)
	c.result.Coordinates = coordinates(logBin, c.result.Before, c.result.After)
	if stages, err := readStages(own, c.s.db, c.pid, c.o.Directory); err == nil && len(stages) > 0 {
		c.result.Stages = stages
	}
	c.result.Bytes, _ = copiedBytes(c.result.Stages)
	c.result.Directory, c.result.Observe, err = c.out.landed(own, c.o)
	if err == nil && c.result.Directory == "" && c.settleDirectory != nil {
		err = c.settle(ctx, c.settleDirectory)
	}
	return err
}

// discard closes a connection for good instead of giving it back to the pool: a kill that came just
// too late would hit whatever ran on it next.
func discard(conn *sql.Conn) error {
	err := conn.Raw(func(any) error { return driver.ErrBadConn })
	if errors.Is(err, driver.ErrBadConn) || errors.Is(err, sql.ErrConnDone) {
		return nil
	}
	return err
}

// withDefaults fills in what zero means.
func (o LocalOptions) withDefaults() LocalOptions {
	o.Directory = filepath.Clean(o.Directory)
	if o.Observe == "" {
		o.Observe = o.Directory
	}
	o.Observe = filepath.Clean(o.Observe)
	if o.Interval <= 0 {
		o.Interval = defaultInterval
	}
	if o.Reconnect <= 0 {
		o.Reconnect = defaultReconnect
	}
	return o
}

// normalise fills in defaults and refuses what no server would do.
func (o LocalOptions) normalise() (LocalOptions, error) {
	if err := checkPath(o.Directory); err != nil {
		return o, refusal(erWrongValue, err)
	}
	o = o.withDefaults()
	if !filepath.IsAbs(o.Observe) {
		return o, refusal(erWrongValue, fmt.Errorf("the directory to look for the clone at, %q, is not an absolute path", o.Observe))
	}
	// What is there already is not ours, so it must not be recorded as ours even for a moment.
	switch _, err := os.Lstat(o.Observe); {
	case err == nil:
		return o, refusal(erDBCreateExists, fmt.Errorf("%s exists already", o.Observe))
	case !errors.Is(err, fs.ErrNotExist):
		return o, refusal(0, err)
	}
	return o, nil
}

// refusal is an error found here under the number that the server would give it; number 0 has none.
func refusal(number uint16, err error) error {
	known, _ := known(number)
	class := known.class
	if class == "" {
		class = UserMustFix
	}
	return &Error{Number: number, Name: known.name, Class: class, Op: "clone", Err: err}
}

// idle refuses to touch a server that is cloning: what would be set now belongs to that clone.
func (c *localClone) idle(ctx context.Context, s *Server) error {
	row, err := s.status(ctx)
	if err != nil {
		if number(err) == 0 {
			return err
		}
		// Without the right to look, the server's own refusal has to do.
		c.h.note("whether another clone is running could not be read: %v", err)
		return nil
	}
	if row == nil || row.State != stateInProgress {
		return nil
	}
	return refusal(erCloneBusy, fmt.Errorf("another clone is running on the server: connection %d, into %s", row.PID, row.Destination))
}

// logs is the server whose logs the copy has a place in; nil: it cannot be reached.
func (c *localClone) logs() *Server {
	if c.pull != nil {
		return c.pull.donor
	}
	return c.s
}

// patience is how long the source is asked for its log positions. What it did not say before the copy makes those after it of
// no use.
func (c *localClone) patience() time.Duration {
	if c.logsUnknown {
		return askEvery
	}
	return askFor
}

// logStatus notes why it returns nil.
func (c *localClone) logStatus(ctx context.Context) *LogStatus {
	if c.logs() == nil {
		c.h.note("log positions are unknown: the donor cannot be reached")
		return nil
	}
	var status *LogStatus
	err := c.logs().askLogs(ctx, c.patience(), func(ctx context.Context, q rowQuerier) (err error) {
		status, err = readLogStatus(ctx, q)
		return err
	})
	if err != nil {
		c.logsUnknown = true
		c.h.note("log positions are unknown: %v", err)
		return nil
	}
	return status
}

func (c *localClone) logBin(ctx context.Context) *bool {
	if c.logs() == nil {
		return nil
	}
	var on bool
	err := c.logs().askLogs(ctx, c.patience(), func(ctx context.Context, q rowQuerier) error {
		return oneRow(ctx, q, "SELECT @@GLOBAL.log_bin").Scan(&on)
	})
	if err != nil {
		c.logsUnknown = true
		c.h.note("whether there is a binary log is unknown: %v", err)
		return nil
	}
	return &on
}

// attempt records, sends and awaits the statement.
func (c *localClone) attempt(ctx context.Context, conn *sql.Conn) error {
	settleDirectory, err := c.h.intend(ctx, EffectDirectory, "let the server make "+c.o.Directory,
		DirectoryEffect{Directory: c.o.Directory, Observe: c.o.Observe})
	if err != nil {
		return err
	}
	c.settleDirectory = settleDirectory
	settleStatement, err := c.h.intend(ctx, EffectStatement, "run "+c.result.Statement,
		StatementEffect{Statement: c.result.Statement, Directory: c.o.Directory, PID: c.pid, Before: c.result.Before})
	if err != nil {
		return errors.Join(err, c.settle(ctx, settleDirectory))
	}
	c.result.Begin = time.Now().UTC()
	err = c.execute(ctx, conn)
	c.result.End = time.Now().UTC()
	if ClassOf(err) == Uncertain {
		return err // both may still be going on
	}
	if err != nil {
		c.letGo(ctx)
	}
	errs := []error{err, c.settle(ctx, settleStatement)}
	if c.nothingMade(err) {
		errs = append(errs, c.settle(ctx, settleDirectory))
	}
	return errors.Join(errs...)
}

// nothingMade tells whether the server refused before it made the directory. Where the server says
// that the directory existed, it is not ours, whatever is there.
func (c *localClone) nothingMade(err error) bool {
	if err == nil {
		return false
	}
	var e *Error
	if !errors.As(err, &e) {
		return false
	}
	if e.Number == erDBCreateExists {
		return true
	}
	refusedByNumber := map[uint16]bool{
		1142: true, 1205: true, 1227: true, erPluginNotThere: true, erWrongValue: true, 3632: true, erCloneBusy: true, 3983: true,
		// Of a remote clone, found out before the recipient makes the directory.
		1045: true, 2003: true, 2005: true, 3864: true, 3865: true, 3866: true, 3867: true, 3868: true, erDonorList: true, 3870: true, 3871: true, 3957: true,
	}
	_, stat := os.Lstat(c.o.Observe)
	return refusedByNumber[e.Number] && errors.Is(stat, fs.ErrNotExist)
}

// settleTimeout bounds what is still written down after ctx has ended.
const settleTimeout = 30 * time.Second

func (c *localClone) settle(ctx context.Context, settle func(context.Context) error) error {
	own, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTimeout)
	defer cancel()
	if err := settle(own); err != nil {
		return fmt.Errorf("record that a change was undone: %w", err)
	}
	return nil
}

// sending is the outlet that sends.
type sending struct{ s *Server }

func (out sending) exec(ctx context.Context, statement string) error {
	ctx, late, cancel := limit(ctx, listTimeout)
	defer cancel()
	_, err := out.s.db.ExecContext(ctx, statement)
	return late(err)
}

// lockName is that of a user-level lock which every run of ours takes on the server that it clones.
// Without it two runs could each save the other's settings as the server's own.
const lockName = "runner.clone"

func (out sending) reserve(ctx context.Context, conn *sql.Conn) (func(), error) {
	var got sql.NullBool
	// A second of patience: the lock of a connection that was just closed takes a moment to go.
	if err := oneRow(ctx, conn, "SELECT GET_LOCK('"+lockName+"', 1)").Scan(&got); err != nil {
		return nil, wrap("reserve the server", err)
	}
	if !got.Bool {
		return nil, refusal(erCloneBusy, errors.New("another run is cloning this server"))
	}
	return func() {
		own, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTimeout)
		defer cancel()
		// A connection that is gone has released the lock already.
		_ = oneRow(own, conn, "SELECT RELEASE_LOCK('"+lockName+"')").Scan(&got)
	}, nil
}

func (out sending) clone(ctx context.Context, conn *sql.Conn, statement string) error {
	_, err := conn.ExecContext(ctx, statement)
	return err
}

func (out sending) stop(ctx context.Context, directory string) error {
	for {
		state, err := out.s.State(ctx, directory)
		if err != nil || state.State != CloneInProgress {
			return err
		}
		if err := out.exec(ctx, killQuery(state.PID)); err != nil && !IsNumber(err, erNoSuchThread) {
			return wrap("kill the clone", err)
		}
		if err := pause(ctx, defaultInterval); err != nil {
			return &Error{Class: Uncertain, Op: "wait for the clone to end", Err: err}
		}
	}
}

func (out sending) landed(ctx context.Context, o LocalOptions) (string, string, error) {
	deadline := time.Now().Add(appearTimeout)
	for {
		state, err := InspectDirectory(o.Observe)
		switch {
		case err != nil:
			return "", "", refusal(0, err)
		case state == DirFinished:
			return o.Directory, o.Observe, nil
		case time.Now().After(deadline) && state == DirAbsent:
			return "", "", notSameHost(o)
		case time.Now().After(deadline):
			return "", "", &Error{Class: Other, Op: "clone", Err: fmt.Errorf("the server says that the clone is finished, but %s is %s", o.Observe, state)}
		}
		if err := pause(ctx, defaultInterval); err != nil {
			return "", "", &Error{Class: Other, Op: "clone", Err: fmt.Errorf("look for the clone at %s: %w", o.Observe, err)}
		}
	}
}

// serverError is a failure that the server wrote into clone_status, as the statement would have brought it.
func serverError(row *Status) error {
	return &mysql.MySQLError{Number: uint16(row.ErrorNumber), Message: strings.TrimSpace(row.Error)}
}

// pause waits; the error is ctx's.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
