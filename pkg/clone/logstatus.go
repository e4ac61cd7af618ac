package clone

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"
)

// LogStatus is what performance_schema.log_status says at one instant: every log of the server at the
// same moment. What the server does not say is nil.
type LogStatus struct {
	Time           time.Time `json:"time"` // when it was read, by our clock, UTC
	ServerUUID     string    `json:"server_uuid"`
	BinlogFile     *string   `json:"binlog_file"`     // nil: log_bin is off
	BinlogPosition *uint64   `json:"binlog_position"` // nil: log_bin is off
	GTIDExecuted   *string   `json:"gtid_executed"`   // "": no GTID was ever executed
	LSN            *uint64   `json:"lsn"`
	LSNCheckpoint  *uint64   `json:"lsn_checkpoint"`
}

// rowQuerier is *sql.DB, *sql.Conn, or whatever else gives one row.
type rowQuerier interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// readLogStatus needs BACKUP_ADMIN and SELECT on performance_schema. The server holds its log locks
// for the instant that it takes.
func readLogStatus(ctx context.Context, q rowQuerier) (*LogStatus, error) {
	var uuid string
	var local, engines []byte
	row := oneRow(ctx, q, "SELECT SERVER_UUID, `LOCAL`, STORAGE_ENGINES FROM performance_schema.log_status")
	if err := row.Scan(&uuid, &local, &engines); err != nil {
		return nil, wrap("read log status", err)
	}
	status, err := parseLogStatus(local, engines)
	if err != nil {
		return nil, fmt.Errorf("read log status: %w", err)
	}
	status.Time, status.ServerUUID = time.Now().UTC(), uuid
	return status, nil
}

// parseLogStatus reads the two JSON documents of the table's row; their form is in "The log_status
// Table" of the Performance Schema's manual.
func parseLogStatus(local, engines []byte) (*LogStatus, error) {
	var logs struct {
		GTIDExecuted   *string `json:"gtid_executed"`
		BinlogFile     *string `json:"binary_log_file"`
		BinlogPosition *uint64 `json:"binary_log_position"`
	}
	if err := json.Unmarshal(local, &logs); err != nil {
		return nil, fmt.Errorf("column LOCAL: %w", err)
	}
	var engine struct {
		InnoDB struct {
			LSN        *uint64 `json:"LSN"`
			Checkpoint *uint64 `json:"LSN_checkpoint"`
		} `json:"InnoDB"`
	}
	if err := json.Unmarshal(engines, &engine); err != nil {
		return nil, fmt.Errorf("column STORAGE_ENGINES: %w", err)
	}
	status := &LogStatus{
		GTIDExecuted: logs.GTIDExecuted,
		LSN:          engine.InnoDB.LSN, LSNCheckpoint: engine.InnoDB.Checkpoint,
	}
	if logs.BinlogFile != nil && *logs.BinlogFile != "" {
		status.BinlogFile, status.BinlogPosition = logs.BinlogFile, logs.BinlogPosition
	}
	return status, nil
}
