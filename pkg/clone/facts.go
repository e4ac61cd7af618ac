package clone

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// Facts is what a server says of itself, at one time. What the account may not see, or the server does not
// have, is in Unknown and has its zero value in the field.
type Facts struct {
	Read        time.Time         `json:"read"` // when, by our clock, UTC
	Source      Source            `json:"source"`
	Flavour     Flavour           `json:"flavour"`
	Version     Version           `json:"-"`       // Source.Version, taken apart
	Address     string            `json:"address"` // socket or host:port that the connection goes to
	TLSCipher   string            `json:"tls_cipher"`
	DataHomeDir string            `json:"innodb_data_home_dir"`
	Variables   map[string]string `json:"-"` // every global variable, by its lower-case name
	Collations  []string          `json:"-"` // read for a remote clone only

	PerformanceSchema bool `json:"performance_schema"`
	PartialRevokes    bool `json:"partial_revokes"`
	RedoLogging       bool `json:"redo_logging"` // unknown before 8.0.21, where it cannot be turned off

	Account    Account        `json:"account"`
	Plugins    []Plugin       `json:"plugins"`
	Components []string       `json:"components"` // URNs
	Keyring    Keyring        `json:"keyring"`
	Clone      *Status        `json:"clone_status"` // the last clone that this server wrote; nil: none since its start
	Donations  []Donation     `json:"donations"`    // clones that other servers pull from this one now
	LogStatus  *LogStatus     `json:"log_status"`
	Spaces     []Tablespace   `json:"tablespaces"`
	External   []Tablespace   `json:"external_tablespaces"` // those of Spaces that lie outside the data directory and stop a local clone
	Encrypted  []Tablespace   `json:"encrypted_tablespaces"`
	Reading    Reading        `json:"reading"`             // what decides whether a copy can be read
	Lost       []LostTable    `json:"lost_tables"`         // base tables whose content is not cloned
	Missing    []MissingSpace `json:"missing_tablespaces"` // those whose content the server itself has not

	Limits Limits `json:"limits"` // of connections and statements

	EstimateBytes int64 `json:"estimate_bytes"` // of FILE COPY: the sizes of the files
	DiskBytes     int64 `json:"disk_bytes"`     // what the server wants free at the target: allocated bytes plus redo capacity

	// Unknown says why a fact could not be read, by the Fact… constants.
	Unknown map[string]string `json:"unknown"`
}

// Names of facts in Facts.Unknown. Those of Source's fields are their JSON names.
const (
	FactAccount     = "account"
	FactPlugins     = "plugins"
	FactComponents  = "components"
	FactKeyring     = "keyring"
	FactCloneStatus = "clone_status"
	FactDonations   = "donations"
	FactLogStatus   = "log_status"
	FactRedoLogging = "redo_logging"
	FactSpaces      = "tablespaces"
	FactLost        = "lost_tables"
	FactMissing     = "missing_tablespaces"
	FactCollations  = "collations"
)

// Source is the part of the facts that a manifest keeps, under the names that it keeps them by.
type Source struct {
	Name                string   `json:"name"`
	ServerUUID          string   `json:"server_uuid"`
	Host                string   `json:"host"` // the server's own name for its host
	Port                int      `json:"port"`
	Socket              string   `json:"socket"`
	DataDir             string   `json:"datadir"`
	Version             string   `json:"version"`
	VersionComment      string   `json:"version_comment"`
	Arch                string   `json:"arch"`
	OS                  string   `json:"os"`
	ReadOnly            *bool    `json:"read_only"`
	SuperReadOnly       *bool    `json:"super_read_only"`
	GTIDMode            string   `json:"gtid_mode"`
	LogBin              *bool    `json:"log_bin"`
	BinlogFormat        string   `json:"binlog_format"`
	LowerCaseTableNames *int     `json:"lower_case_table_names"`
	InnodbPageSize      int      `json:"innodb_page_size"`
	InnodbDataFilePath  string   `json:"innodb_data_file_path"`
	UndoTablespaces     []string `json:"undo_tablespaces"`
	RedoLogCapacity     int64    `json:"redo_log_capacity"` // bytes
	CharacterSet        string   `json:"character_set_server"`
	Collation           string   `json:"collation_server"`
	SQLMode             string   `json:"sql_mode"`
	TimeZone            string   `json:"time_zone"`
	Plugins             []string `json:"plugins"` // active and loaded from a library
	Components          []string `json:"components"`
	Keyring             string   `json:"keyring"` // "": none
	// RestoreCNF is an option file with what a server needs in order to start on a copy.
	RestoreCNF string            `json:"restore_cnf"`
	Unknown    map[string]string `json:"unknown"` // field → why it could not be read
}

// Facts reads them; nothing on the server changes. What the account may not see is recorded as
// unknown. The error is of the connection, or of the little that every account may read.
func (s *Server) Facts(ctx context.Context) (*Facts, error) { return s.facts(ctx, reader{}) }

// facts reads them with a reader that knows what is wanted beside what every clone needs.
func (s *Server) facts(ctx context.Context, wanted reader) (facts *Facts, err error) {
	conn, err := s.conn(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	f := &Facts{Read: time.Now().UTC(), Address: s.Address(), Unknown: map[string]string{}}
	f.Source.Name = s.Name()
	r := &wanted
	r.conn, r.facts = conn, f
	if err := r.variables(ctx); err != nil {
		return nil, err
	}
	for _, read := range []struct {
		fact string
		read func(context.Context) error
	}{
		{FactAccount, r.account},
		{FactPlugins, r.plugins},
		{FactComponents, r.components},
		{FactCloneStatus, r.cloneStatus},
		{FactDonations, r.donations},
		{FactLogStatus, r.logStatus},
		{FactRedoLogging, r.redoLogging},
		{FactSpaces, r.spaces},
		{FactKeyring, r.readKeyring}, // after what decides whether it is asked for
		{FactLost, r.lost},
		{FactMissing, r.missing},
		{FactCollations, r.collations},
		{FactLimits, r.limits},
	} {
		err := read.read(ctx)
		if class := ClassOf(err); class == Uncertain || class == Cancelled {
			return nil, wrap("read "+read.fact, err)
		}
		if err != nil {
			f.Unknown[read.fact] = err.Error()
		}
	}
	r.finish()
	return f, nil
}

// reader reads facts over one connection.
type reader struct {
	conn  *sql.Conn
	facts *Facts

	remote  bool // what the two servers of a remote clone must agree on is read too
	keyring bool // a keyring is looked for even where nothing is encrypted
}

// each runs a query and gives every row to scan.
func (r *reader) each(ctx context.Context, query string, scan func(*sql.Rows) error) (err error) {
	ctx, late, cancel := limit(ctx, listTimeout)
	defer cancel()
	defer func() { err = late(err) }()
	rows, err := r.conn.QueryContext(ctx, query)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return fmt.Errorf("read row: %w", err)
		}
	}
	return rows.Err()
}

// column gives the only column of a query.
func (r *reader) column(ctx context.Context, query string) ([]string, error) {
	values := []string{}
	err := r.each(ctx, query, func(rows *sql.Rows) error {
		var v sql.NullString
		err := rows.Scan(&v)
		values = append(values, v.String)
		return err
	})
	return values, err
}

// unread is a reason for not knowing that no error of the server gave.
type unread string

func (u unread) Error() string { return string(u) }
