package wire

import (
	"encoding/binary"
	"fmt"
)

// StateKind is a state of a clone.
type StateKind byte

// The states, in their order.
const (
	StateInit     StateKind = 1
	StateFileCopy StateKind = 2 // files as they are while they change
	StatePageCopy StateKind = 3 // pages that changed meanwhile
	StateRedoCopy StateKind = 4 // redo log since the pages were copied
	StateDone     StateKind = 5
)

func (k StateKind) String() string {
	names := [...]string{"NONE", "INIT", "FILE_COPY", "PAGE_COPY", "REDO_COPY", "DONE"}
	if int(k) < len(names) {
		return names[k]
	}
	return fmt.Sprintf("state %d", byte(k))
}

// Descriptor is one of *[Locator], *[Task], *[State], *[File] and *[Data].
type Descriptor interface {
	// Append appends the descriptor with its header.
	Append(b []byte) []byte
	kind() uint32
}

// Types of descriptors, and the one version of them that any release has.
const (
	typeLocator = 1
	typeTask    = 2
	typeState   = 3
	typeFile    = 4
	typeData    = 5

	descriptorVersion = 100
)

// Lengths of descriptors; the first three numbers are the header.
const (
	headerLength  = 12
	locatorLength = 34
	taskLength    = 24
	stateLength   = 46
	fileLength    = 62 // and name and key
	dataLength    = 52
)

// rpcHeader is engine and index in front of a descriptor in DATA_DESC.
const rpcHeader = 2

// fields reads the big-endian fields of a descriptor at their offsets. Whoever uses it has checked the length.
type fields []byte

func (f fields) u16(at int) uint16 { return binary.BigEndian.Uint16(f[at:]) }
func (f fields) u32(at int) uint32 { return binary.BigEndian.Uint32(f[at:]) }
func (f fields) u64(at int) uint64 { return binary.BigEndian.Uint64(f[at:]) }

// header checks what every descriptor begins with and gives its type.
func header(b []byte) (kind uint32, err error) {
	if len(b) < headerLength {
		return 0, malformed("descriptor", "%d bytes are too short for one", len(b))
	}
	f := fields(b)
	if v := f.u32(0); v != descriptorVersion {
		return 0, malformed("descriptor", "version %d is not %d", v, descriptorVersion)
	}
	if n := f.u32(4); uint64(n) != uint64(len(b)) {
		return 0, malformed("descriptor", "it says %d bytes and has %d", n, len(b))
	}
	return f.u32(8), nil
}

func appendHeader(b []byte, kind uint32, length int) []byte {
	b = binary.BigEndian.AppendUint32(b, descriptorVersion)
	b = binary.BigEndian.AppendUint32(b, uint32(length))
	return binary.BigEndian.AppendUint32(b, kind)
}

func ofLength(what string, b []byte, want int) error {
	if len(b) != want {
		return malformed(what, "%d bytes are not %d", len(b), want)
	}
	return nil
}

// state checks a state's number.
func (f fields) state(what string, at int) (StateKind, error) {
	n := f.u32(at)
	if n < uint32(StateInit) || n > uint32(StateDone) {
		return 0, malformed(what, "state %d is none", n)
	}
	return StateKind(n), nil
}

// rpcDescriptor splits the body of DATA_DESC.
func rpcDescriptor(body []byte) (engine, index byte, descriptor []byte, err error) {
	if len(body) < rpcHeader {
		return 0, 0, nil, malformed("descriptor", "%d bytes are too short for one", len(body))
	}
	if body[0] != EngineInnoDB {
		return body[0], body[1], nil, malformed("descriptor", "engine %d is not InnoDB", body[0])
	}
	return body[0], body[1], body[rpcHeader:], nil
}

// ParseDescriptor reads the body of DATA_DESC. What it gives shares nothing with the body. index says which of the
// locators of LOCS it belongs to. Errors are *ProtocolError; another engine than InnoDB is one.
func ParseDescriptor(body []byte) (engine, index byte, d Descriptor, err error) {
	engine, index, b, err := rpcDescriptor(body)
	if err != nil {
		return engine, index, nil, err
	}
	kind, err := header(b)
	if err != nil {
		return engine, index, nil, err
	}
	switch kind {
	case typeLocator:
		d, err = pointer(ParseLocator(b))
	case typeTask:
		d, err = pointer(parseTask(b))
	case typeState:
		d, err = pointer(parseState(b))
	case typeFile:
		d, err = pointer(parseFile(b))
	case typeData:
		data := new(Data)
		d, err = data, data.parse(b)
	default:
		err = malformed("descriptor", "type %d is none", kind)
	}
	if err != nil {
		return engine, index, nil, err
	}
	return engine, index, d, nil
}

// pointer lets the parsers give values.
func pointer[T any](v T, err error) (*T, error) { return &v, err }

// AppendDescriptor appends the body of DATA_DESC.
func AppendDescriptor(b []byte, index byte, d Descriptor) []byte {
	return d.Append(append(b, EngineInnoDB, index))
}

// Task is what a connection is for the donor: the first that it sends on each EXECUTE.
type Task struct {
	Index        uint32 // 0: the connection of INIT
	Chunk, Block uint32
}

func (*Task) kind() uint32 { return typeTask }

// Append appends the descriptor.
func (t *Task) Append(b []byte) []byte {
	b = appendHeader(b, typeTask, taskLength)
	b = binary.BigEndian.AppendUint32(b, t.Index)
	b = binary.BigEndian.AppendUint32(b, t.Chunk)
	return binary.BigEndian.AppendUint32(b, t.Block)
}

func parseTask(b []byte) (Task, error) {
	if err := ofLength("task", b, taskLength); err != nil {
		return Task{}, err
	}
	f := fields(b)
	return Task{Index: f.u32(12), Chunk: f.u32(16), Block: f.u32(20)}, nil
}

// State begins or ends a state.
type State struct {
	State        StateKind
	Task         uint32
	Chunks       uint32
	Files        uint32 // of PAGE_COPY: pages
	Estimate     uint64 // bytes to come; 0 at the end of a state, and on connections other than INIT's
	EstimateDisk uint64 // bytes on disk, without holes
	Start        bool   // the state begins; else it ends
	Ack          bool   // from a donor: a keep-alive, to be ignored
	Raw          []byte // the descriptor as it came; nil in one that was made
}

const (
	stateStart = 1
	stateAck   = 2
)

func (*State) kind() uint32 { return typeState }

// Append appends the descriptor as its fields say, not Raw.
func (s *State) Append(b []byte) []byte {
	b = appendHeader(b, typeState, stateLength)
	b = binary.BigEndian.AppendUint32(b, uint32(s.State))
	b = binary.BigEndian.AppendUint32(b, s.Task)
	b = binary.BigEndian.AppendUint32(b, s.Chunks)
	b = binary.BigEndian.AppendUint32(b, s.Files)
	b = binary.BigEndian.AppendUint64(b, s.Estimate)
	b = binary.BigEndian.AppendUint64(b, s.EstimateDisk)
	var flags uint16
	if s.Start {
		flags |= stateStart
	}
	if s.Ack {
		flags |= stateAck
	}
	return binary.BigEndian.AppendUint16(b, flags)
}

// AckDescriptor gives the descriptor with which the end of a state is acknowledged: as it came, with the flag for it.
func (s *State) AckDescriptor() []byte {
	b := clone(s.Raw)
	if len(b) != stateLength {
		b = s.Append(nil)
	}
	b[stateLength-1] |= stateAck
	return b
}

// AckBody gives the body of the ACK of the end of a state.
func (s *State) AckBody(l EngineLocator) []byte {
	return Ack{Locator: l, Descriptor: s.AckDescriptor()}.Append(nil)
}

func parseState(b []byte) (State, error) {
	if err := ofLength("state", b, stateLength); err != nil {
		return State{}, err
	}
	f := fields(b)
	kind, err := f.state("state", 12)
	if err != nil {
		return State{}, err
	}
	flags := f.u16(44)
	if flags > stateStart|stateAck {
		return State{}, malformed("state", "flags %#x are unknown", flags)
	}
	return State{
		State: kind, Task: f.u32(16), Chunks: f.u32(20), Files: f.u32(24), Estimate: f.u64(28), EstimateDisk: f.u64(36),
		Start: flags&stateStart != 0, Ack: flags&stateAck != 0, Raw: clone(b),
	}, nil
}
