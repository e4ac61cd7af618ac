package fake

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"time"
)

// wire reads and writes packets: 3 bytes of length, 1 of sequence, payload.
type wire struct {
	conn     net.Conn
	sequence byte
}

// maxPayload is where a payload would have to go on in a second packet, which nothing here needs.
const maxPayload = 1<<24 - 1

func (w *wire) read() ([]byte, error) {
	var header [4]byte
	if _, err := io.ReadFull(w.conn, header[:]); err != nil {
		return nil, err
	}
	w.sequence = header[3] + 1
	payload := make([]byte, int(header[0])|int(header[1])<<8|int(header[2])<<16)
	_, err := io.ReadFull(w.conn, payload)
	return payload, err
}

func (w *wire) write(payload []byte) error {
	n := len(payload)
	if n >= maxPayload {
		return errors.New("fake: the answer is too long")
	}
	packet := append([]byte{byte(n), byte(n >> 8), byte(n >> 16), w.sequence}, payload...)
	w.sequence++
	_, err := w.conn.Write(packet)
	return err
}

// Capabilities, as in the protocol's documentation.
const (
	capLongPassword     = 1 << 0
	capProtocol41       = 1 << 9
	capTransactions     = 1 << 13
	capSecureConnection = 1 << 15
	capPluginAuth       = 1 << 19
	capConnectAttrs     = 1 << 20
	capabilities        = capLongPassword | capProtocol41 | capTransactions | capSecureConnection | capPluginAuth | capConnectAttrs

	utf8mb4    = 45 // collation utf8mb4_general_ci
	autocommit = 2  // status flag
)

// greet sends a handshake of version 10. The scramble is always the same: no password is checked.
func (w *wire) greet(version string) error {
	const scramble = "abcdefghijklmnopqrst"
	p := append([]byte{10}, version...)
	p = append(p, 0)
	p = binary.LittleEndian.AppendUint32(p, 1)
	p = append(p, scramble[:8]...)
	p = append(p, 0)
	p = binary.LittleEndian.AppendUint16(p, capabilities&0xffff)
	p = append(p, utf8mb4)
	p = binary.LittleEndian.AppendUint16(p, autocommit)
	p = binary.LittleEndian.AppendUint16(p, capabilities>>16)
	p = append(p, byte(len(scramble)+1))
	p = append(p, make([]byte, 10)...)
	p = append(p, scramble[8:]...)
	p = append(p, 0)
	p = append(p, "mysql_native_password\x00"...)
	return w.write(p)
}

func (w *wire) ok() error {
	return w.write([]byte{0, 0, 0, autocommit, 0, 0, 0})
}

func (w *wire) eof() error {
	return w.write([]byte{0xfe, 0, 0, autocommit, 0})
}

func (w *wire) fail(e Error) error {
	state := e.State
	if len(state) != 5 {
		state = "HY000"
	}
	p := binary.LittleEndian.AppendUint16([]byte{0xff}, e.Number)
	return w.write(append(p, "#"+state+e.Message...))
}

func (w *wire) answer(r Result) error {
	switch {
	case r.Err != nil:
		return w.fail(*r.Err)
	case r.Drop:
		return errors.New("dropped by the script")
	case len(r.Columns) == 0:
		return w.ok()
	}
	if err := w.write(lengthEncoded(nil, len(r.Columns))); err != nil {
		return err
	}
	for i, name := range r.Columns {
		if err := w.write(columnDefinition(name, columnType(r.Rows, i))); err != nil {
			return err
		}
	}
	if err := w.eof(); err != nil {
		return err
	}
	for _, row := range r.Rows {
		if err := w.write(textRow(row)); err != nil {
			return err
		}
	}
	return w.eof()
}

// Types of columns.
const (
	typeTimestamp = 0x07
	typeVarString = 0xfd
)

func columnType(rows [][]any, column int) byte {
	for _, row := range rows {
		if _, is := row[column].(time.Time); is {
			return typeTimestamp
		}
	}
	return typeVarString
}

func columnDefinition(name string, kind byte) []byte {
	var p []byte
	for _, s := range []string{"def", "", "", "", name, name} {
		p = lengthEncodedString(p, s)
	}
	p = append(p, 0x0c)
	p = binary.LittleEndian.AppendUint16(p, utf8mb4)
	p = binary.LittleEndian.AppendUint32(p, 1024)
	return append(p, kind, 0, 0, 0, 0, 0)
}

func textRow(row []any) []byte {
	var p []byte
	for _, value := range row {
		switch v := value.(type) {
		case nil:
			p = append(p, 0xfb)
		case time.Time:
			p = lengthEncodedString(p, v.UTC().Format(timestampLayout))
		default:
			p = lengthEncodedString(p, fmt.Sprint(v))
		}
	}
	return p
}

func lengthEncodedString(p []byte, s string) []byte {
	return append(lengthEncoded(p, len(s)), s...)
}

func lengthEncoded(p []byte, n int) []byte {
	switch {
	case n < 0xfb:
		return append(p, byte(n))
	case n < 1<<16:
		return append(p, 0xfc, byte(n), byte(n>>8))
	}
	return append(p, 0xfd, byte(n), byte(n>>8), byte(n>>16))
}
