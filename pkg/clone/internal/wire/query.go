package wire

import (
	"context"
	"fmt"
)

// comQuery is COM_QUERY, a statement as text ("Command Phase" in the protocol documentation).
const comQuery = 0x03

// maxQueryAnswer bounds an answer to [Conn.Value]: a name of a column and a short text.
const maxQueryAnswer = 64 << 10

// Exec runs a statement that has no rows, before the connection speaks clone. Errors are *ServerError where the server refuses.
func (c *Conn) Exec(ctx context.Context, statement string) error {
	payload, err := c.ask(ctx, statement)
	if err != nil {
		return fmt.Errorf("run statement: %w", err)
	}
	if err := parseOK(payload); err != nil {
		return fmt.Errorf("run statement: %w", c.failed(ctx, err))
	}
	return nil
}

// Value gives the one value that a query has, before the connection speaks clone; NULL and no row are "". Errors are *ServerError
// where the server refuses, and *ProtocolError where the answer is not of one column and at most one row.
func (c *Conn) Value(ctx context.Context, query string) (string, error) {
	value, err := c.value(ctx, query)
	if err != nil {
		return "", fmt.Errorf("read value: %w", c.failed(ctx, err))
	}
	return value, nil
}

func (c *Conn) value(ctx context.Context, query string) (value string, err error) {
	limit := c.packets.limit
	c.packets.limit = maxQueryAnswer
	defer func() { c.packets.limit = limit }()
	payload, err := c.ask(ctx, query)
	if err != nil {
		return "", err
	}
	if isError(payload) {
		return "", parseServerError(payload)
	}
	if len(payload) != 1 || payload[0] != 1 {
		return "", malformed("answer", "it is not of one column")
	}
	if _, err := c.next(ctx, c.timeout); err != nil { // the column
		return "", err
	}
	if payload, err = c.next(ctx, c.timeout); err != nil || !isEnd(payload) {
		return "", orMalformed(err, "its columns do not end")
	}
	for rows := 0; ; rows++ {
		payload, err = c.next(ctx, c.timeout)
		switch {
		case err != nil:
			return "", err
		case isError(payload):
			return "", parseServerError(payload)
		case isEnd(payload):
			return value, nil
		case rows > 0:
			return "", malformed("answer", "it has more than one row")
		}
		if value, err = text(payload); err != nil {
			return "", err
		}
	}
}

// ask sends a statement and gives the first packet of its answer.
func (c *Conn) ask(ctx context.Context, statement string) ([]byte, error) {
	if err := c.send(ctx, append([]byte{comQuery}, statement...)); err != nil {
		return nil, err
	}
	return c.next(ctx, c.timeout)
}

// isEnd reports whether it is an EOF packet, which ends columns and rows where a client has not said that it needs none.
func isEnd(payload []byte) bool {
	return len(payload) > 0 && len(payload) < 9 && payload[0] == packetSwitch
}

func orMalformed(err error, why string) error {
	if err != nil {
		return err
	}
	return malformed("answer", "%s", why)
}

// text reads a text behind its length, which is all of a row; 0xfb is NULL.
func text(row []byte) (string, error) {
	if len(row) == 1 && row[0] == 0xfb {
		return "", nil
	}
	c := cursor{what: "row", b: row}
	n := uint64(c.u8())
	switch n {
	case 0xfc:
		n = uint64(c.u16())
	case 0xfd, 0xfe, 0xfb, 0xff:
		return "", malformed("row", "its length begins with %#x", n)
	}
	value := string(c.take(n))
	return value, c.end()
}
