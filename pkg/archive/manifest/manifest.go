// Package manifest is the record of one backup: what was copied, from where, how, when, and
// what was found. It is written last and is the commit mark: a backup without a manifest does
// not exist.
package manifest

import "time"

// Name is the file name of a manifest.
const Name = "manifest.json"

// Format is the format that this package writes. The number is the major version: a reader
// refuses any other, and within one version ignores fields that it does not know.
const Format = "runner-backup/1"

// States of a backup.
const (
	StateComplete = "complete"
)

// EncryptionAge says that data and index are age files (age-encryption.org/v1).
const EncryptionAge = "age"

// Where Coordinates come from.
const (
	FromQuietWindow = "quiet-window" // log_status before and after the clone are equal: exact
	FromBootedCopy  = "booted-copy"  // read from a server that was started on a copy: exact
	FromWindow      = "window"       // only the bounds are known: see Manifest.Window
	FromNone        = "none"         // the source writes no binary log
	FromUnknown     = "unknown"      // the source could not be asked
)

// Manifest is the whole record. Times are UTC with nanoseconds; sizes are bytes. Strings that
// are empty and pointers that are nil say that something is not known or does not apply; where
// a fact could not be read, Source.Unknown gives the reason under the field's JSON name.
type Manifest struct {
	Format string `json:"format"`
	// Digest is the SHA-256 of the file itself, with the 64 digits of this field all zero.
	// [Write] fills it in and [Read] checks it.
	Digest      string            `json:"digest"`
	State       string            `json:"state"`
	Run         Run               `json:"run"`
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
	Source      Source            `json:"source"`
	Clone       Clone             `json:"clone"`
	Window      Window            `json:"window"`
	Coordinates Coordinates       `json:"coordinates"`
	Content     Content           `json:"content"`
	Archive     Archive           `json:"archive"`
	Checks      []Check           `json:"checks"`
	Timings     []Timing          `json:"timings"`
	Proofs      []Proof           `json:"proofs"`
}

// Run says which run made the backup.
type Run struct {
	ID         string    `json:"id"`
	Job        string    `json:"job"` // address
	PlanDigest string    `json:"plan_digest"`
	Attempt    int       `json:"attempt"` // 1 for the first
	Host       string    `json:"host"`    // where the runner ran
	Version    string    `json:"version"` // of the runner
	Started    time.Time `json:"started"`
	Finished   time.Time `json:"finished"`
}

// Source is the server that was copied.
type Source struct {
	Name                string            `json:"name"` // of the source in the plan
	ServerUUID          string            `json:"server_uuid"`
	Host                string            `json:"host"`
	Port                int               `json:"port"`
	Socket              string            `json:"socket"`
	DataDir             string            `json:"datadir"`
	Version             string            `json:"version"`
	VersionComment      string            `json:"version_comment"`
	Arch                string            `json:"arch"`
	OS                  string            `json:"os"`
	ReadOnly            *bool             `json:"read_only"`
	SuperReadOnly       *bool             `json:"super_read_only"`
	GTIDMode            string            `json:"gtid_mode"`
	LogBin              *bool             `json:"log_bin"`
	BinlogFormat        string            `json:"binlog_format"`
	LowerCaseTableNames *int              `json:"lower_case_table_names"`
	InnodbPageSize      int               `json:"innodb_page_size"`
	InnodbDataFilePath  string            `json:"innodb_data_file_path"`
	UndoTablespaces     []string          `json:"undo_tablespaces"`
	RedoLogCapacity     int64             `json:"redo_log_capacity"`
	CharacterSet        string            `json:"character_set_server"`
	Collation           string            `json:"collation_server"`
	SQLMode             string            `json:"sql_mode"`
	TimeZone            string            `json:"time_zone"`
	Plugins             []string          `json:"plugins"`
	Components          []string          `json:"components"`
	Keyring             string            `json:"keyring"`     // component or plugin; empty: none
	RestoreCNF          string            `json:"restore_cnf"` // option file that a server needs to start on this copy; no path in it leads out of the copy
	Unknown             map[string]string `json:"unknown"`     // field's name → why it could not be read
}

// Clone says how the server made the copy.
type Clone struct {
	Mode      string    `json:"mode"`      // local, remote, stream
	Statement string    `json:"statement"` // secrets redacted
	Directory string    `json:"directory"` // as the server saw it
	Observed  string    `json:"observed"`  // the same as the runner saw it
	Began     time.Time `json:"began"`
	Ended     time.Time `json:"ended"`
	Bytes     int64     `json:"bytes"` // in the directory
	Threads   int       `json:"threads"`
	Bandwidth int64     `json:"bandwidth"` // bytes/s that were asked for; 0 unlimited
	Settings  []Setting `json:"settings"`
	Stages    []Stage   `json:"stages"`
	Donor     string    `json:"donor"` // host:port; empty for a local clone
	TLS       string    `json:"tls"`   // cipher of the connection the copy went through; empty: none; unknown: it was required, and not looked at in time
	// Stream is what is known of a copy that came over the clone protocol; absent for other modes.
	Stream *Stream `json:"stream,omitempty"`
}

// Stream is what is known of a copy that came over the clone protocol, besides what is known of every one.
type Stream struct {
	Protocol       string     `json:"protocol"`        // 0x0103
	Connections    int        `json:"connections"`     // most that carried data at once
	Resumed        int        `json:"resumed"`         // times that lost connections were made again
	NetworkBytes   int64      `json:"network_bytes"`   // read from sockets
	SpilledBytes   int64      `json:"spilled_bytes"`   // most that waited in memory for a slow repository
	StalledSeconds float64    `json:"stalled_seconds"` // longest time that a connection waited for it
	CheckedPages   int64      `json:"checked_pages"`   // whose checksum was verified on the way, those that came twice counted twice
	Keyring        string     `json:"keyring"`         // file of the copy with the key of its encrypted tablespaces; empty: none are
	External       []External `json:"external"`        // files that lay outside of the data directory
}

// External is a file that lay outside of the server's data directory.
type External struct {
	Source string `json:"source"` // absolute path on the server
	Path   string `json:"path"`   // in the copy
}

// Setting is a global variable that was set for the clone and given back.
type Setting struct {
	Name     string `json:"name"`
	Previous string `json:"previous"`
	Set      string `json:"set"`
}

// Stage is a row of performance_schema.clone_progress.
type Stage struct {
	Name         string     `json:"name"`
	State        string     `json:"state"`
	Began        *time.Time `json:"began"`
	Ended        *time.Time `json:"ended"`
	Threads      int        `json:"threads"`
	Estimate     int64      `json:"estimate"`
	Bytes        int64      `json:"bytes"`
	NetworkBytes int64      `json:"network_bytes"`
	Speed        int64      `json:"speed"` // bytes/s
}

// Window is what performance_schema.log_status said right before and right after the clone.
// nil where it could not be read.
type Window struct {
	Before *LogStatus `json:"before"`
	After  *LogStatus `json:"after"`
}

// LogStatus is performance_schema.log_status at one time.
type LogStatus struct {
	Time           time.Time `json:"time"`
	BinlogFile     string    `json:"binlog_file"`
	BinlogPosition int64     `json:"binlog_position"`
	GTIDExecuted   string    `json:"gtid_executed"`
	LSN            int64     `json:"lsn"`
	LSNCheckpoint  int64     `json:"lsn_checkpoint"`
}

// Coordinates are the point in the source's history that the copy stands at.
type Coordinates struct {
	From           string `json:"from"` // quiet-window, booted-copy, window, none or unknown
	BinlogFile     string `json:"binlog_file"`
	BinlogPosition int64  `json:"binlog_position"`
	GTIDExecuted   string `json:"gtid_executed"`
	LSN            int64  `json:"lsn"`
}

// Content is what the copy holds and what it lost.
type Content struct {
	Tablespaces []Tablespace `json:"tablespaces"`
	Lost        []Lost       `json:"lost_tables"`
	Other       []string     `json:"not_cloned"` // binary logs, keyring files, … in words
}

// Tablespace is an InnoDB tablespace of the copy.
type Tablespace struct {
	Schema       string `json:"schema"`                 // as in SQL; empty: not of one table
	Table        string `json:"table"`                  // as in SQL; of a full-text index the name of the auxiliary table
	Partition    string `json:"partition,omitempty"`    // as in SQL; absent: not partitioned
	Subpartition string `json:"subpartition,omitempty"` // as in SQL; absent: not subpartitioned
	Path         string `json:"path"`                   // in the archive
	SpaceID      int64  `json:"space_id"`
	PageSize     int    `json:"page_size"`
	Pages        int64  `json:"pages"`
	Encrypted    bool   `json:"encrypted"`
	Compressed   bool   `json:"compressed"`
}

// Lost is a table that CLONE leaves empty.
type Lost struct {
	Schema string `json:"schema"`
	Table  string `json:"table"`
	Engine string `json:"engine"`
}

// Archive describes the stored files.
type Archive struct {
	Compression string     `json:"compression"` // none, gzip, zstd, lz4
	Level       int        `json:"level"`
	FrameSize   int64      `json:"frame_size"`   // most raw bytes in a frame
	Frames      int64      `json:"frames"`       // number
	ZeroFrames  int64      `json:"zero_frames"`  // of which hold nothing but zeros
	Files       int64      `json:"files"`        // members: files, folders and links
	RawBytes    int64      `json:"raw_bytes"`    // of the tar
	StoredBytes int64      `json:"stored_bytes"` // of the data file
	Ratio       float64    `json:"ratio"`        // stored / raw
	Data        StoredFile `json:"data"`
	Index       StoredFile `json:"index"`
	Encryption  string     `json:"encryption"` // age; empty: data and index are not encrypted
	Recipients  int        `json:"recipients"` // number of those who can decrypt them
	Pages       Pages      `json:"pages"`
}

// StoredFile is a file of the backup.
type StoredFile struct {
	Name   string `json:"name"`
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"` // 64 lower-case hexadecimal digits
	// RawBytes is the size once decompressed; a reader decompresses no further.
	RawBytes int64 `json:"raw_bytes"`
}

// Pages counts the InnoDB pages of the archive.
type Pages struct {
	Checked     bool  `json:"checked"` // false: the plan said pages = "off"
	Total       int64 `json:"total"`
	Zero        int64 `json:"zero"`        // never written to
	Bad         int64 `json:"bad"`         // checksum or structure wrong
	Uncheckable int64 `json:"uncheckable"` // encrypted
	// Unknown were not looked at when the backup was made, since they came in pieces: a verification does.
	Unknown int64  `json:"unknown,omitzero"`
	MinLSN  uint64 `json:"min_lsn"`
	MaxLSN  uint64 `json:"max_lsn"`
}

// Check is a finding of the step check.
type Check struct {
	Code     string `json:"code"`
	Severity string `json:"severity"` // ok, info, warning, error, unknown
	Summary  string `json:"summary"`
	Detail   string `json:"detail"`
	Hint     string `json:"hint"`
}

// Timing is how long a step took.
type Timing struct {
	Step    string    `json:"step"`
	Attempt int       `json:"attempt"`
	Outcome string    `json:"outcome"`
	Began   time.Time `json:"began"`
	Ended   time.Time `json:"ended"`
	Seconds float64   `json:"seconds"`
}

// Proof is the verdict of one `prove`.
type Proof struct {
	Time    time.Time `json:"time"`
	Verdict string    `json:"verdict"` // held, failed
	Server  string    `json:"server"`  // version that was booted
	Detail  []string  `json:"detail"`
	Seconds float64   `json:"seconds"`
}
