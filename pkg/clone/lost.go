package clone

import (
	"context"
	"database/sql"
	"fmt"
	"regexp"
)

// Connection attributes that say whose a session is ("Performance Schema Connection Attribute Tables" of MySQL's manual): the run's,
// and of the process of it that made the connection.
const (
	attributeRun     = "runner_run"
	attributeProcess = "runner_process"
)

// plainName is what a run and a process may be called, so that they need no quoting as an attribute.
var plainName = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// attributes are those of every connection that is made with the Config.
func (c Config) attributes() [][2]string {
	all := [][2]string{{"program_name", programName}}
	if plainName.MatchString(c.Run) {
		all = append(all, [2]string{attributeRun, c.Run})
		if plainName.MatchString(c.Process) {
			all = append(all, [2]string{attributeProcess, c.Process})
		}
	}
	return all
}

// sessionsOfRun joins each session of our account with the run and the process that it says it is of. Anybody may read the attributes
// of sessions of the own account.
const sessionsOfRun = ` LEFT JOIN performance_schema.session_account_connect_attrs r ON r.PROCESSLIST_ID = t.PROCESSLIST_ID AND r.ATTR_NAME = '` + attributeRun + `'
LEFT JOIN performance_schema.session_account_connect_attrs p ON p.PROCESSLIST_ID = t.PROCESSLIST_ID AND p.ATTR_NAME = '` + attributeProcess + `'`

// EndLost ends the sessions that an earlier process of the Config's run has left on the server: one whose end the server has not
// noticed, as after a cut of the network, holds the run's locks and its snapshot. One in which the server clones into a directory is
// left, since that clone may be gone on with. It waits until they have ended. A Config without a
// run, and a server whose sessions say nothing of theirs, have none. Errors are *Error.
func (s *Server) EndLost(ctx context.Context) error { return endLost(ctx, s, sending{s}) }

// EndLost ends nothing.
func (d *DryServer) EndLost(context.Context) error { return nil }

func endLost(ctx context.Context, s *Server, out outlet) error {
	for {
		lost, err := s.lostSessions(ctx)
		if err != nil {
			return wrap("look for sessions that an earlier process of this run has left", err)
		}
		if len(lost) == 0 {
			return nil
		}
		for _, pid := range lost {
			if err := out.exec(ctx, fmt.Sprintf("KILL %d", pid)); err != nil && !IsNumber(err, erNoSuchThread) {
				return wrap("end a session that an earlier process of this run has left", err)
			}
		}
		if err := pause(ctx, defaultInterval); err != nil {
			return &Error{Class: Uncertain, Op: "wait for the sessions of an earlier process of this run to end", Err: err}
		}
	}
}

func (s *Server) lostSessions(ctx context.Context) (pids []int64, err error) {
	if !plainName.MatchString(s.config.Run) {
		return nil, nil
	}
	conn, err := s.conn(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close() }()
	r := reader{conn: conn}
	err = r.each(ctx, "SELECT t.PROCESSLIST_ID FROM performance_schema.threads t"+sessionsOfRun+
		" WHERE r.ATTR_VALUE = '"+s.config.Run+"' AND COALESCE(p.ATTR_VALUE, '') <> '"+s.config.processName()+"' AND COALESCE(t.PROCESSLIST_INFO, '') NOT LIKE 'CLONE %'",
		func(rows *sql.Rows) error {
			var pid int64
			err := rows.Scan(&pid)
			pids = append(pids, pid)
			return err
		})
	return pids, err
}

// processName is the process in a statement; one that cannot be an attribute is none.
func (c Config) processName() string {
	if plainName.MatchString(c.Process) {
		return c.Process
	}
	return ""
}
