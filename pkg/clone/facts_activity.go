package clone

import (
	"context"
	"database/sql"
	"errors"
	"time"
)

// Status is the row of performance_schema.clone_status: the last clone that the server wrote, whoever asked
// for it, until the server restarts. Whose it is, PID and Destination tell.
type Status struct {
	PID         int64      `json:"pid"` // connection that runs it
	State       string     `json:"state"`
	Begin       *time.Time `json:"begin"` // nil: NULL
	End         *time.Time `json:"end"`
	Source      string     `json:"source"`      // "LOCAL INSTANCE" or host:port
	Destination string     `json:"destination"` // with a slash at its end
	ErrorNumber int        `json:"error_number"`
	Error       string     `json:"error"`
}

// States of a clone, as the server writes them.
const (
	stateInProgress = "In Progress"
	stateCompleted  = "Completed"
	stateFailed     = "Failed"
	stateNotStarted = "Not Started"
)

// readStatus reads clone_status; nil: the server has written no clone since its start. Without the plugin the
// table is not there (1146), without SELECT on it 1142.
func readStatus(ctx context.Context, q rowQuerier) (*Status, error) {
	var (
		s                    Status
		begin, end           sql.NullTime
		source, dest, text   sql.NullString
		pid, number          sql.NullInt64
		stateText            sql.NullString
		selectFromCloneTable = "SELECT PID, STATE, BEGIN_TIME, END_TIME, SOURCE, DESTINATION, ERROR_NO, ERROR_MESSAGE FROM performance_schema.clone_status"
	)
	err := oneRow(ctx, q, selectFromCloneTable).
		Scan(&pid, &stateText, &begin, &end, &source, &dest, &number, &text)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	s.PID, s.State, s.Source, s.Destination = pid.Int64, stateText.String, source.String, dest.String
	s.ErrorNumber, s.Error = int(number.Int64), text.String
	s.Begin, s.End = timePointer(begin), timePointer(end)
	return &s, nil
}

func timePointer(t sql.NullTime) *time.Time {
	if !t.Valid {
		return nil
	}
	return &t.Time
}

func (r *reader) cloneStatus(ctx context.Context) error {
	if !r.facts.PerformanceSchema {
		return unread("performance_schema is OFF")
	}
	if p, _ := r.facts.Plugin("clone"); !p.Active() {
		return unread("the clone plugin is not loaded")
	}
	var err error
	r.facts.Clone, err = readStatus(ctx, r.conn)
	return err
}

// Donation is a session in which another server pulls a clone from this one.
type Donation struct {
	PID  int64  `json:"pid"`
	User string `json:"user"`
	Host string `json:"host"`
	// Run and Process are what a session of a runner with our account says of itself; "" for any other.
	Run     string `json:"run,omitempty"`
	Process string `json:"process,omitempty"`
}

// donations looks for sessions that carry the clone protocol. The donor's own clone_status does not show them; its
// threads do, under the command "clone", one or more a recipient.
func (r *reader) donations(ctx context.Context) error {
	if !r.facts.PerformanceSchema {
		return unread("performance_schema is OFF")
	}
	return r.each(ctx, "SELECT t.PROCESSLIST_ID, t.PROCESSLIST_USER, t.PROCESSLIST_HOST, r.ATTR_VALUE, p.ATTR_VALUE FROM performance_schema.threads t"+sessionsOfRun+
		" WHERE LOWER(t.PROCESSLIST_COMMAND) = 'clone'",
		func(rows *sql.Rows) error {
			var pid sql.NullInt64
			var user, host, run, process sql.NullString
			err := rows.Scan(&pid, &user, &host, &run, &process)
			r.facts.Donations = append(r.facts.Donations, Donation{PID: pid.Int64, User: user.String, Host: host.String, Run: run.String, Process: process.String})
			return err
		})
}

func (r *reader) logStatus(ctx context.Context) error {
	if !r.facts.PerformanceSchema {
		return unread("performance_schema is OFF")
	}
	var err error
	r.facts.LogStatus, err = readLogStatus(ctx, r.conn)
	return err
}

// redoLogging reads whether InnoDB writes its redo log. Before 8.0.21 it cannot be turned off, and nothing says so.
func (r *reader) redoLogging(ctx context.Context) error {
	if r.facts.Version.HasClone() && !r.facts.Version.AtLeast(8, 0, 21) {
		r.facts.RedoLogging = true
		return nil
	}
	status, err := r.pairs(ctx, "SHOW GLOBAL STATUS LIKE 'Innodb_redo_log_enabled'")
	if err != nil {
		return err
	}
	value, there := status["innodb_redo_log_enabled"]
	if !there {
		return unread("this server has no status variable Innodb_redo_log_enabled")
	}
	r.facts.RedoLogging = isOn(value)
	return nil
}
