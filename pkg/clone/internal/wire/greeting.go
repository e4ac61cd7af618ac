package wire

import (
	"encoding/binary"
	"strings"
)

// Capabilities ("Capabilities Flags" in the protocol documentation).
const (
	capLongPassword     = 1 << 0
	capLongFlag         = 1 << 2
	capProtocol41       = 1 << 9
	capTLS              = 1 << 11
	capTransactions     = 1 << 13
	capSecureConnection = 1 << 15
	capMultiResults     = 1 << 17
	capPluginAuth       = 1 << 19
	capConnectAttrs     = 1 << 20
	capPluginAuthLenenc = 1 << 21
	capZstd             = 1 << 26

	// A server of the series 8.0 has these always.
	capRequired = capProtocol41 | capSecureConnection | capPluginAuth | capPluginAuthLenenc
	capWanted   = capLongPassword | capLongFlag | capTransactions | capMultiResults | capConnectAttrs
)

const (
	handshakeVersion = 10
	utf8mb4          = 45 // collation utf8mb4_general_ci
	scrambleLength   = 20 // bytes of what a password is hashed with
)

// greeting is the first packet of a server ("Protocol::HandshakeV10" in the protocol documentation).
type greeting struct {
	version      string
	thread       uint32
	capabilities uint32
	plugin       string
	scramble     []byte
}

// parseGreeting reads the first packet; a server that refuses right away sends an ERR packet.
func parseGreeting(payload []byte) (*greeting, error) {
	if isError(payload) {
		return nil, parseServerError(payload)
	}
	c := cursor{what: "greeting", b: payload}
	if v := c.u8(); c.err == nil && v != handshakeVersion {
		return nil, malformed("greeting", "handshake version %d is not %d", v, handshakeVersion)
	}
	g := &greeting{version: string(c.upToZero()), thread: c.u32()}
	g.scramble = clone(c.take(8))
	c.u8()
	g.capabilities = uint32(c.u16())
	c.u8()  // collation
	c.u16() // status
	g.capabilities |= uint32(c.u16()) << 16
	length := int(c.u8())
	c.take(10)
	if c.err != nil {
		return nil, c.err
	}
	if missing := capRequired &^ g.capabilities; missing != 0 {
		return nil, malformed("greeting", "the server is too old: it lacks capabilities %#x", missing)
	}
	// The second part has a zero byte at its end, which is counted.
	if second := c.take(uint64(max(13, length-8))); second != nil {
		g.scramble = append(g.scramble, second[:scrambleLength-8]...)
	}
	g.plugin = string(c.upToZero())
	return g, c.end()
}

// login is the answer to a greeting ("Protocol::HandshakeResponse41" in the protocol documentation).
type login struct {
	capabilities uint32
	user         string
	proof        []byte // of the password
	plugin       string
	attributes   [][2]string
	level        byte // of zstd
}

// appendStart appends the part that comes before TLS ("Protocol::SSLRequest").
func (l *login) appendStart(b []byte) []byte {
	b = binary.LittleEndian.AppendUint32(b, l.capabilities)
	b = binary.LittleEndian.AppendUint32(b, maxPayload)
	b = append(b, utf8mb4)
	return append(b, make([]byte, 23)...)
}

func (l *login) append(b []byte) []byte {
	b = l.appendStart(b)
	b = append(append(b, l.user...), 0)
	b = appendCounted(b, string(l.proof))
	b = append(append(b, l.plugin...), 0)
	if l.capabilities&capConnectAttrs != 0 {
		var attributes []byte
		for _, a := range l.attributes {
			attributes = appendCounted(appendCounted(attributes, a[0]), a[1])
		}
		b = appendCounted(b, string(attributes))
	}
	if l.capabilities&capZstd != 0 {
		b = append(b, l.level)
	}
	return b
}

// appendCounted appends bytes behind their length, which is length-encoded ("Protocol::LengthEncodedInteger").
func appendCounted(b []byte, s string) []byte {
	const oneByte, twoBytes = 251, 0xfc
	if len(s) < oneByte {
		return append(append(b, byte(len(s))), s...)
	}
	b = binary.LittleEndian.AppendUint16(append(b, twoBytes), uint16(len(s)))
	return append(b, s...)
}

// parseSwitch reads a request to use another plugin ("Protocol::AuthSwitchRequest").
func parseSwitch(payload []byte) (plugin string, scramble []byte, err error) {
	c := cursor{what: "authentication switch", b: payload}
	c.u8()
	plugin = string(c.upToZero())
	if c.err != nil {
		return "", nil, c.err
	}
	return plugin, []byte(strings.TrimSuffix(string(c.b), "\x00")), nil
}
