package clone

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/go-sql-driver/mysql"

	"runner/pkg/clone/internal/wire"
)

// OtherServerError says that an address leads to another server than the one that a run began with: to one of several behind a
// load balancer, or to where the address has moved.
type OtherServerError struct {
	Was, Now string // server_uuid
	Address  string
}

// Error names both.
func (e *OtherServerError) Error() string {
	return fmt.Sprintf("the server at %s is not the one that this run began with: its server_uuid is %s, and was %s", e.Address, e.Now, e.Was)
}

// Hint says what is to be mended.
func (e *OtherServerError) Hint() string {
	return "have the source in the plan lead to the server with server_uuid " + e.Was + " alone, past any load balancer"
}

// identity is the server_uuid that every connection of a Server must find. The first connection sets it, unless Expect has.
type identity struct {
	address string

	mu   sync.Mutex
	uuid string // empty: not known yet
}

// is compares what a connection has found; empty is a server that has none.
func (i *identity) is(uuid string) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	switch {
	case uuid == "" && i.uuid == "", i.uuid == uuid:
		return nil
	case i.uuid == "":
		i.uuid = uuid
		return nil
	}
	return &OtherServerError{Was: i.uuid, Now: uuid, Address: i.address}
}

// Expect refuses, with an *OtherServerError, a server that is not the one of that server_uuid, now and on every connection that it is
// reached by from now on. Empty is any.
func (s *Server) Expect(uuid string) error {
	if uuid == "" {
		return nil
	}
	s.identity.mu.Lock()
	defer s.identity.mu.Unlock()
	if was := s.identity.uuid; was != "" && was != uuid {
		return &OtherServerError{Was: uuid, Now: was, Address: s.identity.address}
	}
	s.identity.uuid = uuid
	return nil
}

// Expect is Server.Expect.
func (d *DryServer) Expect(uuid string) error { return d.s.Expect(uuid) }

// askUUID asks on a connection that nobody else has.
const askUUID = "SELECT @@server_uuid"

// uuidOf asks a connection of the driver's. A server that does not know the variable has none: it is none that can be cloned.
func uuidOf(ctx context.Context, c driver.Conn) (uuid string, err error) {
	q, ok := c.(driver.QueryerContext)
	if !ok {
		return "", errors.New("the driver cannot query on a connection")
	}
	rows, err := q.QueryContext(ctx, askUUID, nil)
	if number(err) == erUnknownVariable {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	values := make([]driver.Value, len(rows.Columns()))
	if err := rows.Next(values); err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	if len(values) == 0 {
		return "", errors.New("the server has no answer")
	}
	if text, ok := values[0].([]byte); ok {
		return string(text), nil
	}
	return fmt.Sprint(values[0]), nil
}

// wireSession is a connection of the clone protocol, before it speaks that.
type wireSession struct{ conn *wire.Conn }

func (s wireSession) exec(ctx context.Context, statement string) error {
	return asDriverError(s.conn.Exec(ctx, statement))
}

// begin pins the session and compares who the server is.
func (s wireSession) begin(ctx context.Context, who *identity) error {
	if err := beginSession(ctx, s); err != nil {
		return fmt.Errorf("pin session: %w", err)
	}
	uuid, err := s.conn.Value(ctx, askUUID)
	if err != nil {
		return fmt.Errorf("read server_uuid: %w", asDriverError(err))
	}
	return who.is(uuid)
}

// asDriverError gives what a server said the type that it has from the driver.
func asDriverError(err error) error {
	var said *wire.ServerError
	if errors.As(err, &said) {
		return &mysql.MySQLError{Number: said.Number, Message: said.Message}
	}
	return err
}
