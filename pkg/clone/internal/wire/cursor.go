package wire

import (
	"bytes"
	"encoding/binary"
)

// cursor reads little-endian fields one after the other. After the first that isn't there all are zero, and err says
// which message was too short.
type cursor struct {
	what string // the message, for errors
	b    []byte // what is left
	err  error
}

func (c *cursor) take(n uint64) []byte {
	if c.err == nil && n > uint64(len(c.b)) {
		c.err = malformed(c.what, "it ends %d bytes too early", n-uint64(len(c.b)))
	}
	if c.err != nil {
		return nil
	}
	taken := c.b[:n:n]
	c.b = c.b[n:]
	return taken
}

func (c *cursor) u8() byte {
	if b := c.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (c *cursor) u16() uint16 {
	if b := c.take(2); b != nil {
		return binary.LittleEndian.Uint16(b)
	}
	return 0
}

func (c *cursor) u32() uint32 {
	if b := c.take(4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

// counted reads bytes behind their length.
func (c *cursor) counted() []byte { return c.take(uint64(c.u32())) }

// upToZero reads what is in front of a zero byte, and the zero byte.
func (c *cursor) upToZero() []byte {
	zero := bytes.IndexByte(c.b, 0)
	if zero < 0 {
		zero = len(c.b) // where it should be
	}
	if taken := c.take(uint64(zero) + 1); taken != nil {
		return taken[:zero]
	}
	return nil
}

func (c *cursor) locator() EngineLocator {
	return EngineLocator{Engine: c.u8(), Raw: clone(c.counted())}
}

func (c *cursor) locators() []EngineLocator {
	var all []EngineLocator
	for c.err == nil && len(c.b) > 0 {
		if l := c.locator(); c.err == nil {
			all = append(all, l)
		}
	}
	return all
}

// end gives the error, also when something is left.
func (c *cursor) end() error {
	if c.err == nil && len(c.b) > 0 {
		c.err = malformed(c.what, "it goes on for %d bytes after its end", len(c.b))
	}
	return c.err
}

func clone(b []byte) []byte { return append([]byte(nil), b...) }
