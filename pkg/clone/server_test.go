package clone

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"runner/pkg/clone/internal/fake"
	"runner/pkg/mysqld/mysqldtest"
)

// open opens and closes with the test.
func open(t *testing.T, c Config) *Server {
	t.Helper()
	s, err := Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// asRoot is the configuration of the test server's administrator.
func asRoot(server *mysqldtest.Server) Config {
	return Config{Name: "source.mysql.test", Socket: server.Socket(), User: "root"}
}

// value reads one value over a connection of the Server.
func (s *Server) value(t *testing.T, query string) string {
	t.Helper()
	conn, err := s.conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var v string
	err = conn.QueryRowContext(t.Context(), query).Scan(&v)
	if err := errors.Join(err, conn.Close()); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return v
}

func TestSessionsArePinnedWhateverTheServerIsSetTo(t *testing.T) {
	server := mysqldtest.Start(t)
	server.Exec(t,
		"SET GLOBAL sql_mode = 'ANSI_QUOTES'", "SET GLOBAL time_zone = '+05:00'", "SET GLOBAL wait_timeout = 2",
		"CREATE ROLE inner_role, outer_role", "GRANT inner_role TO outer_role",
		"CREATE USER held@localhost", "GRANT outer_role TO held@localhost")
	s := open(t, Config{Socket: server.Socket(), User: "held"})
	got := s.value(t, "SELECT CONCAT_WS(' ', @@sql_mode, @@time_zone, @@wait_timeout, @@character_set_client, CURRENT_ROLE())")
	if want := "NO_BACKSLASH_ESCAPES +00:00 86400 utf8mb4 `outer_role`@`%`"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestOpenOverTCPAndByPasswordFile(t *testing.T) {
	server := mysqldtest.Start(t, mysqldtest.WithTCP())
	// The default plugin, caching_sha2_password: its first login in clear needs the server's public key.
	server.Exec(t, "CREATE USER filed@'%' IDENTIFIED BY '"+secret+"'")
	file := write(t, filepath.Join(t.TempDir(), "password"), secret+"\n")
	for _, mode := range []string{TLSDisabled, TLSPreferred, TLSRequired, ""} {
		s := open(t, Config{Host: "127.0.0.1", Port: server.Port(), User: "filed", PasswordFile: file, TLSMode: mode})
		cipher := s.value(t, "SELECT VARIABLE_VALUE FROM performance_schema.session_status WHERE VARIABLE_NAME = 'Ssl_cipher'")
		if (cipher == "") != (mode == TLSDisabled) {
			t.Errorf("mode %q has the cipher %q", mode, cipher)
		}
	}
	options := write(t, filepath.Join(t.TempDir(), "my.cnf"), "[client]\nuser=filed\npassword=\""+secret+"\"\nsocket="+server.Socket()+"\n")
	s := open(t, Config{DefaultsFile: options})
	if got := s.value(t, "SELECT CURRENT_USER()"); got != "filed@%" || s.Address() != server.Socket() {
		t.Errorf("the option file leads to %s at %s", got, s.Address())
	}
}

func TestConnectErrorsSayWhereAndWhatToDoAndNoSecret(t *testing.T) {
	server := mysqldtest.Start(t, mysqldtest.WithTCP())
	dir := t.TempDir()
	notSocket := write(t, filepath.Join(dir, "file"), "")
	for name, c := range map[string]struct {
		config     Config
		want, hint string
	}{
		"password":         {Config{Socket: server.Socket(), User: "root", Password: secret}, "Access denied", "user and password"},
		"no socket":        {Config{Socket: filepath.Join(dir, "none.sock"), User: "root"}, "no such file", "@@socket"},
		"not a socket":     {Config{Socket: notSocket, User: "root"}, "connection refused", "no mysqld listens on that socket"},
		"nobody listens":   {Config{Host: "127.0.0.1", Port: 1, User: "root"}, "connection refused", "Is mysqld running, with that port"},
		"password file":    {Config{Socket: server.Socket(), PasswordFile: filepath.Join(dir, "none")}, "no such file", "name another password file"},
		"option file":      {Config{Socket: server.Socket(), DefaultsFile: filepath.Join(dir, "none.cnf")}, "none.cnf", "name another option file"},
		"TLS mode":         {Config{Socket: server.Socket(), TLSMode: "on"}, `"on" is none of`, ""},
		"port":             {Config{Host: "h", Port: -1}, "port -1", ""},
		"certificate":      {Config{Host: "h", TLSMode: TLSRequired, CertFile: "/c"}, "both cert_file and key_file", "or neither"},
		"identity, socket": {Config{Socket: server.Socket(), TLSMode: TLSVerifyIdentity}, "needs a host", ""},
	} {
		c.config.Name = "source.mysql.x"
		_, err := Open(t.Context(), c.config)
		var connect *ConnectError
		if !errors.As(err, &connect) {
			t.Errorf("%s: got %v, want a *ConnectError", name, err)
			continue
		}
		if text := err.Error(); !strings.Contains(text, c.want) || !strings.HasPrefix(text, "connect to source.mysql.x") || strings.Contains(text, secret) {
			t.Errorf("%s: got %s", name, text)
		}
		if hint := connect.Hint(); !strings.Contains(hint, c.hint) || (hint == "") != (c.hint == "") {
			t.Errorf("%s: got the hint %q", name, hint)
		}
	}
}

func TestOpenGivesUpWhenItsContextEnds(t *testing.T) {
	// It accepts connections and never says anything.
	listener, err := listen(t)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err = Open(ctx, Config{Host: "127.0.0.1", Port: listener, User: "root"})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	var connect *ConnectError
	if errors.As(err, &connect) && !strings.Contains(connect.Hint(), "firewall") {
		t.Errorf("got the hint %q", connect.Hint())
	}
}

func TestALoginThatTheServerRefusesKeepsItsNumber(t *testing.T) {
	server := fake.Start(t, fake.Script{Version: "8.0.36", Login: &fake.Error{Number: 1040, State: "08004", Message: "Too many connections"}})
	_, err := Open(t.Context(), Config{Host: "127.0.0.1", Port: server.Port(), User: "u", TLSMode: TLSDisabled})
	if !IsNumber(err, 1040) || ClassOf(err) != Retry {
		t.Errorf("got %v of class %s", err, ClassOf(err))
	}
}

func TestAServerThatDropsTheConnectionIsUncertain(t *testing.T) {
	server := fake.Start(t, fake.Script{Version: "8.0.36", Rules: []fake.Rule{
		{Match: "SET "},
		{Match: "SHOW GLOBAL VARIABLES", Result: fake.Result{Drop: true}},
	}})
	s := open(t, Config{Host: "127.0.0.1", Port: server.Port(), User: "u", TLSMode: TLSDisabled})
	if _, err := s.Facts(t.Context()); ClassOf(err) != Uncertain {
		t.Errorf("got %v of class %s", err, ClassOf(err))
	}
}

func TestOpenWritesNothingToTheStandardStreams(t *testing.T) {
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	old := os.Stderr
	os.Stderr = write
	server := fake.Start(t, fake.Script{Version: "8.0.36", Rules: []fake.Rule{{Match: "SET ", Result: fake.Result{Drop: true}}}})
	_, openErr := Open(t.Context(), Config{Host: "127.0.0.1", Port: server.Port(), User: "u", TLSMode: TLSDisabled})
	os.Stderr = old
	if err := write.Close(); err != nil {
		t.Fatal(err)
	}
	text := make([]byte, 1024)
	n, _ := read.Read(text)
	if err := read.Close(); err != nil {
		t.Fatal(err)
	}
	if openErr == nil || n != 0 {
		t.Errorf("got %v, and on stderr: %s", openErr, text[:n])
	}
}
