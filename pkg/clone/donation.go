package clone

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// How long a look at the donor may take, on which nothing depends, and how long it has to end sessions that were killed.
const (
	lookTimeout  = 2 * time.Second
	letGoTimeout = 15 * time.Second
)

// sessionQuery asks a donor for the sessions in which copies are pulled from it, and what protects them.
const sessionQuery = `SELECT t.PROCESSLIST_ID, s.VARIABLE_VALUE FROM performance_schema.threads t
LEFT JOIN performance_schema.status_by_thread s ON s.THREAD_ID = t.THREAD_ID AND s.VARIABLE_NAME = 'Ssl_cipher'
WHERE LOWER(t.PROCESSLIST_COMMAND) = 'clone'`

// eachSession reads the donor's sessions.
func (p *pull) eachSession(ctx context.Context, each func(id int64, cipher string)) (err error) {
	ctx, late, cancel := limit(ctx, rowTimeout)
	defer cancel()
	defer func() { err = late(err) }()
	rows, err := p.donor.db.QueryContext(ctx, sessionQuery)
	if err != nil {
		return wrap("look at the donor's sessions", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var id int64
		var cipher sql.NullString
		if err := rows.Scan(&id, &cipher); err != nil {
			return fmt.Errorf("look at the donor's sessions: %w", err)
		}
		each(id, cipher.String)
	}
	return wrap("look at the donor's sessions", rows.Err())
}

// remember notes the donor's sessions of the clone that is under way, and once what protects them. They are ours: a donor gives
// one copy at a time.
func (c *localClone) remember(ctx context.Context) {
	if c.pull == nil || c.pull.donor == nil {
		return
	}
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), lookTimeout)
	defer cancel()
	if c.pull.sessions == nil {
		c.pull.sessions = map[int64]bool{}
	}
	err := c.pull.eachSession(bounded, func(id int64, cipher string) {
		c.pull.sessions[id] = true
		if c.result.Pulled != nil && c.result.Pulled.Cipher == "" {
			c.result.Pulled.Cipher = cipher
		}
	})
	if err != nil {
		c.h.note("the donor's sessions are unknown: %v", err)
	}
}

// rememberOnce does so as soon as there are any. Its error, which is ErrOtherDonor, is a reason to kill the clone.
func (c *localClone) rememberOnce(ctx context.Context) error {
	if c.pull == nil || c.pull.donor == nil || len(c.pull.sessions) > 0 {
		return nil
	}
	c.remember(ctx)
	if len(c.pull.sessions) == 0 && !c.watcher.copying.IsZero() && time.Since(c.watcher.copying) > appearTimeout {
		return c.otherDonor()
	}
	return nil
}

// ErrOtherDonor says that a recipient pulls its copy from another server than the one that was checked: its address leads somewhere
// else from there, or to one of several servers.
var ErrOtherDonor = errors.New("the recipient pulls from another server than the one that was checked, which shows no session of its copy")

func (c *localClone) otherDonor() error {
	return &Error{Class: UserMustFix, Op: "clone", Err: fmt.Errorf("%w (at %s)", ErrOtherDonor, c.pull.from.address())}
}

// given counts the copies that a donor has given since its start, once they have ended; -1: it does not say.
func (p *pull) given(ctx context.Context) int64 {
	var n int64
	err := oneRow(ctx, p.donor.db, "SELECT COALESCE(SUM(COUNT_STAR), 0) FROM performance_schema.events_statements_summary_global_by_event_name WHERE EVENT_NAME = 'statement/clone/server'").Scan(&n)
	if err != nil {
		return -1
	}
	return n
}

// proveDonor makes sure that a finished copy is the donor's: it has shown a session of it, or has given one more since. A copy may be
// over before anybody looked.
func (c *localClone) proveDonor(ctx context.Context, before int64) error {
	own, cancel := context.WithTimeout(context.WithoutCancel(ctx), letGoTimeout)
	defer cancel()
	for len(c.pull.sessions) == 0 {
		if before >= 0 && c.pull.given(own) > before {
			return nil
		}
		if pause(own, defaultInterval) != nil {
			return c.otherDonor()
		}
	}
	return nil
}

// letGo has the donor end a clone that has failed. It waits for its recipient to come back, for
// clone_donor_timeout_after_network_failure, when the recipient was stopped in the middle of a packet; and it gives no other copy, and
// lets no DDL run where that is blocked, all the while.
func (c *localClone) letGo(ctx context.Context) {
	if c.pull == nil || c.pull.donor == nil || len(c.pull.sessions) == 0 {
		return
	}
	own, cancel := context.WithTimeout(context.WithoutCancel(ctx), letGoTimeout)
	defer cancel()
	for {
		var left []int64
		err := c.pull.eachSession(own, func(id int64, _ string) {
			if c.pull.sessions[id] {
				left = append(left, id)
			}
		})
		if err == nil && len(left) == 0 {
			return
		}
		for _, id := range left {
			_, killErr := c.pull.donor.db.ExecContext(own, fmt.Sprintf("KILL %d", id))
			if !IsNumber(killErr, erNoSuchThread) {
				err = errors.Join(err, killErr)
			}
		}
		if pause(own, defaultInterval) != nil {
			c.h.note("the donor may wait for its recipient for some minutes (clone_donor_timeout_after_network_failure), and gives no other copy meanwhile: %v", err)
			return
		}
	}
}
