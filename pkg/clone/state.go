package clone

import (
	"context"
	"fmt"
	"path"
)

// CloneState is what the server says of the clone into one directory.
type CloneState struct {
	State       string // one of the constants below
	PID         int64  // connection that runs or ran it; 0 when State is none
	ErrorNumber uint16 // of a failed one
	Error       string // of a failed one
}

// The states of a clone.
const (
	CloneNone       = "none" // the server knows of no such clone: it never was, or another came after it, or the server was restarted
	CloneInProgress = "in_progress"
	CloneCompleted  = "completed"
	CloneFailed     = "failed"
)

// State asks the server for the clone into the directory, as mysqld sees its path. It needs SELECT on
// performance_schema.clone_status; the error is an *Error.
func (s *Server) State(ctx context.Context, directory string) (CloneState, error) {
	row, err := s.status(ctx)
	if err != nil {
		return CloneState{}, err
	}
	if row == nil || !row.into(directory) {
		return CloneState{State: CloneNone}, nil
	}
	state := CloneState{PID: row.PID}
	switch row.State {
	case stateInProgress, stateNotStarted:
		state.State = CloneInProgress
	case stateCompleted:
		state.State = CloneCompleted
	case stateFailed:
		state.State, state.ErrorNumber, state.Error = CloneFailed, uint16(row.ErrorNumber), row.Error
	default:
		return CloneState{}, &Error{Class: Other, Op: "read clone status", Err: fmt.Errorf("%q is not a state that is known", row.State)}
	}
	return state, nil
}

// erNoSuchTable is what a server without the clone plugin answers: clone_status comes with the plugin.
const erNoSuchTable = 1146

// status reads clone_status; nil when the server has made no clone since its start.
func (s *Server) status(ctx context.Context) (*Status, error) {
	row, err := readStatus(ctx, s.db)
	if IsNumber(err, erNoSuchTable) {
		return nil, nil
	}
	return row, wrap("read clone status", err)
}

// into tells whether the clone is the one into the directory; the server puts a slash at the end.
func (s *Status) into(directory string) bool {
	return s.Destination != "" && path.Clean(s.Destination) == path.Clean(directory)
}
