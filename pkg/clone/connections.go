package clone

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"

	"runner/pkg/clone/internal/wire"
)

// releaseTimeout is how long the server may take to forget connections that were closed: until then they count against a limit.
const releaseTimeout = 3 * time.Second

// fit keeps a clone within the limit of connections that the account has (see Limits.Account): the pool waits for one of its own
// instead of being refused another. It returns how many connections are left; limited is false where there is no limit.
func (s *Server) fit(ctx context.Context, conn *sql.Conn) (left int, limited bool) {
	var limit int
	if err := oneRow(ctx, conn, accountLimitQuery).Scan(&limit); err != nil || limit <= 0 {
		return 0, false // a server that does not say is one without a limit
	}
	s.db.SetMaxOpenConns(min(max(limit, statementConnections), maxConnections))
	return limit - statementConnections, true
}

// fitStream has statements take statementConnections of a limit, and the copy the others.
func (c *streamClone) fitStream(ctx context.Context, conn *sql.Conn) {
	left, limited := c.s.fit(ctx, conn)
	if !limited {
		return
	}
	if most := max(left-pullConnections+1, 1); most < c.stream.Threads {
		c.note(fmt.Sprintf("connections that carry data: %d, and not %d: MAX_USER_CONNECTIONS of the account allows no more", most, c.stream.Threads))
		c.stream.Threads = most
	}
	c.s.db.SetMaxOpenConns(statementConnections)
}

// dialFirst dials as dial does, and waits for connections that were closed a moment ago: they still count.
func (c *streamClone) dialFirst(ctx context.Context, w wire.Config) (*wire.Conn, error) {
	end := time.Now().Add(releaseTimeout)
	for {
		conn, err := wire.Dial(ctx, w)
		if !tooMany(err) || c.attached() || time.Now().After(end) {
			return conn, err
		}
		if err := pause(ctx, defaultInterval); err != nil {
			return nil, err
		}
	}
}

// attached reports whether the connections are there without which nothing comes: further ones need not wait.
func (c *streamClone) attached() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.dialed >= pullConnections
}

// tooMany reports whether the server refused because there are too many connections: of the server, of all its accounts, or of ours.
func tooMany(err error) bool {
	var (
		statement *mysql.MySQLError
		protocol  *wire.ServerError
		number    uint16
		message   string
	)
	switch {
	case errors.As(err, &statement):
		number, message = statement.Number, statement.Message
	case errors.As(err, &protocol):
		number, message = protocol.Number, protocol.Message
	}
	return number == erTooMany || number == erTooManyUser || number == erUserLimit && strings.Contains(message, "max_user_connections")
}
