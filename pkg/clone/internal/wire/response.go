package wire

import (
	"encoding/binary"
	"fmt"
)

// ResponseKind is the first byte of what a donor sends.
type ResponseKind byte

// The kinds of responses. A command is answered by any number of them, of which COMPLETE or ERROR is the last.
const (
	ResponseLocators   ResponseKind = 1   // [ParseLocators]
	ResponseDescriptor ResponseKind = 2   // [ParseDescriptor]; of [Data], the next response is ResponseData
	ResponseData       ResponseKind = 3   // bytes of a file
	ResponsePlugin     ResponseKind = 4   // [ParsePlugin]
	ResponseConfig     ResponseKind = 5   // [ParseConfig]: a setting that must be the same on both sides
	ResponseCollation  ResponseKind = 6   // [ParseString]
	ResponsePluginV2   ResponseKind = 7   // [ParsePlugin]
	ResponseConfigV3   ResponseKind = 8   // [ParseConfig]: a setting that is told
	ResponseConfigV4   ResponseKind = 9   // [ParseConfig]: settings as JSON
	ResponseComplete   ResponseKind = 99  // no body
	ResponseError      ResponseKind = 100 // [ParseError]
)

func (k ResponseKind) known() bool {
	return k >= ResponseLocators && k <= ResponseConfigV4 || k == ResponseComplete || k == ResponseError
}

func (k ResponseKind) String() string {
	names := [...]string{1: "LOCS", "DATA_DESC", "DATA", "PLUGIN", "CONFIG", "COLLATION", "PLUGIN_V2", "CONFIG_V3", "CONFIG_V4"}
	switch {
	case k == ResponseComplete:
		return "COMPLETE"
	case k == ResponseError:
		return "ERROR"
	case k.known():
		return names[k]
	}
	return fmt.Sprintf("response %d", byte(k))
}

// Response is one packet of a donor's.
type Response struct {
	Kind ResponseKind
	Body []byte // valid until the next Receive
}

// parseResponse takes a packet apart. A server that gives up sends an ERR packet.
func parseResponse(payload []byte) (Response, error) {
	switch {
	case len(payload) == 0:
		return Response{}, malformed("response", "it is empty")
	case isError(payload):
		return Response{}, parseServerError(payload)
	}
	kind := ResponseKind(payload[0])
	if !kind.known() {
		return Response{}, malformed("response", "kind %d is unknown", payload[0])
	}
	return Response{Kind: kind, Body: payload[1:]}, nil
}

// ParseLocators reads the body of LOCS: the version that the donor agrees to, and its locators, which are copies.
// Errors are *ProtocolError.
func ParseLocators(body []byte) (version uint32, locators []EngineLocator, err error) {
	c := cursor{what: "locators", b: body}
	version, locators = c.u32(), c.locators()
	return version, locators, c.end()
}

// ParseString reads the body of COLLATION. Errors are *ProtocolError.
func ParseString(body []byte) (string, error) {
	c := cursor{what: "string", b: body}
	s := string(c.counted())
	return s, c.end()
}

// ParsePlugin reads the body of PLUGIN or PLUGIN_V2; of the former, library is "", as it is of a plugin that is built
// into the server. Errors are *ProtocolError.
func ParsePlugin(kind ResponseKind, body []byte) (name, library string, err error) {
	c := cursor{what: "plugin", b: body}
	name = string(c.counted())
	if kind != ResponsePlugin {
		library = string(c.counted())
	}
	return name, library, c.end()
}

// ParseConfig reads the body of CONFIG, CONFIG_V3 or CONFIG_V4. Errors are *ProtocolError.
func ParseConfig(body []byte) (name, value string, err error) {
	c := cursor{what: "config", b: body}
	name, value = string(c.counted()), string(c.counted())
	return name, value, c.end()
}

// ParseError reads the body of ERROR. It never fails: of a body that is too short Number is 0.
func ParseError(body []byte) *DonorError {
	if len(body) < 4 {
		return &DonorError{Message: string(body)}
	}
	return &DonorError{Number: binary.LittleEndian.Uint32(body), Message: string(body[4:])}
}
