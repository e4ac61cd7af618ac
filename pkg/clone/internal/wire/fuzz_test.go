package wire

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"math"
	"net"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
)

// tape is a connection on which everything has been said already.
type tape struct {
	net.Conn // nil: nothing else is called
	r        io.Reader
	written  bytes.Buffer
}

func (t *tape) Read(p []byte) (int, error)       { return t.r.Read(p) }
func (t *tape) Write(p []byte) (int, error)      { return t.written.Write(p) }
func (t *tape) SetDeadline(time.Time) error      { return nil }
func (t *tape) SetReadDeadline(time.Time) error  { return nil }
func (t *tape) SetWriteDeadline(time.Time) error { return nil }
func (t *tape) Close() error                     { return nil }

// onTape is a connection that is logged in, and reads what was said.
func onTape(said []byte) *Conn {
	s := &socket{Conn: &tape{r: bytes.NewReader(said)}}
	c := &Conn{socket: s, reader: bufio.NewReaderSize(s, readBuffer)}
	c.packets = packets{r: c.reader, w: s, limit: maxPayload}
	return c
}

// frames is a payload in as many frames as it takes.
func frames(sequence byte, payload []byte) []byte {
	var b bytes.Buffer
	p := packets{w: &b, sequence: sequence}
	if err := p.write(payload); err != nil {
		panic(err) // of a buffer there is none
	}
	return b.Bytes()
}

// isOurs reports whether an error is one of those that this package promises.
func isOurs(err error) bool {
	var malformed *ProtocolError
	var refused *ServerError
	var unknown *PluginError
	return errors.As(err, &malformed) || errors.As(err, &refused) || errors.As(err, &unknown) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, ErrNoTLS) || errors.Is(err, ErrNoCompression)
}

func FuzzResponse(f *testing.F) {
	for _, p := range trace(f) {
		if !p.fromUs && strings.HasPrefix(p.note, "COM_RES_") {
			f.Add(p.payload)
		} else if p.fromUs && len(p.payload) > 0 {
			f.Add(p.payload)
		}
	}
	f.Add(append([]byte{byte(ResponseError)}, AppendError(nil, 3634, "Too many")...))
	f.Add(append([]byte{byte(ResponsePlugin)}, AppendStrings(nil, "binlog")...))
	f.Add(append([]byte{byte(CommandReinit)}, Init{Locators: []EngineLocator{
		Locator{}.Restart(StateFileCopy, true, []Progress{{1, 2}}, NewBitmap(64)),
	}}.Append(nil)...))
	f.Fuzz(func(t *testing.T, payload []byte) {
		if r, err := parseResponse(payload); err == nil {
			checkBody(t, r)
		} else if !isOurs(err) {
			t.Fatalf("%T: %v", err, err)
		}
		if len(payload) > 0 {
			checkRequest(t, payload[1:])
		}
		if err := parseOK(payload); err != nil && !isOurs(err) {
			t.Fatalf("OK: %T: %v", err, err)
		}
	})
}

// checkBody holds what is parsed of a response against what it would be written as.
func checkBody(t *testing.T, r Response) {
	t.Helper()
	var err error
	var again []byte
	switch r.Kind {
	case ResponseLocators:
		var version uint32
		var locators []EngineLocator
		version, locators, err = ParseLocators(r.Body)
		again = AppendLocators(nil, version, locators...)
	case ResponsePlugin, ResponseCollation:
		var s string
		s, err = ParseString(r.Body)
		again = AppendStrings(nil, s)
	case ResponsePluginV2:
		var name, library string
		name, library, err = ParsePlugin(r.Kind, r.Body)
		again = AppendStrings(nil, name, library)
	case ResponseConfig, ResponseConfigV3, ResponseConfigV4:
		var name, value string
		name, value, err = ParseConfig(r.Body)
		again = AppendStrings(nil, name, value)
	case ResponseError:
		if e := ParseError(r.Body); len(r.Body) >= 4 {
			again = AppendError(nil, e.Number, e.Message)
		} else {
			again = []byte(e.Message)
		}
	case ResponseDescriptor:
		checkDescriptor(t, r.Body)
		return
	default:
		return
	}
	if err != nil && !isOurs(err) {
		t.Fatalf("%T: %v", err, err)
	}
	if err == nil && !bytes.Equal(again, r.Body) {
		t.Fatalf("%s %x is written as %x", r.Kind, r.Body, again)
	}
}

// checkRequest does the same with what a donor reads.
func checkRequest(t *testing.T, body []byte) {
	t.Helper()
	if a, err := ParseAck(body); err == nil && !bytes.Equal(a.Append(nil), body) {
		t.Fatalf("ACK %x is written as %x", body, a.Append(nil))
	}
	in, err := ParseInit(body)
	if err != nil {
		if !isOurs(err) {
			t.Fatalf("INIT: %T: %v", err, err)
		}
		return
	}
	if !bytes.Equal(in.Append(nil), body) {
		t.Fatalf("INIT %x is written as %x", body, in.Append(nil))
	}
	for _, engine := range in.Locators {
		l, incomplete, done, err := ParseRestart(engine.Raw)
		if err != nil || int(fields(engine.Raw).u32(4)) == locatorLength {
			continue
		}
		for _, p := range incomplete {
			if p.Chunk == 0 || int(p.Chunk) > 32*len(done) {
				return // would be added to the set
			}
		}
		again := l.Restart(l.State, l.AllFiles, incomplete, done).Raw
		if _, more, set, err := ParseRestart(again); l.State > StateInit && l.State < StateDone &&
			(err != nil || !reflect.DeepEqual(more, incomplete) || len(set) != len(done)) {
			t.Fatalf("restart %x is written as %x", engine.Raw, again)
		}
	}
}

func FuzzDescriptor(f *testing.F) {
	for _, p := range trace(f) {
		if !p.fromUs && strings.HasPrefix(p.note, "COM_RES_DATA_DESC") {
			f.Add(p.payload[1:])
		}
	}
	f.Add(AppendDescriptor(nil, 0, &Locator{CloneID: 1, AllFiles: true}))
	key := bytes.Repeat([]byte{7}, keySize)
	f.Add(AppendDescriptor(nil, 0, with(func(f *File) { f.Flags, f.Key, f.IV = allFileFlags, key, key })))
	f.Add(AppendDescriptor(nil, 0, with(func(f *File) { f.Name, f.Flags = "", FlagDeleted })))
	f.Fuzz(func(t *testing.T, body []byte) { checkDescriptor(t, body) })
}

func checkDescriptor(t *testing.T, body []byte) {
	t.Helper()
	before := bytes.Clone(body)
	_, index, d, err := ParseDescriptor(body)
	var data Data
	is, dataErr := ParseDataInto(body, &data)
	if !bytes.Equal(before, body) {
		t.Fatal("parsing has changed the body")
	}
	if err != nil {
		var malformed *ProtocolError
		if !errors.As(err, &malformed) || is && dataErr == nil {
			t.Fatalf("%T: %v; as data: %v, %v", err, err, is, dataErr)
		}
		return
	}
	withoutRaw(d)
	switch d := d.(type) {
	case *Data:
		if !is || dataErr != nil || data != *d || d.Offset+uint64(d.Length) > MaxSize {
			t.Fatalf("data: %v, %v, %+v and %+v", is, dataErr, data, d)
		}
	case *File:
		checkFile(t, d)
	case *State:
		if s := d.AckDescriptor(); len(s) != stateLength {
			t.Fatalf("ack %x", s)
		}
	}
	if _, same := d.(*Data); !same && (is || dataErr != nil) {
		t.Fatalf("%T as data: %v, %v", d, is, dataErr)
	}
	_, _, again, err := ParseDescriptor(AppendDescriptor(nil, index, d))
	if err != nil {
		t.Fatalf("%+v is written as what fails: %v", d, err)
	}
	if withoutRaw(again); !reflect.DeepEqual(again, d) {
		t.Fatalf("%+v is written as %+v", d, again)
	}
}

func checkFile(t *testing.T, f *File) {
	t.Helper()
	size := f.PageSize()
	switch {
	case f.State < StateInit || f.State > StateDone,
		f.Size > MaxSize || f.Allocated > math.MaxInt64,
		len(f.Name) > MaxName || strings.ContainsRune(f.Name, 0),
		f.Name == "" && !f.Redo() && !f.Deleted(),
		f.Tablespace() != (size >= 1<<10 && size <= 64<<10),
		(f.Flags&FlagKey != 0) != (len(f.Key) == keySize && len(f.IV) == keySize):
		t.Fatalf("%+v", f)
	}
}

// pieces are sizes of what a reader gives at once.
type pieces struct {
	r io.Reader
	n int
}

func (p *pieces) Read(b []byte) (int, error) { return p.r.Read(b[:min(len(b), p.n)]) }

func FuzzPackets(f *testing.F) {
	var all []byte
	for _, p := range trace(f) {
		if p.fromUs || !p.whole() {
			continue
		}
		all = append(all, frames(0, p.payload)...)
		f.Add(frames(p.sequence, p.payload), false, uint8(p.number))
	}
	f.Add(all, false, uint8(3))
	f.Add(compressed(compressor(f), all), true, uint8(255))
	f.Add(stored(all[:2000]), true, uint8(1))
	f.Add([]byte{0xff, 0xff, 0xff, 0, 1, 2, 3}, false, uint8(1))
	f.Add([]byte{2, 0, 0, 9, 0xff, 1, 2}, false, uint8(1))
	f.Fuzz(func(t *testing.T, said []byte, zipped bool, piece uint8) {
		r := bufio.NewReaderSize(&pieces{bytes.NewReader(said), int(piece) + 1}, 16)
		p := &packets{r: r, limit: maxPayload}
		if zipped {
			z, err := newInflater(r)
			if err != nil {
				t.Fatal(err)
			}
			p.r = z
		}
		var again []byte
		for range 1000 {
			p.sequence = 0
			payload, err := p.read()
			if err != nil {
				if !isOurs(err) {
					t.Fatalf("%T: %v", err, err)
				}
				break
			}
			first := byte(0)
			if isError(payload) && !zipped {
				first = said[len(again)+3]
			}
			again = append(again, frames(first, payload)...)
		}
		if !zipped && !bytes.HasPrefix(said, again) {
			t.Fatalf("%x is written as %x", said, again)
		}
	})
}

// compressed is what a server would send of it, in one compressed packet.
func compressed(z *zstd.Encoder, b []byte) []byte {
	small := z.EncodeAll(b, nil)
	n, raw := len(small), len(b)
	return append([]byte{byte(n), byte(n >> 8), byte(n >> 16), 0, byte(raw), byte(raw >> 8), byte(raw >> 16)}, small...)
}

func compressor(t testing.TB) *zstd.Encoder {
	t.Helper()
	z, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := z.Close(); err != nil {
			t.Error(err)
		}
	})
	return z
}

// stored is the same without compressing.
func stored(b []byte) []byte {
	var out bytes.Buffer
	if _, err := (&deflater{w: &out}).Write(b); err != nil {
		panic(err) // of a buffer there is none
	}
	return out.Bytes()
}

func FuzzGreeting(f *testing.F) {
	greeting := trace(f)[0].payload
	start := frames(0, greeting)
	ok := []byte{0, 0, 0, 2, 0, 0, 0}
	change := append([]byte{0xfe}, "mysql_native_password\x00abcdefghijklmnopqrst\x00"...)
	f.Add(append(append(bytes.Clone(start), frames(2, []byte{1, 3})...), frames(3, ok)...), false, "password")
	f.Add(append(append(bytes.Clone(start), frames(2, []byte{1, 4})...), frames(4, ok)...), true, "password")
	f.Add(append(append(bytes.Clone(start), frames(2, change)...), frames(4, ok)...), true, "")
	f.Add(append(append(bytes.Clone(start), frames(2, []byte{1, 4})...), frames(4, publicKey(f))...), false, "secret")
	f.Add(frames(0, append([]byte{0xff, 0x10, 0x04}, "Too many connections"...)), false, "")
	f.Add(frames(0, bytes.Replace(greeting, []byte("caching_sha2"), []byte("sha256"), 1)), false, "x")
	f.Fuzz(func(t *testing.T, said []byte, unix bool, password string) {
		if strings.ContainsRune(password, 0) || len(password) > 100 {
			return
		}
		c := onTape(said)
		c.packets.limit = maxLogin
		cfg := Config{Network: "tcp", Address: "x:1", User: "u", Password: password, Attributes: [][2]string{{"program_name", "p"}}, Level: 3}
		if unix {
			cfg.Network = "unix"
		}
		err := c.login(t.Context(), cfg)
		c.socket.release()
		if err != nil && !isOurs(err) && !strings.Contains(err.Error(), "encrypt password") {
			t.Fatalf("%T: %v", err, err)
		}
		written := c.socket.Conn.(*tape).written.Bytes()
		const always = "mysql_native_password caching_sha2_password program_name"
		if secret := len(password) >= 8 && !strings.Contains(always, password); secret && !unix && bytes.Contains(written, []byte(password)) {
			t.Fatalf("the password was sent in clear: %q", written)
		}
	})
}

// publicKey is what a server sends of its own, as a payload.
func publicKey(t testing.TB) []byte {
	t.Helper()
	key, err := os.ReadFile("testdata/public-key.pem")
	if err != nil {
		t.Fatal(err)
	}
	return append([]byte{packetMore}, key...)
}
