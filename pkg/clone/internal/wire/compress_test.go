package wire

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"testing"
	"time"
)

func TestCompressedPacketsMayCutTheStreamAnywhere(t *testing.T) {
	var plain []byte
	for n := range 30 {
		plain = append(plain, frames(0, bytes.Repeat([]byte{byte(ResponseData), byte(n)}, 1+n*n))...)
	}
	z := compressor(t)
	for _, size := range []int{1, 3, 4, 100, len(plain)} {
		var said []byte
		sequence := byte(0)
		for i, rest := 0, plain; len(rest) > 0; i++ {
			piece := rest[:min(size, len(rest))]
			rest = rest[len(piece):]
			packet := stored(piece)
			if i%2 == 0 {
				packet = compressed(z, piece)
			}
			packet[3] = sequence
			if sequence++; i%7 == 0 {
				sequence = 0 // a server begins anew with each of its packets
			}
			said = append(said, packet...)
		}
		c := onTape(said)
		if err := c.beginCompression(); err != nil {
			t.Fatal(err)
		}
		for n := range 30 {
			r, err := c.Receive(t.Context(), 0)
			if err != nil || len(r.Body) != 2*(1+n*n)-1 || r.Body[0] != byte(n) {
				t.Fatalf("in pieces of %d: packet %d: %d bytes, %v", size, n, len(r.Body), err)
			}
		}
		if _, err := c.Receive(t.Context(), 0); !errors.Is(err, io.EOF) {
			t.Errorf("at the end: %v", err)
		}
		c.socket.release()
	}
}

func TestCompressedPacketsThatLieAreProtocolErrors(t *testing.T) {
	plain := frames(0, bytes.Repeat([]byte{byte(ResponseData)}, 1000))
	z := compressor(t)
	good := compressed(z, plain)
	for name, change := range map[string]func(b []byte) []byte{
		"a sequence that is out of turn": func(b []byte) []byte { b[3] = 7; return b },
		"more than there is":             func(b []byte) []byte { b[4]++; return b },
		"less than there is":             func(b []byte) []byte { b[4]--; return b },
		"no zstd":                        func(b []byte) []byte { b[7] ^= 0xFF; return b },
		"nothing at all":                 func([]byte) []byte { return []byte{0, 0, 0, 0, 0, 0, 0} },
		"a frame that is cut off":        func(b []byte) []byte { b[0]--; return b[:len(b)-1] },
		"more than a packet may hold":    func([]byte) []byte { return compressed(z, make([]byte, 1<<24+1)) },
	} {
		c := onTape(change(bytes.Clone(good)))
		if err := c.beginCompression(); err != nil {
			t.Fatal(err)
		}
		var malformed *ProtocolError
		if _, err := c.Receive(t.Context(), 0); !errors.As(err, &malformed) {
			t.Errorf("%s: %v", name, err)
		}
		c.socket.release()
	}
	for cut := range good {
		c := onTape(good[:cut])
		if err := c.beginCompression(); err != nil {
			t.Fatal(err)
		}
		want := io.ErrUnexpectedEOF
		if cut == 0 {
			want = io.EOF
		}
		if _, err := c.Receive(t.Context(), 0); !errors.Is(err, want) {
			t.Errorf("cut after %d bytes: %v", cut, err)
		}
		c.socket.release()
	}
}

func TestWhatIsSentOnACompressedConnectionIsStored(t *testing.T) {
	c := onTape(nil)
	if err := c.beginCompression(); err != nil {
		t.Fatal(err)
	}
	for range 2 { // each command begins to count anew
		if err := c.Send(t.Context(), CommandInit, []byte("body")); err != nil {
			t.Fatal(err)
		}
	}
	c.socket.release()
	once := "\x09\x00\x00\x00\x00\x00\x00" + "\x05\x00\x00\x00" + "\x01body"
	if got := c.socket.Conn.(*tape).written.String(); got != once+once {
		t.Errorf("got %q", got)
	}
	var out bytes.Buffer
	long := make([]byte, 2*maxFrame)
	if _, err := (&deflater{w: &out}).Write(long); err != nil {
		t.Fatal(err)
	}
	z, err := newInflater(&out)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(z); err != nil || !bytes.Equal(got, long) {
		t.Errorf("%d bytes came back, %v", len(got), err)
	}
}

// again says the same over and over.
type again struct {
	said []byte
	at   int
}

func (a *again) Read(p []byte) (int, error) {
	n := copy(p, a.said[a.at:])
	a.at = (a.at + n) % len(a.said)
	return n, nil
}

func TestReceivingPagesAllocatesNothing(t *testing.T) {
	page := make([]byte, 16<<10+1)
	page[0] = byte(ResponseData)
	descriptor := AppendDescriptor([]byte{byte(ResponseDescriptor)}, 0, &Data{State: StatePageCopy, Length: 16 << 10})
	c := onTape(nil)
	c.reader = bufio.NewReaderSize(&socket{Conn: &tape{r: &again{said: append(frames(0, descriptor), frames(0, page)...)}}}, readBuffer)
	c.packets.r = c.reader
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var d Data
	n := testing.AllocsPerRun(1000, func() {
		r, err := c.Receive(ctx, time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		if is, err := ParseDataInto(r.Body, &d); !is || err != nil {
			t.Fatal(is, err)
		}
		if r, err = c.Receive(ctx, time.Minute); err != nil || len(r.Body) != int(d.Length) {
			t.Fatal(len(r.Body), err)
		}
	})
	c.socket.release()
	if n != 0 {
		t.Errorf("%v allocations for a page", n)
	}
}
