package clone

import (
	"context"
	"encoding/json"
	"fmt"
	"time"
)

// LocalOptions say what is to be cloned where to, and what the server may spend on it.
type LocalOptions struct {
	Directory string // absolute path of a directory that does not exist, as mysqld sees it; outside its data directory
	Observe   string // the same directory as this process sees it; "": Directory
	// Bandwidth is the most that may be read, bytes/s. The server takes whole MiB/s, so it is rounded
	// up to the next; 0 leaves the server's setting as it is.
	Bandwidth int64
	Threads   int    // most threads that may copy, 1 to 128; 0 leaves the server's setting
	DDL       string // DDLAllow, DDLBlock; "" leaves the server's setting, and is all that servers before 8.0.27 can do
	// DDLTimeout is how long the clone waits for running DDL when DDL is blocked, rounded up to whole
	// seconds, at most 30 days; 0 leaves the server's setting.
	DDLTimeout    time.Duration
	InstallPlugin bool          // install the clone plugin where it is absent, and remove it again afterwards
	Interval      time.Duration // between two looks at the progress; 0 or less: 250 ms
	Reconnect     time.Duration // how long a server that went away is sought before its clone is uncertain; 0 or less: one minute
}

// The modes of a Result.
const (
	ModeLocal  = "local"  // the server wrote a directory
	ModeStream = "stream" // it was pulled over the clone protocol
)

// What may happen to DDL while a clone runs.
const (
	DDLAllow = "allow" // it runs; the clone may hold leftovers of it
	DDLBlock = "block" // it waits for the clone, and the clone for what of it runs already
)

const (
	defaultInterval  = 250 * time.Millisecond
	defaultReconnect = time.Minute
)

// EffectKind says what sort of thing an Effect changes.
type EffectKind = string

// The kinds of effects.
const (
	EffectGlobal    EffectKind = "set_global" // Data is a GlobalEffect
	EffectStatement EffectKind = "statement"  // Data is a StatementEffect
	EffectDirectory EffectKind = "directory"  // Data is a DirectoryEffect
	EffectPlugin    EffectKind = "plugin"     // Data is a PluginEffect
)

// Effect is one change that is about to be made. It holds no secrets, and all that Undo needs.
type Effect struct {
	Kind    EffectKind      `json:"kind"`
	Summary string          `json:"summary"` // one line, for people
	Data    json.RawMessage `json:"data"`
}

// GlobalEffect is a global variable that is set. Previous is "" only where it could not be read
// because the plugin that owns it was not installed, in a dry run.
type GlobalEffect struct {
	Variable string `json:"variable"`
	Previous string `json:"previous"`
	Null     bool   `json:"previous_null,omitempty"` // the previous value was NULL
	Set      string `json:"set"`
}

// StatementEffect is the CLONE statement.
type StatementEffect struct {
	Statement string `json:"statement"` // without secrets
	Directory string `json:"directory"` // as mysqld sees it
	PID       int64  `json:"pid"`       // connection that runs it
	// Before is what the logs said right before it, for whoever has to adopt the clone; nil: it could not be read.
	Before *LogStatus `json:"before"`
}

// DirectoryEffect is the directory that CLONE makes. It outlives the clone: whoever no longer needs
// it deletes it and settles the effect.
type DirectoryEffect struct {
	Directory string `json:"directory"` // as mysqld sees it
	Observe   string `json:"observe"`   // as this process sees it
}

// PluginEffect is a plugin that is installed.
type PluginEffect struct {
	Name string `json:"name"`
}

// Hooks are what CloneLocal tells while it works. It calls them one at a time, from the goroutine
// that called it, and none of them after it has returned. Any may be nil.
type Hooks struct {
	// Intend is called before each change and must have made it durable when it returns. An error
	// stops the clone. settle says that nothing of the change is left; it is not called for a finished
	// directory, nor for what could not be undone.
	Intend   func(ctx context.Context, e Effect) (settle func(ctx context.Context) error, err error)
	Progress func(Progress)
	Note     func(string) // something worth a line in the log
}

func (h Hooks) intend(ctx context.Context, kind EffectKind, summary string, data any) (func(context.Context) error, error) {
	encoded, err := json.Marshal(data)
	if err != nil {
		return nil, fmt.Errorf("record %s: %w", kind, err)
	}
	if h.Intend == nil {
		return settled, nil
	}
	settle, err := h.Intend(ctx, Effect{Kind: kind, Summary: summary, Data: encoded})
	if err != nil {
		return nil, fmt.Errorf("record that %q is about to happen: %w", summary, err)
	}
	if settle == nil {
		settle = settled
	}
	return settle, nil
}

func settled(context.Context) error { return nil }

func (h Hooks) note(format string, args ...any) {
	if h.Note != nil {
		h.Note(fmt.Sprintf(format, args...))
	}
}

func (h Hooks) progress(p Progress) {
	if h.Progress != nil {
		h.Progress(p)
	}
}

// Result is a finished clone. It survives a round trip through JSON.
type Result struct {
	Mode      string    `json:"mode"`      // "local", "remote", "stream"
	Statement string    `json:"statement"` // without secrets
	Directory string    `json:"directory"` // as mysqld sees it; "" in a dry run, which makes none
	Observe   string    `json:"observe"`   // as this process sees it; "" in a dry run
	Begin     time.Time `json:"begin"`     // when the statement was sent, by our clock, UTC
	End       time.Time `json:"end"`       // when it was answered, by our clock, UTC
	// Stages are as the server last told of them; none when performance_schema could not be read.
	Stages      []Stage     `json:"stages"`
	Before      *LogStatus  `json:"before"` // nil: it could not be read
	After       *LogStatus  `json:"after"`  // nil: it could not be read
	Settings    []Setting   `json:"settings"`
	Coordinates Coordinates `json:"coordinates"`
	Bytes       int64       `json:"bytes"` // copied, by the stages; 0 when there are none
	Stream      *Streamed   `json:"stream,omitempty"`
	Pulled      *Pulled     `json:"pulled,omitempty"`
}

// Setting is a global variable that the clone ran with.
type Setting struct {
	Name     string `json:"name"`
	Previous string `json:"previous"` // it has this value again
	Set      string `json:"set"`
}

// Where coordinates come from.
const (
	FromQuietWindow = "quiet-window" // nothing was written to the binary log from before the clone until after it
	FromWindow      = "window"       // they lie between Result.Before and Result.After; which they are is not known
	FromNone        = "none"         // the server writes no binary log
	FromUnknown     = "unknown"      // log_status or log_bin could not be read
)

// Coordinates are the place in the server's binary log that the clone is a copy at. Nil is unknown.
type Coordinates struct {
	From           string  `json:"from"` // one of the constants above
	BinlogFile     *string `json:"binlog_file"`
	BinlogPosition *uint64 `json:"binlog_position"`
	GTIDExecuted   *string `json:"gtid_executed"`
	LSN            *uint64 `json:"lsn"` // known only where InnoDB wrote nothing either
}

// coordinates compares the log's state before and after; logBin is nil when it is not known.
func coordinates(logBin *bool, before, after *LogStatus) Coordinates {
	switch {
	case logBin != nil && !*logBin:
		return Coordinates{From: FromNone}
	case logBin == nil || before == nil || after == nil || before.BinlogFile == nil || after.BinlogFile == nil:
		return Coordinates{From: FromUnknown}
	case !same(before.BinlogFile, after.BinlogFile), !same(before.BinlogPosition, after.BinlogPosition),
		!same(before.GTIDExecuted, after.GTIDExecuted), before.ServerUUID != after.ServerUUID:
		return Coordinates{From: FromWindow}
	}
	quiet := Coordinates{
		From: FromQuietWindow, BinlogFile: before.BinlogFile, BinlogPosition: before.BinlogPosition,
		GTIDExecuted: before.GTIDExecuted,
	}
	if same(before.LSN, after.LSN) {
		quiet.LSN = before.LSN
	}
	return quiet
}

// same is equality of values; two unknown ones are not known to be equal, except that both are absent.
func same[T comparable](a, b *T) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	return *a == *b
}
