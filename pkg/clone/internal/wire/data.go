package wire

import "encoding/binary"

// MaxData is the most bytes that one DATA may have: the largest packet that is read, without the byte that says what it is.
const MaxData = maxPayload - 1

// Data tells where the bytes of the DATA that follows on the same connection belong.
type Data struct {
	State    StateKind
	Task     uint32
	Chunk    uint32
	Block    uint32 // blocks of the chunk that are done with this one
	File     uint32 // index
	Length   uint32 // bytes
	Offset   uint64 // bytes
	FileSize uint64 // bytes; of page 0 in PAGE_COPY: the size that the file has grown to
}

func (*Data) kind() uint32 { return typeData }

// Append appends the descriptor.
func (d *Data) Append(b []byte) []byte {
	b = appendHeader(b, typeData, dataLength)
	b = binary.BigEndian.AppendUint32(b, uint32(d.State))
	b = binary.BigEndian.AppendUint32(b, d.Task)
	b = binary.BigEndian.AppendUint32(b, d.Chunk)
	b = binary.BigEndian.AppendUint32(b, d.Block)
	b = binary.BigEndian.AppendUint32(b, d.File)
	b = binary.BigEndian.AppendUint32(b, d.Length)
	b = binary.BigEndian.AppendUint64(b, d.Offset)
	return binary.BigEndian.AppendUint64(b, d.FileSize)
}

// ParseDataInto reads the body of DATA_DESC into d when it describes data, without allocating; is says whether it does.
// When it does not, d is as it was, and the body is for [ParseDescriptor]. Errors are *ProtocolError; d means nothing then.
func ParseDataInto(body []byte, d *Data) (is bool, err error) {
	_, _, b, err := rpcDescriptor(body)
	if err != nil {
		return false, err
	}
	kind, err := header(b)
	if err != nil || kind != typeData {
		return false, err
	}
	return true, d.parse(b)
}

func (d *Data) parse(b []byte) error {
	if err := ofLength("data", b, dataLength); err != nil {
		return err
	}
	f := fields(b)
	state, err := f.state("data", 12)
	if err != nil {
		return err
	}
	*d = Data{
		State: state, Task: f.u32(16), Chunk: f.u32(20), Block: f.u32(24), File: f.u32(28), Length: f.u32(32),
		Offset: f.u64(36), FileSize: f.u64(44),
	}
	switch {
	case d.Length > MaxData:
		return malformed("data", "%d bytes are too many", d.Length)
	case d.Offset > MaxSize, d.Offset+uint64(d.Length) > MaxSize:
		return malformed("data", "offset %d is too large", d.Offset)
	case d.FileSize > MaxSize:
		return malformed("data", "a file size of %d bytes is too large", d.FileSize)
	}
	return nil
}
