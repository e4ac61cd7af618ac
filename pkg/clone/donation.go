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

// rememberOnce does so as soon as the clone copies.
func (c *localClone) rememberOnce(ctx context.Context) {
	if c.pull != nil && c.pull.sessions == nil && c.watcher.meter.last.Stage != "" {
		c.remember(ctx)
	}
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
