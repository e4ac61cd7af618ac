package wire

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"time"
)

// Config says how to reach a donor.
type Config struct {
	Network, Address string // "tcp" and "host:port", or "unix" and the path of the socket
	User, Password   string
	TLS              *tls.Config   // nil: none. Without a ServerName, the host of Address
	Fallback         bool          // go on in clear when TLS is set and the server offers none
	Compression      string        // "" or "zstd"
	Level            int           // of zstd on the donor, 1 to 22; 0 = 3, the server's own default
	Attributes       [][2]string   // connection attributes: names and values
	Timeout          time.Duration // of connecting with the handshake, and of answers to COM_CLONE and COM_RESET_CONNECTION; 0 = 10 s
}

const (
	defaultTimeout = 10 * time.Second
	defaultLevel   = 3
	maxLevel       = 22
	compressZstd   = "zstd"
)

func (c Config) check() error {
	switch {
	case c.Compression != "" && c.Compression != compressZstd:
		return fmt.Errorf("compression %q is neither zstd nor none", c.Compression)
	case c.Level < 0 || c.Level > maxLevel:
		return fmt.Errorf("zstd level %d is not between 1 and %d", c.Level, maxLevel)
	case strings.ContainsRune(c.User, 0) || strings.ContainsRune(c.Password, 0):
		return errors.New("user or password has a zero byte")
	case len(c.User) > 1<<10 || len(c.Password) > 1<<10 || len(c.Attributes) > 1<<4:
		return errors.New("user or password is longer than 1024 bytes, or there are more than 16 attributes")
	}
	return nil
}

// Dial connects to a donor and logs in, with the plugin that the account has: caching_sha2_password, sha256_password
// or mysql_native_password. A password goes in clear only through TLS or, with caching_sha2_password, a unix socket; where a plugin
// needs the password itself elsewhere, it is encrypted with the public key that the server sends, which nobody vouches for.
//
// Errors: *ServerError where the server refuses, ErrNoTLS, ErrNoCompression, *PluginError, *ProtocolError, *TimeoutError,
// the error of ctx, and those of the network.
func Dial(ctx context.Context, c Config) (*Conn, error) {
	if err := c.check(); err != nil {
		return nil, fmt.Errorf("connect to donor: %w", err)
	}
	if c.Timeout <= 0 {
		c.Timeout = defaultTimeout
	}
	if c.Level == 0 {
		c.Level = defaultLevel
	}
	limited, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	conn, err := connect(limited, c)
	if err == nil {
		return conn, nil
	}
	switch {
	case ctx.Err() != nil:
		err = ctx.Err()
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		err = &TimeoutError{After: c.Timeout}
	}
	return nil, fmt.Errorf("connect to donor: %w", err)
}

func connect(ctx context.Context, c Config) (*Conn, error) {
	raw, err := dial(ctx, c.Network, c.Address)
	if err != nil {
		return nil, err
	}
	s := &socket{Conn: raw, slow: c.Timeout}
	conn := &Conn{socket: s, timeout: c.Timeout, reader: bufio.NewReaderSize(s, readBuffer)}
	conn.packets = packets{r: conn.reader, w: s, limit: maxLogin}
	if err := conn.login(ctx, c); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	s.release()
	conn.packets.limit = maxPayload
	return conn, nil
}

func dial(ctx context.Context, network, address string) (net.Conn, error) {
	if network == "unix" {
		return DialSocket(ctx, address)
	}
	return new(net.Dialer).DialContext(ctx, network, address)
}

// login reads the greeting, begins TLS, authenticates, and begins to compress.
func (c *Conn) login(ctx context.Context, cfg Config) error {
	if err := c.socket.watch(ctx); err != nil {
		return err
	}
	payload, err := c.packets.read()
	if err != nil {
		return reading(err)
	}
	g, err := parseGreeting(payload)
	if err != nil {
		return err
	}
	c.version, c.thread = g.version, g.thread
	if cfg.Compression != "" && g.capabilities&capZstd == 0 {
		return ErrNoCompression
	}
	useTLS := cfg.TLS != nil && g.capabilities&capTLS != 0
	if cfg.TLS != nil && !useTLS && !cfg.Fallback {
		return ErrNoTLS
	}
	l := newLogin(cfg, g, useTLS)
	if useTLS {
		if err := c.beginTLS(ctx, cfg, l); err != nil {
			return err
		}
	}
	e := &exchange{
		packets: &c.packets, password: []byte(cfg.Password), plugin: g.plugin, scramble: g.scramble,
		tls: useTLS, local: strings.HasPrefix(cfg.Network, "unix"),
	}
	if err := c.authenticate(e, l); err != nil {
		return err
	}
	if cfg.Compression != "" {
		return c.beginCompression()
	}
	return nil
}

func newLogin(cfg Config, g *greeting, useTLS bool) *login {
	l := &login{
		capabilities: capRequired | capWanted&g.capabilities,
		user:         cfg.User, attributes: cfg.Attributes, level: byte(cfg.Level),
	}
	if useTLS {
		l.capabilities |= capTLS
	}
	if cfg.Compression != "" {
		l.capabilities |= capZstd
	}
	return l
}

func (c *Conn) beginTLS(ctx context.Context, cfg Config, l *login) error {
	// What comes before TLS could have been put there by anybody, and must not be taken for what comes through it.
	if n := c.reader.Buffered(); n > 0 {
		return malformed("greeting", "%d bytes follow it", n)
	}
	if err := c.packets.write(l.appendStart(nil)); err != nil {
		return writing(err)
	}
	settings := cfg.TLS.Clone()
	if settings.ServerName == "" {
		if host, _, err := net.SplitHostPort(cfg.Address); err == nil {
			settings.ServerName = host
		}
	}
	secured := tls.Client(c.socket, settings)
	if err := secured.HandshakeContext(ctx); err != nil {
		return fmt.Errorf("begin TLS: %w", err)
	}
	c.reader.Reset(secured)
	c.packets.w = secured
	c.encrypted = true
	return nil
}

// authenticate offers the server's default plugin, or where this package doesn't speak it, MySQL's: the server
// asks for the account's own if that is another.
func (c *Conn) authenticate(e *exchange, l *login) error {
	var unknown *PluginError
	proof, err := e.proof()
	if errors.As(err, &unknown) {
		e.plugin = pluginCachingSHA2
		proof, err = e.proof()
	}
	if err != nil {
		return err
	}
	l.plugin, l.proof = e.plugin, proof
	if err := c.packets.write(l.append(nil)); err != nil {
		return writing(err)
	}
	return e.finish()
}

func (c *Conn) beginCompression() error {
	if n := c.reader.Buffered(); n > 0 {
		return malformed("login", "%d bytes follow it", n)
	}
	var err error
	if c.unzip, err = newInflater(c.reader); err != nil {
		return err
	}
	c.zip = &deflater{w: c.packets.w}
	c.packets.r, c.packets.w = io.Reader(c.unzip), c.zip
	return nil
}
