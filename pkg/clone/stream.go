package clone

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/go-sql-driver/mysql"

	"runner/pkg/clone/internal/recipient"
	"runner/pkg/clone/internal/wire"
)

// DefaultStreamThreads is how many connections carry data unless the plan says otherwise: on two CPUs more of them bring nothing.
const DefaultStreamThreads = 4

// StreamOptions say what is pulled from the server, and what it may spend on it.
type StreamOptions struct {
	Threads int // most connections that carry data, 1 to 128; 0: DefaultStreamThreads
	// NetworkBandwidth is the most bytes a second that are read while files are copied; 0: no limit. Pages and redo
	// are read as fast as can be, since holding them up would hold up DDL on the server.
	NetworkBandwidth int64
	Compressed       bool // the server compresses what it sends, with zstd
	// DDL is DDLAllow or "", which lets DDL run, or DDLBlock, which makes it wait for the clone. Where files lie outside the
	// data directory it must be DDLBlock: see ErrOutside.
	DDL             string
	DDLTimeout      time.Duration // how long the server waits for DDL that is in its way; 0: five minutes, as it does itself
	InstallPlugin   bool          // install the clone plugin where it is absent, and remove it again afterwards
	RequireTLS      bool          // whatever the source says: encrypted tablespaces are not sent in clear
	RefuseEncrypted bool          // give up where something is encrypted, since its key would be in the copy
	CheckPages      bool          // verify the checksums of InnoDB pages on the way
	// Patience is how long a server is asked again that says that another clone is running: it may be one whose
	// recipient was killed, which it notices after a while.
	Patience  time.Duration
	Interval  time.Duration // between two reports of progress; 0 or less: 250 ms
	Reconnect time.Duration // how long undoing may take; 0 or less: one minute
}

// ErrOutside is the error of a clone that lets DDL run, when a tablespace appears whose file lies outside the data
// directory. DDL that is under way at the instant of the copy is in mysql.innodb_ddl_log with the path of its file, and a
// server that starts on the copy deletes that file: the source's own, on the source's host.
var ErrOutside = recipient.ErrOutside

// StreamSink takes the copy. Its methods are called from one goroutine, in an order in which later bytes win. Paths are relative to
// the data directory, with slashes, clean, and below it.
type StreamSink interface {
	Folder(path string) error
	Create(path string, size int64) error // a file of so many zeros
	// WriteAt writes into a file, which becomes as long as that needs; data may be used again once it returns.
	WriteAt(path string, data []byte, off int64) error
	Resize(path string, size int64) error
	Rename(from, to string) error
	Remove(path string) error
}

// Streamed is what is known of a clone that came over the protocol, besides what every Result says.
type Streamed struct {
	Protocol    string         `json:"protocol"`     // "0x0103"
	Version     string         `json:"version"`      // the donor's, as it greets
	TLS         bool           `json:"tls"`          // of all connections
	Connections int            `json:"connections"`  // most that carried data at once
	Resumed     int            `json:"resumed"`      // times that lost connections were made again
	Network     int64          `json:"network"`      // bytes read from sockets
	Spilled     int64          `json:"spilled"`      // most bytes that waited in memory for a slow repository
	Stalled     time.Duration  `json:"stalled"`      // longest time that a connection had to wait for it
	Pages       int64          `json:"pages"`        // whose checksum was verified on the way
	BadPages    []StreamedPage `json:"bad_pages"`    // damaged when they were last sent
	External    []StreamedFile `json:"external"`     // files from outside of the data directory
	Encrypted   bool           `json:"encrypted"`    // files are, and the keyring with their key is in the copy
	BareRedo    int64          `json:"bare_redo"`    // blocks of the redo log that have no checksum
	Plugins     []string       `json:"plugins"`      // active on the donor
	Donor       []Setting      `json:"donor_config"` // variables that a server must share that starts on the copy
}

// StreamedPage is a page whose checksum does not hold.
type StreamedPage struct {
	Path    string `json:"path"`
	Page    uint32 `json:"page"`
	SpaceID uint32 `json:"space_id"`
}

// StreamedFile is where a file is in the copy that lies outside of the donor's data directory.
type StreamedFile struct {
	Donor string `json:"donor"`
	Path  string `json:"path"`
}

// streamStatement stands where other modes have a statement: the command of the protocol that begins a clone.
const streamStatement = "COM_CLONE"

// CloneStream pulls a copy of the server over the clone protocol into sink and returns when all of it was given to it. The
// server writes nothing anywhere; all that may change on it is the plugin.
//
// Lost connections are made again as long as the server keeps the snapshot. When ctx ends, the server is told, and the error
// is ctx's. What the sink was given by then is of no use.
//
// Hooks are called one at a time, but from goroutines of CloneStream; none after it has returned. Errors are *Error,
// and the sink's own. Class Retry: the connections were lost for good; the copy can be begun again.
func (s *Server) CloneStream(ctx context.Context, o StreamOptions, sink StreamSink, h Hooks) (*Result, error) {
	c := newStreamClone(s, sending{s}, o, h)
	return c.run(ctx, func(ctx context.Context) (*recipient.Result, error) {
		return recipient.Run(ctx, c.options(), sink)
	})
}

// streamClone is one CloneStream under way. Whoever clones over the protocol does the same on the server as whoever has
// it write a directory: reserve it, look whether it is idle, install the plugin.
type streamClone struct {
	localClone
	stream StreamOptions
	mu     sync.Mutex // of what follows
	told   time.Time  // when progress was last reported
	meter  meter
	stages []Stage
	tls    bool
	dialed int // connections that were made over the protocol, lost ones too
}

func newStreamClone(s *Server, out outlet, o StreamOptions, h Hooks) *streamClone {
	if o.Threads == 0 {
		o.Threads = DefaultStreamThreads
	}
	if o.Interval <= 0 {
		o.Interval = defaultInterval
	}
	c := &streamClone{stream: o}
	c.s, c.out, c.h = s, out, oneAtATime(h)
	c.o = LocalOptions{InstallPlugin: o.InstallPlugin, Reconnect: o.Reconnect}.withDefaults()
	c.result = &Result{Mode: ModeStream, Stages: []Stage{}, Settings: []Setting{}}
	return c
}

func (c *streamClone) run(ctx context.Context, pull func(context.Context) (*recipient.Result, error)) (_ *Result, err error) {
	if c.stream.DDL != "" && c.stream.DDL != DDLAllow && c.stream.DDL != DDLBlock {
		return nil, refusal(0, fmt.Errorf("DDL can be %q or %q, not %q", DDLAllow, DDLBlock, c.stream.DDL))
	}
	conn, err := c.s.conn(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, discard(conn)) }()
	c.fitStream(ctx, conn)
	release, err := c.out.reserve(ctx, conn)
	if err != nil {
		return nil, err
	}
	defer release()
	if err := c.idle(ctx, c.s); err != nil {
		return nil, err
	}
	defer func() {
		if left := c.restore(ctx); left != nil && err == nil {
			c.note("not everything could be undone: " + left.Error())
		} else {
			err = errors.Join(err, left)
		}
	}()
	if err := c.plugin(ctx); err != nil {
		return nil, err
	}
	logBin := c.logBin(ctx)
	c.result.Statement = streamStatement
	c.result.Begin = time.Now().UTC()
	pulled, err := pull(ctx)
	if err != nil {
		return nil, streamError(err)
	}
	c.result.End = time.Now().UTC()
	c.result.Coordinates = coordinates(logBin, c.result.Before, c.result.After)
	c.describe(pulled)
	return c.result, nil
}

// describe takes over what the session says.
func (c *streamClone) describe(r *recipient.Result) {
	c.result.Stages = stagesOf(r)
	c.result.Bytes, _ = copiedBytes(c.result.Stages)
	st := &Streamed{
		Protocol: fmt.Sprintf("%#04x", r.Donor.Protocol), Version: r.Donor.Version, TLS: c.tls, Connections: r.Connection,
		Resumed: r.Resumed, Network: r.Network, Spilled: r.Spilled, Stalled: r.Stalled, Pages: r.Pages.Checked,
		Encrypted: r.Encrypted, BareRedo: r.UncheckedRedo,
		BadPages: []StreamedPage{}, External: []StreamedFile{}, Plugins: []string{}, Donor: []Setting{},
	}
	for _, p := range r.Pages.Bad {
		st.BadPages = append(st.BadPages, StreamedPage(p))
	}
	for _, e := range r.External {
		st.External = append(st.External, StreamedFile(e))
	}
	for _, p := range r.Donor.Plugins {
		st.Plugins = append(st.Plugins, p.Name)
	}
	for _, v := range r.Donor.Configuration {
		st.Donor = append(st.Donor, Setting{Name: v.Name, Previous: v.Value, Set: v.Value})
	}
	c.result.Stream = st
}

// The stages of the protocol under the names that clone_progress gives them.
var stageNames = map[wire.StateKind]string{wire.StateFileCopy: "FILE COPY", wire.StatePageCopy: "PAGE COPY", wire.StateRedoCopy: "REDO COPY"}

func stagesOf(r *recipient.Result) []Stage {
	stages := []Stage{}
	for _, s := range r.Stages {
		begin, end := s.Begin, s.End
		stages = append(stages, Stage{
			Name: stageNames[s.State], State: "Completed", Begin: &begin, End: &end, Threads: r.Connection,
			Estimate: s.Estimate, Data: s.Bytes,
		})
	}
	return stages
}

func (c *streamClone) options() recipient.Options {
	o := c.stream
	return recipient.Options{
		Dial: c.dial, Threads: o.Threads, BlockDDL: o.DDL == DDLBlock, DDLTimeout: o.DDLTimeout, Bandwidth: o.NetworkBandwidth,
		Connected: c.connected, Patience: o.Patience, RefuseEncrypted: o.RefuseEncrypted, RefuseOutside: o.DDL != DDLBlock, CheckPages: o.CheckPages, At: c.at, Progress: c.progress, Note: c.note,
	}
}

// dial connects as the server's other connections do.
func (c *streamClone) dial(ctx context.Context) (*wire.Conn, error) {
	config := c.s.config
	secure, fallback, err := config.tlsConfig()
	if err != nil {
		return nil, err
	}
	if c.stream.RequireTLS {
		fallback = false
		if secure == nil {
			secure = &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: true} // to encrypt; who it is, the other connections are not asked either
		}
	}
	w := wire.Config{
		Network: "tcp", Address: config.address(), User: config.User, Password: config.Password, TLS: secure, Fallback: fallback,
		Attributes: config.attributes(), Timeout: dialTimeout,
	}
	if config.Socket != "" {
		w.Network = "unix"
	}
	if c.stream.Compressed {
		w.Compression = "zstd"
	}
	conn, err := c.dialFirst(ctx, w)
	if err != nil {
		return nil, err
	}
	if err := (wireSession{conn}).begin(ctx, c.s.identity); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	c.mu.Lock()
	c.tls, c.dialed = conn.Encrypted(), c.dialed+1
	c.mu.Unlock()
	return conn, nil
}

// connected records the connection over which the server is asked for a snapshot.
func (c *streamClone) connected(ctx context.Context, thread uint32) error {
	settle, err := c.h.intend(ctx, EffectStatement, fmt.Sprintf("pull the clone over connection %d", thread),
		StatementEffect{Statement: streamStatement, PID: int64(thread)})
	if err != nil {
		return err
	}
	c.undo = append(c.undo, func(ctx context.Context) error {
		if err := endDonation(ctx, c.s, c.out, int64(thread)); err != nil {
			return err
		}
		return settle(ctx)
	})
	return nil
}

// at looks at the logs right before and right after the instant that the copy is of.
func (c *streamClone) at(ctx context.Context, m recipient.Moment) {
	status := c.logStatus(ctx)
	switch {
	case status == nil:
	case m == recipient.BeforeSnapshot && c.result.Before == nil:
		c.result.Before = status
	case m == recipient.AfterSnapshot:
		c.result.After = status
	}
}

func (c *streamClone) note(text string) { c.h.note("%s", text) }

// oneAtATime keeps two calls of hooks apart.
func oneAtATime(h Hooks) Hooks {
	var mu sync.Mutex
	return Hooks{
		Intend: h.Intend,
		Progress: func(p Progress) {
			mu.Lock()
			defer mu.Unlock()
			h.progress(p)
		},
		Note: func(text string) {
			mu.Lock()
			defer mu.Unlock()
			h.note("%s", text)
		},
	}
}

// progress reports now and then; blocks come thousands of times a second.
func (c *streamClone) progress(p recipient.Progress) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	c.stage(p)
	if now.Sub(c.told) < c.stream.Interval {
		return
	}
	c.told = now
	if known, ok := c.meter.add(now, c.stages); ok {
		c.h.progress(known)
	}
}

// stage keeps the stages as clone_progress would show them.
func (c *streamClone) stage(p recipient.Progress) {
	name := stageNames[p.State]
	if n := len(c.stages); n == 0 || c.stages[n-1].Name != name {
		c.stages = append(c.stages, Stage{Name: name, State: stateInProgress})
	}
	last := &c.stages[len(c.stages)-1]
	last.Data, last.Estimate = p.Bytes, p.Estimate
}

// streamError gives an error of the session the class that it would have as a statement's. The sink's errors stay what they are.
func streamError(err error) error {
	var (
		donor    *wire.DonorError
		server   *wire.ServerError
		protocol *wire.ProtocolError
		given    *recipient.LostError
		other    *OtherServerError
	)
	const op = "clone over the protocol"
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return wrap(op, err)
	case errors.As(err, &other):
		return &Error{Class: UserMustFix, Op: op, Err: err}
	case errors.As(err, &given):
		return &Error{Class: Retry, Op: op, Err: err}
	case errors.As(err, &donor):
		return wrap(op, &mysql.MySQLError{Number: uint16(donor.Number), Message: donor.Message})
	case errors.As(err, &server):
		return wrap(op, &mysql.MySQLError{Number: server.Number, Message: server.Message})
	case errors.As(err, &protocol):
		return &Error{Class: Other, Op: op, Err: err}
	case errors.Is(err, ErrOutside):
		return &Error{Class: Retry, Op: op, Err: err}
	case errors.Is(err, recipient.ErrEncrypted):
		return &Error{Class: UserMustFix, Op: op, Err: err}
	case wire.Lost(err), connectionLost(err):
		return &Error{Class: Retry, Op: op, Err: err}
	}
	return err
}

// CloneStream goes the way of Server.CloneStream up to the first byte.
func (d *DryServer) CloneStream(ctx context.Context, o StreamOptions, _ StreamSink, h Hooks) (*Result, error) {
	c := newStreamClone(d.s, withholding{}, o, h)
	return c.run(ctx, func(ctx context.Context) (*recipient.Result, error) {
		c.at(ctx, recipient.BeforeSnapshot)
		c.at(ctx, recipient.AfterSnapshot)
		return &recipient.Result{}, nil
	})
}
