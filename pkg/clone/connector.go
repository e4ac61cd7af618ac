package clone

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/go-sql-driver/mysql"

	"runner/pkg/clone/internal/wire"
)

// pinning is a connector whose connections are pinned before anybody gets them.
type pinning struct {
	settings *mysql.Config
	who      *identity
}

func (c Config) connector(who *identity) (driver.Connector, error) {
	d := mysql.NewConfig()
	d.User, d.Passwd = c.User, c.Password
	d.Net, d.Addr = "tcp", c.address()
	if c.Socket != "" {
		d.Net = "unix"
	}
	d.DialFunc = dialBounded
	d.Timeout = dialTimeout
	d.ParseTime, d.Loc = true, time.UTC
	var said []string
	for _, a := range c.attributes() {
		said = append(said, a[0]+":"+a[1])
	}
	d.ConnectionAttributes = strings.Join(said, ",")
	// The driver's own logger writes to stderr, which is not a library's to write to.
	d.Logger = &mysql.NopLogger{}
	var err error
	if d.TLS, d.AllowFallbackToPlaintext, err = c.tlsConfig(); err != nil {
		return nil, err
	}
	if _, err := mysql.NewConnector(d); err != nil {
		return nil, err
	}
	return pinning{d, who}, nil
}

// dialBounded reaches a server over a connection that bounds its answers.
func dialBounded(ctx context.Context, network, address string) (net.Conn, error) {
	var conn net.Conn
	var err error
	if network == "unix" {
		conn, err = wire.DialSocket(ctx, address)
	} else {
		conn, err = new(net.Dialer).DialContext(ctx, network, address)
	}
	if err != nil {
		return nil, err
	}
	return &bounded{Conn: conn}, nil
}

// Driver returns the driver whose connections these are.
func (pinning) Driver() driver.Driver { return mysql.MySQLDriver{} }

// Connect connects and begins the session. Where there are too many connections it waits a little for those that were
// closed a moment ago and still count. Where the connection breaks, the error has the reason, which the driver itself only logs.
func (p pinning) Connect(ctx context.Context) (driver.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	reason := &reasonLogger{}
	settings := p.settings.Clone()
	settings.Logger = reason
	connector, err := mysql.NewConnector(settings)
	if err != nil {
		return nil, err
	}
	c, err := connector.Connect(ctx)
	for end := time.Now().Add(releaseTimeout); tooMany(err) && time.Now().Before(end) && pause(ctx, defaultInterval) == nil; {
		c, err = connector.Connect(ctx)
	}
	if err != nil {
		return nil, reason.of(err)
	}
	if err := begin(ctx, c); err != nil {
		return nil, errors.Join(fmt.Errorf("pin session: %w", reason.of(err)), c.Close())
	}
	uuid, err := uuidOf(ctx, c)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("read server_uuid: %w", reason.of(err)), c.Close())
	}
	if err := p.who.is(uuid); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

// reasonLogger keeps the first error that the driver logs of a connection.
type reasonLogger struct {
	mu    sync.Mutex
	first error
}

// Print keeps the error, if there is one and none came before.
func (l *reasonLogger) Print(v ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, logged := range v {
		if err, ok := logged.(error); ok && l.first == nil {
			l.first = err
		}
	}
}

// of adds to an error the reason that was logged for it.
func (l *reasonLogger) of(err error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.first == nil || errors.Is(err, l.first) {
		return err
	}
	return fmt.Errorf("%w: %w", err, l.first)
}
