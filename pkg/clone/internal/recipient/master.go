package recipient

import (
	"context"
	"errors"
	"time"

	"golang.org/x/sync/errgroup"

	"runner/pkg/clone/internal/wire"
)

// master is the main connection, with the one for acknowledgements beside it.
type master struct {
	*session
	link   link
	acks   *wire.Conn
	group  *errgroup.Group
	resume bool // go on with a snapshot
	hired  bool // the workers were started
}

// connect makes both connections and has them speak the clone protocol.
func (m *master) connect(ctx context.Context) (err error) {
	if m.link.conn, err = m.dial(ctx); err != nil {
		return err
	}
	m.link.session, m.version = m.session, m.link.conn.ServerVersion()
	release, ok := parseVersion(m.version)
	if !ok {
		return broken("the version %q of the donor is none", m.version)
	}
	m.release = release
	if err := m.o.Connected(ctx, m.link.conn.ThreadID()); err != nil {
		return err
	}
	m.acks, err = m.dial(ctx)
	return err
}

func (s *session) dial(ctx context.Context) (*wire.Conn, error) {
	c, err := s.o.Dial(ctx)
	if err != nil {
		return nil, err
	}
	if err := c.Clone(ctx); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

func (m *master) close() {
	for _, c := range []*wire.Conn{m.link.conn, m.acks} {
		m.leave(c)
	}
}

// leave closes a connection. What that gives is of no use: the session is over, or lost already.
func (s *session) leave(c *wire.Conn) {
	if c == nil {
		return
	}
	_ = c.Close()
	s.mu.Lock()
	s.network += c.BytesRead()
	s.mu.Unlock()
}

// begin has the donor make a snapshot, or go on with one, and start to send it.
func (m *master) begin(ctx context.Context) error {
	var err error
	if m.resume {
		err = m.reinit(ctx)
	} else {
		err = m.init(ctx)
	}
	if err != nil {
		return err
	}
	return m.link.conn.Send(ctx, wire.CommandExecute, nil)
}

// init asks for a snapshot, again and again while the donor is busy, as long as patience lasts.
func (m *master) init(ctx context.Context) error {
	deadline := time.Now().Add(m.o.Patience)
	for {
		err := m.tryInit(ctx)
		if !busy(err) || time.Now().After(deadline) {
			return err
		}
		m.o.Note("the donor is busy with another clone and is asked again: " + err.Error())
		if err := pause(ctx, m.pause); err != nil {
			return err
		}
	}
}

func (m *master) tryInit(ctx context.Context) error {
	body := wire.Init{Version: wire.Version4, DDLTimeout: m.ddlWord()}
	if err := m.link.conn.Send(ctx, wire.CommandInit, body.Append(nil)); err != nil {
		return err
	}
	told := &telling{donor: Donor{Version: m.version, ReconnectWithin: defaultReconnect}}
	// The donor may wait for the backup lock, and opens every tablespace the first time.
	if err := told.read(ctx, m.link.conn, m.o.DDLTimeout+m.o.Idle); err != nil {
		return err
	}
	return m.accept(told)
}

// accept takes what INIT has brought.
func (m *master) accept(t *telling) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.donor = t.donor
	if p := m.donor.Protocol; p < wire.Version1 || p > wire.Version4 {
		return broken("the donor agrees to version %#x of the clone protocol, %#x was offered", p, wire.Version4)
	}
	m.files.follow(m.release)
	for _, l := range t.locators {
		if l.Engine != wire.EngineInnoDB {
			return broken("the donor sends the files of an engine that is not InnoDB, of type %d", l.Engine)
		}
	}
	if len(t.locators) != 1 {
		return broken("%d locators", len(t.locators))
	}
	base, err := wire.ParseLocator(t.locators[0].Raw)
	if err != nil {
		return err
	}
	m.locator, m.base = t.locators[0], base
	return nil
}

// reinit asks the donor to go on with the snapshot that it has kept.
func (m *master) reinit(ctx context.Context) error {
	body := wire.Init{Version: m.donor.Protocol, DDLTimeout: m.ddlWord(), Locators: []wire.EngineLocator{m.restart()}}
	if err := m.link.conn.Send(ctx, wire.CommandReinit, body.Append(nil)); err != nil {
		return err
	}
	if err := (&telling{}).read(ctx, m.link.conn, m.o.Idle); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.resumed++
	return nil
}

// ddlWord is the word of INIT that says what becomes of DDL. Servers before 8.0.27 know no more than a timeout, and
// would take the bit for one of decades (CLONE-PROTOCOL, section 12).
func (s *session) ddlWord() uint32 {
	word := uint32(s.o.DDLTimeout / time.Second)
	if !s.o.BlockDDL && s.release >= allowsDDL {
		word |= wire.AllowDDL
	}
	return word
}

// allowsDDL is the first release that can let DDL run during a clone, 8.0.27: clone_block_ddl came with it.
const allowsDDL = 80027

// errDismissed ends the workers once main has ended, whose own error is what counts.
var errDismissed = errors.New("the session is over")

// pull reads main until everything was sent.
func (m *master) pull(ctx context.Context) error {
	ctx, dismiss := context.WithCancelCause(ctx) // ends workers that were never let in
	defer dismiss(errDismissed)
	m.mu.Lock()
	all := m.state > wire.StateFileCopy || m.filesToldOf()
	m.mu.Unlock()
	if all { // by the connections that were lost
		m.hire(ctx)
	}
	return m.link.read(ctx, m)
}

// file takes what main is told of a file; once it is told of the last one, workers can be of use.
func (m *master) file(ctx context.Context, d *wire.File) error {
	all, err := m.told(d)
	if all && err == nil {
		m.hire(ctx)
	}
	return err
}

func (m *master) complete(ctx context.Context) error { return m.farewell(ctx) }

func (m *master) stateChange(ctx context.Context, d *wire.State) error {
	switch {
	case d.Ack: // keeps the connection alive
		return nil
	case !d.Start:
		return m.end(ctx, d)
	}
	if err := m.enter(d); err != nil {
		return err
	}
	if d.State == wire.StateRedoCopy {
		m.o.At(ctx, AfterSnapshot)
	}
	return nil
}

// end acknowledges a state once all that belongs to it is in the sink: the donor forgets it then, and what is sent in
// the next state is newer than anything of this one.
func (m *master) end(ctx context.Context, d *wire.State) error {
	m.mu.Lock()
	m.chunks.ended(&m.link)
	state, missing := m.state, m.state == wire.StateFileCopy && !m.filesToldOf()
	m.mu.Unlock()
	switch {
	case d.State != state:
		return broken("state %s ends in state %s", d.State, state)
	case missing:
		return broken("only %d of %d files were told of", len(m.files.data), m.toTell)
	}
	if err := m.await(ctx, m.mayAcknowledge); err != nil {
		return err
	}
	defer m.acknowledged()
	if err := m.queue.drain(ctx); err != nil {
		return err
	}
	if state == wire.StatePageCopy {
		m.o.At(ctx, BeforeSnapshot)
	}
	m.acked = state // whether the donor hears of it or not: it may have when the connection is made again
	return m.acknowledge(ctx, wire.Ack{Locator: m.locator, Descriptor: d.AckDescriptor()})
}

// mayAcknowledge says whether every worker has seen the end of the state, and if so holds up those that come now; s.mu is held.
func (s *session) mayAcknowledge() bool {
	for _, ended := range s.workers {
		if !ended {
			return false
		}
	}
	s.acking = true
	return true
}

// acknowledged lets those go on that mayAcknowledge has held up.
func (s *session) acknowledged() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.acking = false
	s.signal()
}

func (m *master) acknowledge(ctx context.Context, a wire.Ack) error {
	if err := m.acks.Send(ctx, wire.CommandAck, a.Append(nil)); err != nil {
		return err
	}
	return completed(ctx, m.acks, m.o.Idle)
}

// completed reads up to the end of an answer that holds nothing.
func completed(ctx context.Context, c *wire.Conn, idle time.Duration) error {
	return (&telling{}).read(ctx, c, idle)
}

// farewell leaves the donor as a receiving server would. Everything is here: what goes wrong now costs nothing.
func (m *master) farewell(ctx context.Context) error {
	if m.state != wire.StateDone {
		return broken("the answer ends in state %s", m.state)
	}
	for _, c := range []*wire.Conn{m.acks, m.link.conn} {
		m.sayGoodbye(ctx, c)
	}
	// Workers that the donor never let in wait for an answer that does not come.
	ctx, cancel := context.WithTimeout(ctx, farewellTime)
	defer cancel()
	if err := m.await(ctx, func() bool { return len(m.workers) == 0 }); err != nil {
		return nil //nolint:nilerr // they are dismissed
	}
	return nil
}

// farewellTime is how long the ends of connections may take.
const farewellTime = 5 * time.Second

func (s *session) sayGoodbye(ctx context.Context, c *wire.Conn) {
	ctx, cancel := context.WithTimeout(ctx, farewellTime)
	defer cancel()
	if c.Send(ctx, wire.CommandExit, nil) == nil && completed(ctx, c, farewellTime) == nil && c.Reset(ctx) == nil {
		_ = c.Quit()
	}
}

// cancel tells the donor that nobody wants the snapshot any more. Whether it hears it or not: the connections are closed
// afterwards, which it notices at its next write.
func (m *master) cancel() {
	ctx, cancel := context.WithTimeout(context.Background(), farewellTime)
	defer cancel()
	a := wire.Ack{Errno: wire.ErrnoInterrupted, Locator: m.locator}
	if m.acks.Send(ctx, wire.CommandAck, a.Append(nil)) == nil {
		_ = completed(ctx, m.acks, farewellTime)
	}
}
