package donor

import (
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
)

// Capabilities ("Capabilities Flags" in the protocol documentation).
const (
	capProtocol41 = 1 << 9
	capTLS        = 1 << 11
	capZstd       = 1 << 26
	// capServer is what a server of the series 8.0 offers, without TLS and zstd.
	capServer = 1<<0 | 1<<2 | capProtocol41 | 1<<13 | 1<<15 | 1<<17 | 1<<19 | 1<<20 | 1<<21
)

// Scramble is what passwords are hashed with, in every greeting; ScrambleSwitch is that of a request to switch.
const (
	Scramble       = "abcdefghijklmnopqrst"
	ScrambleSwitch = "ABCDEFGHIJKLMNOPQRST"
)

const (
	defaultVersion    = "9.7.4"
	pluginCachingSHA2 = "caching_sha2_password"
	collation         = 255 // utf8mb4_0900_ai_ci
	autocommit        = 2   // status flag
)

func (c *Conn) greeting() []byte {
	o := c.server.options
	if o.Greeting != nil {
		return o.Greeting
	}
	version, plugin, capabilities := orElse(o.Version, defaultVersion), orElse(o.Plugin, pluginCachingSHA2), uint32(capServer)
	if o.TLS != nil {
		capabilities |= capTLS
	}
	if !o.NoZstd {
		capabilities |= capZstd
	}
	p := append([]byte{10}, version...)
	p = binary.LittleEndian.AppendUint32(append(p, 0), c.thread)
	p = append(append(p, Scramble[:8]...), 0)
	p = binary.LittleEndian.AppendUint16(p, uint16(capabilities))
	p = binary.LittleEndian.AppendUint16(append(p, collation), autocommit)
	p = binary.LittleEndian.AppendUint16(p, uint16(capabilities>>16))
	p = append(p, byte(len(Scramble)+1))
	p = append(p, make([]byte, 10)...)
	p = append(append(p, Scramble[8:]...), 0)
	return append(append(p, plugin...), 0)
}

// login greets, begins TLS where it is asked for, and lets in.
func (c *Conn) login() error {
	o := c.server.options
	if err := c.Packet(c.greeting()); err != nil {
		return err
	}
	payload, err := c.ReadPacket()
	if err != nil {
		return err
	}
	l := Login{}
	if len(payload) == 32 && o.TLS != nil {
		secured := tls.Server(c.raw, o.TLS)
		if err := secured.HandshakeContext(c.server.ctx); err != nil {
			return err
		}
		c.conn, l.Encrypted = secured, true
		if payload, err = c.ReadPacket(); err != nil {
			return err
		}
	}
	if err := l.parse(payload); err != nil {
		c.server.Problem("login: %v", err)
		return err
	}
	if l.Capabilities&capZstd != 0 {
		return errors.New("compression is offered, and not spoken")
	}
	if o.Switch != "" {
		if err := c.change(&l); err != nil {
			return err
		}
	}
	c.server.mu.Lock()
	c.server.logins = append(c.server.logins, l)
	c.server.mu.Unlock()
	return c.welcome(l)
}

// change asks for another plugin.
func (c *Conn) change(l *Login) error {
	p := append(append([]byte{0xfe}, c.server.options.Switch...), 0)
	if err := c.Packet(append(append(p, ScrambleSwitch...), 0)); err != nil {
		return err
	}
	var err error
	l.Plugin = c.server.options.Switch
	l.Proof, err = c.ReadPacket()
	return err
}

func (c *Conn) welcome(l Login) error {
	o := c.server.options
	if o.Refuse != nil {
		return errors.Join(c.ServerError(o.Refuse), errors.New("login refused"))
	}
	if o.Dialog != nil {
		if err := o.Dialog(c, l.Plugin, l.Proof); err != nil {
			return err
		}
		return c.OK()
	}
	if l.Plugin == pluginCachingSHA2 && len(l.Proof) > 0 {
		if err := c.Packet([]byte{1, 3}); err != nil { // the hash is right
			return err
		}
	}
	return c.OK()
}

// parse reads a login ("Protocol::HandshakeResponse41" in the protocol documentation), to its last byte.
func (l *Login) parse(p []byte) error {
	r := reader{p}
	l.Capabilities = binary.LittleEndian.Uint32(r.take(4))
	r.take(4 + 1 + 23)
	l.User = string(r.upToZero())
	l.Proof = append([]byte{}, r.counted()...)
	l.Plugin = string(r.upToZero())
	l.Attributes = append([]byte{}, r.counted()...)
	if l.Capabilities&capZstd != 0 {
		r.take(1)
	}
	if len(r.b) != 0 {
		return fmt.Errorf("%d bytes are left of a login of %d", len(r.b), len(p))
	}
	return nil
}

// reader takes fields; of what isn't there it gives zeros.
type reader struct{ b []byte }

func (r *reader) take(n int) []byte {
	if n > len(r.b) {
		r.b = nil
		return make([]byte, n)
	}
	taken := r.b[:n]
	r.b = r.b[n:]
	return taken
}

func (r *reader) counted() []byte {
	switch n := r.take(1)[0]; n {
	case 0xfc:
		return r.take(int(binary.LittleEndian.Uint16(r.take(2))))
	default:
		return r.take(int(n))
	}
}

func (r *reader) upToZero() []byte {
	for i, b := range r.b {
		if b == 0 {
			return r.take(i + 1)[:i]
		}
	}
	return r.take(len(r.b))
}
