// Package recipient pulls a snapshot of a MySQL server over the clone protocol, as the receiving server of CLONE INSTANCE
// does, and gives it to whoever takes it as operations on files: nothing is written to any disk here.
//
// One main connection carries INIT, EXECUTE and a share of the data; a second one carries nothing but the
// acknowledgements; further ones, the workers, carry data. What they bring is put into one order, in which a later
// operation always wins, and a lost connection is made again where the donor left off.
package recipient

import (
	"context"
	"encoding/json"
	"time"

	"runner/pkg/clone/internal/wire"
)

// Sink takes the copy. It is called from one goroutine, in an order in which later bytes win. Paths are relative to the
// data directory, with slashes, clean, and below it.
type Sink interface {
	// Folder makes a folder; what it lies in was made before.
	Folder(path string) error
	// Create makes a file of size zeros, at a path at which nothing is.
	Create(path string, size int64) error
	// WriteAt writes into a file, which becomes as long as that needs. data may be used again once it returns.
	WriteAt(path string, data []byte, off int64) error
	// Resize gives a file its size; what is added is zeros.
	Resize(path string, size int64) error
	// Rename gives a file another path, at which nothing is.
	Rename(from, to string) error
	// Remove removes a file, or an empty folder.
	Remove(path string) error
}

// Moment is a point of the session at which the donor's log can be looked at, so that the snapshot lies in between.
type Moment int

// The moments.
const (
	BeforeSnapshot Moment = iota // the donor has not been told yet that its pages have arrived
	AfterSnapshot                // the donor has begun to send the redo log up to the snapshot
)

// Options say what is pulled, and what the donor is asked for.
type Options struct {
	// Dial makes a connection to the donor, before COM_CLONE.
	Dial func(ctx context.Context) (*wire.Conn, error)
	// Threads is the most connections that carry data, 1 to 128; 0 is 1. A further one carries acknowledgements.
	Threads int
	// BlockDDL makes the donor take its backup lock, so that DDL waits for the end of the clone.
	BlockDDL bool
	// DDLTimeout is how long the donor waits for what is in its way, in whole seconds, rounded up: DDL for a file that is
	// being sent, or the backup lock for running DDL. 0 is DefaultDDLTimeout: a zero on the wire would let DDL abort the
	// clone. More than MaxDDLTimeout is that.
	DDLTimeout time.Duration
	// Bandwidth is the most bytes a second that are read while files are copied; 0 is no limit. Pages and redo are
	// never slowed down: that would hold up DDL on the donor.
	Bandwidth int64
	// Spill is how many bytes may wait for the sink, beyond what is on its way anyhow, before connections are left
	// to stall; 0 is DefaultSpill.
	Spill int64
	// Idle is how long a donor may be silent; 0 is DefaultIdle.
	Idle time.Duration
	// Patience is how long a busy donor (3634) is asked again; 0 is not at all.
	Patience time.Duration
	// RefuseEncrypted gives up, with ErrEncrypted, where something is encrypted: nothing of its key comes to the sink.
	RefuseEncrypted bool
	// RefuseOutside ends the session with ErrOutside when a file lies outside the donor's data directory.
	RefuseOutside bool
	// CheckPages verifies the checksums of InnoDB pages.
	CheckPages bool

	// Connected is told the number that the donor gives a main connection, before anything is asked of it over that, and
	// can refuse. A donor keeps a snapshot for a while whose recipient is gone: whoever knows the number can end that. nil
	// is not called.
	Connected func(ctx context.Context, thread uint32) error
	// At is called at each moment, from one goroutine at a time; nil is not called. It may be called twice for one
	// moment when a connection was lost: the earlier BeforeSnapshot and the later AfterSnapshot count.
	At func(ctx context.Context, m Moment)
	// Progress is told how far the session is, at every block; nil is not called.
	Progress func(Progress)
	// Note is told what is worth a line in a log; nil is not called.
	Note func(text string)
}

// Defaults of Options.
const (
	DefaultDDLTimeout = 300 * time.Second // clone_ddl_timeout's own default
	DefaultSpill      = 64 << 20
	DefaultIdle       = 5 * time.Minute
)

// MaxDDLTimeout is the most that clone_ddl_timeout can be.
const MaxDDLTimeout = 2592000 * time.Second

// MaxThreads is the most tasks of one clone that a donor takes (CLONE-PROTOCOL, section 6).
const MaxThreads = 128

// Progress is how far a session is.
type Progress struct {
	State    wire.StateKind
	Bytes    int64 // of this state
	Estimate int64 // of this state; 0 where the donor gave none
}

// Result is a finished session.
type Result struct {
	Donor    Donor
	Files    int // that are in the copy, the redo log's among them
	Stages   []Stage
	Resumed  int           // times that lost connections were made again
	Spilled  int64         // most bytes that waited for the sink at once, beyond what is on its way anyhow
	Stalled  time.Duration // longest wait of a connection for the sink
	Network  int64         // bytes read from sockets
	Pages    Pages
	External []External
	// UncheckedRedo is how many blocks of the redo log have no checksum.
	UncheckedRedo int64
	// Encrypted says that keys of tablespaces came, in clear. They are sealed in the copy with a key that is in KeyringStore:
	// whoever has the copy can read them.
	Encrypted  bool
	Connection int // most connections that carried data at once
}

// Stage is one state of the session in which data was sent.
type Stage struct {
	State    wire.StateKind
	Begin    time.Time
	End      time.Time
	Estimate int64
	Bytes    int64
}

// External is a file that lies outside of the donor's data directory.
type External struct {
	Donor string // path on the donor: absolute, or from the data directory on
	Path  string // in the copy
}

// Donor is what the donor said of itself before it sent any data.
type Donor struct {
	Version       string          // of the greeting
	Protocol      uint32          // that both speak
	Plugins       []Plugin        // active ones
	Collations    []string        // that it knows
	Configuration []Setting       // variables whose values a recipient server must share
	JSON          json.RawMessage // of CONFIG_V4; nil before 9.7
	// ReconnectWithin is how long the donor keeps a snapshot for a recipient whose connection was lost.
	ReconnectWithin time.Duration
}

// Plugin is a plugin of the donor; Library is empty for one that is built in, or where the donor does not say.
type Plugin struct{ Name, Library string }

// Setting is a variable of the donor.
type Setting struct{ Name, Value string }

// Run pulls a snapshot into sink and returns once all of it was given to the sink. When ctx ends, the donor is told, and the error
// is ctx's.
//
// Errors are *wire.DonorError for what the donor reports, *wire.ServerError for a login or COM_CLONE that it refuses,
// *wire.ProtocolError for what breaks the protocol, *LostError when a connection could not be made again in time, and the sink's.
func Run(ctx context.Context, o Options, sink Sink) (*Result, error) {
	s, err := newSession(o.withDefaults(), sink)
	if err != nil {
		return nil, err
	}
	return s.run(ctx)
}

func (o Options) withDefaults() Options {
	o.Threads = min(max(o.Threads, 1), MaxThreads)
	if o.DDLTimeout <= 0 {
		o.DDLTimeout = DefaultDDLTimeout
	}
	o.DDLTimeout = (min(o.DDLTimeout, MaxDDLTimeout) + time.Second - 1).Truncate(time.Second)
	if o.Spill <= 0 {
		o.Spill = DefaultSpill
	}
	if o.Idle <= 0 {
		o.Idle = DefaultIdle
	}
	if o.Connected == nil {
		o.Connected = func(context.Context, uint32) error { return nil }
	}
	if o.At == nil {
		o.At = func(context.Context, Moment) {}
	}
	if o.Progress == nil {
		o.Progress = func(Progress) {}
	}
	if o.Note == nil {
		o.Note = func(string) {}
	}
	return o
}
