package clone

import (
	"bytes"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"runner/pkg/mysqld/mysqldtest"
)

func write(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestOptionFilesAreRead(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want map[string]string
	}{
		"groups":          {"[mysqld]\nuser=mysql\n[client]\nuser=backup\n[mysqldump]\nuser=dump\n", map[string]string{"user": "backup"}},
		"later wins":      {"[client]\nport=1\n[client]\nport = 2\n", map[string]string{"port": "2"}},
		"names":           {"[client]\nSSL_Mode=REQUIRED\nloose_ssl-ca=/a\n", map[string]string{"ssl-mode": "REQUIRED", "ssl-ca": "/a"}},
		"comments":        {"# one\n; two\n[client] # three\nuser=u # four\npassword=\"a#b\" # five\n", map[string]string{"user": "u", "password": "a#b"}},
		"quotes":          {"[client]\nuser='it''s'\npassword = \" x \"\n", map[string]string{"user": "it''s", "password": " x "}},
		"escapes":         {`[client]` + "\n" + `password=a\sb\\c\td\x` + "\n", map[string]string{"password": "a b\\c\td\\x"}},
		"no value":        {"[client]\ncompress\nuser=\n", map[string]string{"compress": "", "user": ""}},
		"TLS off":         {"[client]\nskip-ssl\n", map[string]string{"ssl-mode": "disabled"}},
		"case of groups":  {"[CLIENT]\nuser=u\n", map[string]string{"user": "u"}},
		"byte order mark": {"\ufeff[client]\r\nuser=u\r\n", map[string]string{"user": "u"}},
		"line endings":    {"[client]\r\nuser=u\r\n", map[string]string{"user": "u"}},
	} {
		got, err := readOptionFile(write(t, filepath.Join(t.TempDir(), "my.cnf"), c.text))
		if err != nil || !maps.Equal(got, c.want) {
			t.Errorf("%s: got %q, %v; want %q", name, got, err, c.want)
		}
	}
}

func TestOptionFilesIncludeOthers(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "more", "b.cnf"), "[client]\nport=2\n")
	write(t, filepath.Join(dir, "more", "a.cnf"), "[client]\nport=1\nhost=h\n")
	write(t, filepath.Join(dir, "more", "c.txt"), "[client]\nport=3\n")
	write(t, filepath.Join(dir, "one.cnf"), "[client]\nuser=u\n")
	got, err := readOptionFile(write(t, filepath.Join(dir, "my.cnf"), "!include\tone.cnf\n!includedir   "+filepath.Join(dir, "more")+"\n"))
	want := map[string]string{"user": "u", "port": "2", "host": "h"}
	if err != nil || !maps.Equal(got, want) {
		t.Errorf("got %q, %v; want %q", got, err, want)
	}
}

func TestBadOptionFilesAreRefusedWithPlaceAndWithoutValue(t *testing.T) {
	loop := filepath.Join(t.TempDir(), "loop.cnf")
	write(t, loop, "!include "+loop+"\n")
	for name, c := range map[string]struct{ path, want string }{
		"absent":        {filepath.Join(t.TempDir(), "none.cnf"), "no such file"},
		"open group":    {write(t, filepath.Join(t.TempDir(), "my.cnf"), "\n[client\nuser=u\n"), "line 2: a group is written"},
		"no group":      {write(t, filepath.Join(t.TempDir(), "my.cnf"), "password=s3cret\n"), "line 1: an option stands before"},
		"no name":       {write(t, filepath.Join(t.TempDir(), "my.cnf"), "[client]\nmy s3cret = 1\n"), "line 2: an option is written"},
		"asks":          {write(t, filepath.Join(t.TempDir(), "my.cnf"), "[client]\npassword\n"), "password has no value"},
		"directive":     {write(t, filepath.Join(t.TempDir(), "my.cnf"), "!require /x\n"), "neither !include nor"},
		"UTF-16":        {write(t, filepath.Join(t.TempDir(), "my.cnf"), "\xff\xfe[\x00c\x00"), "UTF-16"},
		"a folder":      {t.TempDir(), "is a directory"},
		"loop":          {loop, "include one another"},
		"empty include": {write(t, filepath.Join(t.TempDir(), "my.cnf"), "!include\n"), "names nothing"},
	} {
		_, err := readOptionFile(c.path)
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: got %v, want %q in it", name, err, c.want)
		}
	}
}

// The mysql client is asked what it makes of the same lines. Only values that it prints unchanged are compared.
func TestOptionFilesAreReadAsTheMySQLClientReadsThem(t *testing.T) {
	client := mysqldtest.Tool(t, "mysql")
	for _, value := range []string{
		`plain`, `"quoted"`, `'single'`, `"half`, `half"`, `a#b`, `"a#b"`, `"a # b" # c`, `a\sb`, `a\\b`, `a\"b`, `"a\"b"`, `a\qb`,
		`  spaced  `, `"it's"`, `'a' 'b'`, `a=b`, `\`, `"\\"`, `"a\\" # x`, `a;b`, `"a#`, `'a"b#c'`,
	} {
		file := write(t, filepath.Join(t.TempDir(), "my.cnf"), "[client]\nhost = "+value+"\n")
		command := exec.Command(client, "--defaults-file="+file, "--print-defaults")
		var out bytes.Buffer
		command.Stdout = &out
		if err := command.Run(); err != nil {
			t.Fatalf("%s: %v", value, err)
		}
		_, printed, _ := strings.Cut(out.String(), "\n")
		want, ok := strings.CutPrefix(strings.TrimSuffix(printed, " \n"), "--host=")
		if !ok {
			t.Fatalf("%s: the client prints %q", value, out.String())
		}
		got, err := readOptionFile(file)
		if err != nil || got["host"] != want {
			t.Errorf("%s: got %q, %v; the mysql client reads %q", value, got["host"], err, want)
		}
	}
}

func FuzzOptionFile(f *testing.F) {
	for _, text := range []string{"[client]\nuser=u\n", "[client]\npassword=\"a#b\" # c\n", "!include x\n", "[", "=", "[client]\n=\n", "[client]\na='\n"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if strings.Contains(text, "!include") {
			return // other files are none of the fuzzer's business
		}
		p := &optionParser{options: map[string]string{}}
		if err := p.parse("fuzz", text, 0); err != nil && strings.Contains(err.Error(), "\n") {
			t.Errorf("the error has more than one line: %v", err)
		}
	})
}
