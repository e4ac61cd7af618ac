package wire

import (
	"encoding/binary"
	"fmt"
)

// Command is what a recipient asks of a donor.
type Command byte

// The commands of a recipient.
const (
	CommandInit    Command = 1 // body: [Init]
	CommandAttach  Command = 2 // body: Init with the locators that INIT gave
	CommandReinit  Command = 3 // body: Init with a locator of [Locator.Restart]
	CommandExecute Command = 4 // no body
	CommandAck     Command = 5 // body: [Ack]
	CommandExit    Command = 6 // no body
)

func (c Command) String() string {
	names := [...]string{1: "COM_INIT", "COM_ATTACH", "COM_REINIT", "COM_EXECUTE", "COM_ACK", "COM_EXIT"}
	if int(c) < len(names) && names[c] != "" {
		return names[c]
	}
	return fmt.Sprintf("command %d", byte(c))
}

// Versions of the clone protocol, of which a donor takes the lower of its own and the recipient's.
const (
	Version1 uint32 = 0x0100 // 8.0.17
	Version2 uint32 = 0x0101 // plugins come with their library
	Version3 uint32 = 0x0102 // further settings: ResponseConfigV3
	Version4 uint32 = 0x0103 // 9.7; settings as JSON: ResponseConfigV4
)

// AllowDDL in Init.DDLTimeout lets DDL run on the donor during the clone. It is understood from 8.0.27 on; an older
// donor takes it for a timeout of decades.
const AllowDDL uint32 = 1 << 31

// EngineInnoDB is the engine of every locator and descriptor of MySQL's.
const EngineInnoDB byte = 12

// EngineLocator is one engine's name of a clone.
type EngineLocator struct {
	Engine byte
	Raw    []byte // of InnoDB: a [Locator]
}

// Append appends the locator as lists of them have it: engine, length, bytes.
func (l EngineLocator) Append(b []byte) []byte {
	b = append(b, l.Engine)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(l.Raw)))
	return append(b, l.Raw...)
}

// Init is the body of INIT, ATTACH and REINIT.
type Init struct {
	Version    uint32 // the highest that the recipient speaks
	DDLTimeout uint32 // seconds that the donor waits for the backup lock, or with AllowDDL that DDL waits for the clone
	Locators   []EngineLocator
}

// Append appends the body.
func (i Init) Append(b []byte) []byte {
	b = binary.LittleEndian.AppendUint32(b, i.Version)
	b = binary.LittleEndian.AppendUint32(b, i.DDLTimeout)
	for _, l := range i.Locators {
		b = l.Append(b)
	}
	return b
}

// Ack is the body of ACK: the recipient has taken over a state, or gives up.
type Ack struct {
	Errno      uint32 // 0: all is well; else MySQL's error number, with which the donor aborts the clone
	Locator    EngineLocator
	Descriptor []byte // of the state, see [State.AckDescriptor]; empty with an Errno
}

// ErrnoInterrupted is ER_QUERY_INTERRUPTED: an Ack with it cancels a clone cleanly.
const ErrnoInterrupted uint32 = 1317

// Append appends the body.
func (a Ack) Append(b []byte) []byte {
	b = binary.LittleEndian.AppendUint32(b, a.Errno)
	b = a.Locator.Append(b)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(a.Descriptor)))
	return append(b, a.Descriptor...)
}

// ParseInit reads the body of INIT, ATTACH and REINIT, as a donor does. The locators are copies.
func ParseInit(body []byte) (Init, error) {
	c := cursor{what: "init", b: body}
	i := Init{Version: c.u32(), DDLTimeout: c.u32()}
	i.Locators = c.locators()
	return i, c.end()
}

// ParseAck reads the body of ACK, as a donor does. Locator and descriptor are copies.
func ParseAck(body []byte) (Ack, error) {
	c := cursor{what: "ack", b: body}
	a := Ack{Errno: c.u32(), Locator: c.locator()}
	a.Descriptor = clone(c.counted())
	return a, c.end()
}
