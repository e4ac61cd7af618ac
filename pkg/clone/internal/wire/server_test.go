package wire_test

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"runner/pkg/clone/internal/wire"
	"runner/pkg/mysqld/mysqldtest"
)

// patience is above any wait of these tests on a loaded machine.
const patience = time.Minute

// account is how one is made on a real server.
type account struct{ name, password, plugin string }

func (a account) create() []string {
	return []string{
		fmt.Sprintf("CREATE USER %s@'%%' IDENTIFIED WITH %s BY '%s'", a.name, a.plugin, a.password),
		fmt.Sprintf("GRANT BACKUP_ADMIN ON *.* TO %s@'%%'", a.name),
	}
}

func tcp(s *mysqldtest.Server, a account) wire.Config {
	return wire.Config{
		Network: "tcp", Address: net.JoinHostPort("127.0.0.1", strconv.Itoa(s.Port())),
		User: a.name, Password: a.password, Attributes: [][2]string{{"program_name", "wire test"}}, Timeout: patience,
	}
}

func unverified() *tls.Config {
	return &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12}
}

func dial(t *testing.T, c wire.Config) *wire.Conn {
	t.Helper()
	conn, err := wire.Dial(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
	})
	return conn
}

// speaking is a connection that speaks clone.
func speaking(t *testing.T, c wire.Config) *wire.Conn {
	t.Helper()
	conn := dial(t, c)
	if err := conn.Clone(t.Context()); err != nil {
		t.Fatal(err)
	}
	return conn
}

// receive gives all responses up to the one that ends an answer. The bodies are copies.
func receive(t *testing.T, c *wire.Conn) []wire.Response {
	t.Helper()
	var all []wire.Response
	for {
		r, err := c.Receive(t.Context(), patience)
		if err != nil {
			t.Fatalf("after %d responses: %v", len(all), err)
		}
		all = append(all, wire.Response{Kind: r.Kind, Body: slices.Clone(r.Body)})
		if r.Kind == wire.ResponseError {
			t.Fatal(wire.ParseError(r.Body))
		}
		if r.Kind == wire.ResponseComplete {
			return all
		}
	}
}

func send(t *testing.T, c *wire.Conn, command wire.Command, body []byte) {
	t.Helper()
	if err := c.Send(t.Context(), command, body); err != nil {
		t.Fatal(err)
	}
}

func toInit() wire.Init {
	return wire.Init{Version: wire.Version4, DDLTimeout: wire.AllowDDL | 300, Locators: []wire.EngineLocator{wire.VersionLocator()}}
}

// begin is INIT, answered: the locators.
func begin(t *testing.T, c *wire.Conn) []wire.EngineLocator {
	t.Helper()
	send(t, c, wire.CommandInit, toInit().Append(nil))
	var locators []wire.EngineLocator
	for _, r := range receive(t, c) {
		if r.Kind != wire.ResponseLocators {
			continue
		}
		var err error
		if _, locators, err = wire.ParseLocators(r.Body); err != nil {
			t.Fatal(err)
		}
	}
	if len(locators) != 1 || locators[0].Engine != wire.EngineInnoDB {
		t.Fatalf("locators %v", locators)
	}
	return locators
}

func TestARealServerLetsInByEveryPlugin(t *testing.T) {
	s := mysqldtest.Start(t, mysqldtest.WithTCP())
	caching, sha256 := account{"caching", password, "caching_sha2_password"}, account{"hashed", password, "sha256_password"}
	long := account{"longer", strings.Repeat("0123456789", 18), "caching_sha2_password"}
	none := account{"none", "", "caching_sha2_password"}
	for _, a := range []account{caching, sha256, long, none} {
		s.Exec(t, a.create()...)
	}
	for _, a := range []account{caching, sha256, long, none} {
		for _, way := range []string{"clear", "TLS", "socket"} {
			// The server forgets all hashes, so that the first of the two logins needs the password itself.
			s.Exec(t, "FLUSH PRIVILEGES")
			for _, login := range []string{"first", "second"} {
				t.Run(fmt.Sprint(a.name, ", ", way, ", ", login), func(t *testing.T) {
					cfg := tcp(s, a)
					switch way {
					case "TLS":
						cfg.TLS = unverified()
					case "socket":
						cfg.Network, cfg.Address = "unix", s.Socket()
					}
					c := dial(t, cfg)
					attribute := s.Value(t, "SELECT attr_value FROM performance_schema.session_connect_attrs WHERE processlist_id = ? AND attr_name = 'program_name'", c.ThreadID())
					if attribute != "wire test" {
						t.Errorf("program_name is %q", attribute)
					}
					if err := c.Reset(t.Context()); err != nil {
						t.Error(err)
					}
					if err := c.Quit(); err != nil {
						t.Error(err)
					}
				})
			}
		}
	}
	wrong := caching
	wrong.password = "another"
	for _, cfg := range []wire.Config{tcp(s, wrong), tcp(s, account{name: "nobody"})} {
		var refused *wire.ServerError
		if _, err := wire.Dial(t.Context(), cfg); !errors.As(err, &refused) || refused.Number != 1045 || refused.State != "28000" {
			t.Errorf("%s: %v", cfg.User, err)
		}
	}
}

// ways are those to reach a server.
var ways = map[string]func(*wire.Config){
	"clear":              func(*wire.Config) {},
	"TLS":                func(c *wire.Config) { c.TLS = unverified() },
	"compressed":         func(c *wire.Config) { c.Compression = "zstd" },
	"TLS, compressed, 1": func(c *wire.Config) { c.TLS, c.Compression, c.Level = unverified(), "zstd", 1 },
}

func TestARealDonorIsReadFromInitToExit(t *testing.T) {
	s := mysqldtest.Start(t, mysqldtest.WithTCP())
	a := account{"donor", password, "caching_sha2_password"}
	s.Exec(t, a.create()...)
	s.Exec(t, "CREATE DATABASE d", "CREATE TABLE d.t (id INT PRIMARY KEY AUTO_INCREMENT, x LONGBLOB)",
		"INSERT INTO d.t (x) SELECT REPEAT('abcd', 500000) FROM information_schema.plugins LIMIT 10",
		"CREATE TABLE d.zipped (id INT PRIMARY KEY) ROW_FORMAT=COMPRESSED KEY_BLOCK_SIZE=4",
		"CREATE TABLE d.holes (id INT PRIMARY KEY) COMPRESSION='lz4'",
		"CREATE TABLE d.parts (id INT PRIMARY KEY) PARTITION BY HASH (id) PARTITIONS 2",
		"CREATE TABLESPACE `a space` ADD DATAFILE 'a space.ibd'", "CREATE TABLE d.general (id INT PRIMARY KEY) TABLESPACE `a space`",
		"CREATE UNDO TABLESPACE more ADD DATAFILE 'more.ibu'")
	for name, change := range ways {
		t.Run(name, func(t *testing.T) {
			cfg := tcp(s, a)
			change(&cfg)
			main, aux := speaking(t, cfg), speaking(t, cfg)
			if main.Encrypted() != (cfg.TLS != nil) || main.ServerVersion() != s.Value(t, "SELECT @@version") {
				t.Errorf("encrypted %v, version %s", main.Encrypted(), main.ServerVersion())
			}
			copied := copyAll(t, main, aux, begin(t, main))
			if copied.states != 8 || copied.files < 12 || copied.bytes < 72<<20 || copied.redo < 1 {
				t.Errorf("copied %+v", copied)
			}
			if compressed := main.BytesRead() < copied.bytes/2; compressed != (cfg.Compression != "") {
				t.Errorf("%d bytes came over the network for %d", main.BytesRead(), copied.bytes)
			}
			for _, c := range []*wire.Conn{aux, main} {
				send(t, c, wire.CommandExit, nil)
				receive(t, c)
				if err := c.Reset(t.Context()); err != nil {
					t.Error(err)
				}
				if err := c.Quit(); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

type copied struct {
	bytes               int64
	files, redo, states int
}

// copyAll is EXECUTE with one connection of data, and keeps nothing.
func copyAll(t *testing.T, main, aux *wire.Conn, locators []wire.EngineLocator) copied {
	t.Helper()
	var all copied
	send(t, main, wire.CommandExecute, nil)
	var d wire.Data
	for due := false; ; {
		r, err := main.Receive(t.Context(), patience)
		if err != nil {
			t.Fatal(err)
		}
		if due != (r.Kind == wire.ResponseData) || due && int(d.Length) != len(r.Body) {
			t.Fatalf("%s of %d bytes, data is due: %v, %+v", r.Kind, len(r.Body), due, d)
		}
		switch r.Kind {
		case wire.ResponseComplete:
			return all
		case wire.ResponseData:
			due = false
			all.bytes += int64(len(r.Body))
			continue
		case wire.ResponseError:
			t.Fatal(wire.ParseError(r.Body))
		}
		if due, err = wire.ParseDataInto(r.Body, &d); err != nil {
			t.Fatal(err)
		} else if due {
			continue
		}
		_, _, described, err := wire.ParseDescriptor(r.Body)
		if err != nil {
			t.Fatal(err)
		}
		all.take(t, described, aux, locators)
	}
}

func (c *copied) take(t *testing.T, described wire.Descriptor, aux *wire.Conn, locators []wire.EngineLocator) {
	t.Helper()
	switch d := described.(type) {
	case *wire.File:
		c.files = max(c.files, int(d.Index)+1)
		if d.Redo() {
			c.redo = int(d.Index) + 1
			return
		}
		c.checkFile(t, d)
	case *wire.State:
		if d.Ack {
			return
		}
		c.states++
		if !d.Start {
			send(t, aux, wire.CommandAck, d.AckBody(locators[0]))
			receive(t, aux)
		}
	}
}

func (c *copied) checkFile(t *testing.T, f *wire.File) {
	t.Helper()
	zipped, holes := f.Name == "./d/zipped.ibd", f.Name == "./d/holes.ibd"
	undo := strings.HasPrefix(f.Name, "undo_") || f.Name == "more.ibu"
	size := 16 << 10
	switch {
	case zipped:
		size = 4 << 10
	case !f.Tablespace():
		size = 0
	}
	if f.PageSize() != size || f.Compressed() != zipped || f.PageCompressed() != holes || f.Undo() != undo ||
		f.BufferPool() != (f.Name == "ib_buffer_pool") || f.Empty() || f.Encrypted() || f.Deleted() || f.Renamed() {
		t.Errorf("pages of %d bytes, %+v", f.PageSize(), f)
	}
}

func TestARealDonorAgreesToAnyVersionAndCanBeInterrupted(t *testing.T) {
	s := mysqldtest.Start(t, mysqldtest.WithTCP())
	a := account{"donor", password, "caching_sha2_password"}
	s.Exec(t, a.create()...)
	for _, test := range []struct{ offered, agreed uint32 }{
		{wire.Version1, wire.Version1},
		{wire.Version2, wire.Version2},
		{wire.Version3, wire.Version3},
		{wire.Version4, wire.Version4},
		{0x9999, wire.Version4},
	} {
		t.Run(fmt.Sprintf("%#x", test.offered), func(t *testing.T) {
			main, aux := speaking(t, tcp(s, a)), speaking(t, tcp(s, a))
			send(t, main, wire.CommandInit, wire.Init{Version: test.offered, DDLTimeout: wire.AllowDDL | 300}.Append(nil))
			locator := checkParameters(t, receive(t, main), test.agreed)
			send(t, main, wire.CommandExecute, nil)
			// The donor waits for the ACK of INIT by now.
			send(t, aux, wire.CommandAck, wire.Ack{Errno: wire.ErrnoInterrupted, Locator: locator}.Append(nil))
			receive(t, aux)
			for {
				r, err := main.Receive(t.Context(), patience)
				if err != nil {
					t.Fatal(err)
				}
				if r.Kind != wire.ResponseError {
					continue
				}
				if e := wire.ParseError(r.Body); e.Number != wire.ErrnoInterrupted {
					t.Error(e)
				}
				break
			}
			for _, c := range []*wire.Conn{aux, main} {
				send(t, c, wire.CommandExit, nil)
				receive(t, c)
			}
		})
	}
}

// checkParameters parses an answer to INIT.
func checkParameters(t *testing.T, all []wire.Response, agreed uint32) (locator wire.EngineLocator) {
	t.Helper()
	count := map[wire.ResponseKind]int{}
	values := map[string]string{}
	for _, r := range all {
		count[r.Kind]++
		var err error
		var name, value string
		switch r.Kind {
		case wire.ResponsePlugin, wire.ResponsePluginV2:
			name, value, err = wire.ParsePlugin(r.Kind, r.Body)
			values["plugin "+name] = value
		case wire.ResponseConfig, wire.ResponseConfigV3, wire.ResponseConfigV4:
			name, value, err = wire.ParseConfig(r.Body)
			values[name] = value
		case wire.ResponseCollation:
			_, err = wire.ParseString(r.Body)
		case wire.ResponseLocators:
			var version uint32
			var locators []wire.EngineLocator
			if version, locators, err = wire.ParseLocators(r.Body); err == nil && (version != agreed || len(locators) != 1) {
				t.Errorf("version %#x, %d locators", version, len(locators))
			}
			locator = locators[0]
		}
		if err != nil {
			t.Errorf("%s: %v", r.Kind, err)
		}
	}
	has := func(kind wire.ResponseKind, since, before uint32) {
		if is := count[kind] > 0; is != (agreed >= since && agreed < before) {
			t.Errorf("%d %s with version %#x", count[kind], kind, agreed)
		}
	}
	has(wire.ResponsePlugin, 0, wire.Version2)
	has(wire.ResponsePluginV2, wire.Version2, 0x9999)
	has(wire.ResponseConfig, 0, 0x9999)
	has(wire.ResponseConfigV3, wire.Version3, 0x9999)
	has(wire.ResponseConfigV4, wire.Version4, 0x9999)
	library := ""
	if agreed >= wire.Version2 {
		library = "mysql_clone.so"
	}
	if got, there := values["plugin clone"]; !there || got != library {
		t.Errorf("the library of the clone plugin is %q", got)
	}
	if values["innodb_page_size"] != "16384" {
		t.Errorf("settings %v", values)
	}
	return locator
}

func TestARealServerRefusesWhoMayNotClone(t *testing.T) {
	s := mysqldtest.Start(t, mysqldtest.WithTCP(), mysqldtest.WithoutClone(),
		mysqldtest.WithArgs("--protocol-compression-algorithms=uncompressed,zlib", "--tls-version="))
	a := account{"donor", password, "caching_sha2_password"}
	s.Exec(t, a.create()...)
	s.Exec(t, "CREATE USER plain@'%' IDENTIFIED BY 'p'")
	number := func(c *wire.Conn) uint16 {
		var refused *wire.ServerError
		if err := c.Clone(t.Context()); !errors.As(err, &refused) {
			t.Error(err)
			return 0
		}
		// The connection goes on.
		if err := c.Reset(t.Context()); err != nil {
			t.Error(err)
		}
		return refused.Number
	}
	c := dial(t, tcp(s, a))
	if got := number(c); got != 1524 {
		t.Errorf("without the plugin: %d", got)
	}
	s.Exec(t, "INSTALL PLUGIN clone SONAME 'mysql_clone.so'")
	if got := number(dial(t, tcp(s, account{name: "plain", password: "p"}))); got != 1227 {
		t.Errorf("without BACKUP_ADMIN: %d", got)
	}
	if err := c.Clone(t.Context()); err != nil {
		t.Errorf("with both: %v", err)
	}
	cfg := tcp(s, a)
	cfg.Compression = "zstd"
	if _, err := wire.Dial(t.Context(), cfg); !errors.Is(err, wire.ErrNoCompression) {
		t.Errorf("without zstd: %v", err)
	}
	cfg = tcp(s, a)
	cfg.TLS = unverified()
	if _, err := wire.Dial(t.Context(), cfg); !errors.Is(err, wire.ErrNoTLS) {
		t.Errorf("without TLS: %v", err)
	}
	cfg.Fallback = true
	if dial(t, cfg).Encrypted() {
		t.Error("it says that it is encrypted")
	}
}

func TestARealDonorThatDiesIsALoss(t *testing.T) {
	s := mysqldtest.Start(t, mysqldtest.WithTCP())
	a := account{"donor", password, "caching_sha2_password"}
	s.Exec(t, a.create()...)
	killed, c := speaking(t, tcp(s, a)), speaking(t, tcp(s, a))
	s.Exec(t, fmt.Sprintf("KILL %d", killed.ThreadID()))
	if _, err := killed.Receive(t.Context(), patience); !wire.Lost(err) {
		t.Errorf("killed: %T %v", err, err)
	}
	if err := s.Kill(); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Receive(t.Context(), patience); !wire.Lost(err) {
		t.Errorf("dead: %T %v", err, err)
	}
}
