package clone

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
)

const secret = "s3cret-w0rd"

func TestFieldsWinOverTheOptionFile(t *testing.T) {
	file := write(t, filepath.Join(t.TempDir(), "my.cnf"),
		"[client]\nuser=filed\npassword="+secret+"\nhost=db.example\nport=3307\nsocket=/run/filed.sock\nssl-mode=VERIFY_CA\nssl-ca=/ca.pem\n")
	for name, c := range map[string]struct{ in, want Config }{
		"all of the file": {
			Config{DefaultsFile: file},
			Config{User: "filed", Password: secret, Host: "db.example", Port: 3307, TLSMode: TLSVerifyCA, CAFile: "/ca.pem"},
		},
		"a host of its own": {
			Config{DefaultsFile: file, Host: "other", User: "me", Password: "mine", TLSMode: TLSDisabled},
			Config{User: "me", Password: "mine", Host: "other", Port: 3307, TLSMode: TLSDisabled, CAFile: "/ca.pem"},
		},
		"a socket of its own": {
			Config{DefaultsFile: file, Socket: "/s.sock"},
			Config{User: "filed", Password: secret, Socket: "/s.sock", Port: 3306, TLSMode: TLSVerifyCA, CAFile: "/ca.pem"},
		},
	} {
		got, err := c.in.resolve()
		c.want.DefaultsFile = file
		if err != nil || got != c.want {
			t.Errorf("%s: got %v, %v; want %v", name, got, err, c.want)
		}
	}
}

func TestASocketInTheOptionFileIsForThisHostOnly(t *testing.T) {
	for host, want := range map[string]string{"": "/s.sock", "host=localhost\n": "/s.sock", "host=db\n": "db:3306"} {
		file := write(t, filepath.Join(t.TempDir(), "my.cnf"), "[client]\nsocket=/s.sock\n"+host)
		c, err := Config{DefaultsFile: file, User: "u"}.resolve()
		if err != nil || c.address() != want {
			t.Errorf("%q: got %s, %v; want %s", host, c.address(), err, want)
		}
	}
}

func TestWithoutAnythingItIsThisHostAndThisUser(t *testing.T) {
	c, err := Config{}.resolve()
	if err != nil || c.address() != "127.0.0.1:3306" || c.User == "" {
		t.Errorf("got %v, user %q, %v", c.address(), c.User, err)
	}
}

func TestWhatTheOptionFileAsksForIsDoneOrRefused(t *testing.T) {
	for _, option := range []string{"ssl-capath=/etc/ssl", "ssl-crl=/crl.pem", "port=many", "port=70000"} {
		file := write(t, filepath.Join(t.TempDir(), "my.cnf"), "[client]\n"+option+"\n")
		if c, err := (Config{DefaultsFile: file}).resolve(); err == nil {
			t.Errorf("%s was taken: %v", option, c)
		}
	}
}

func TestWithoutAHostTheOptionFileMeansTheSocketAsForMySQLsPrograms(t *testing.T) {
	t.Setenv("MYSQL_UNIX_PORT", "/default.sock")
	for text, want := range map[string]string{
		"":                                  "/default.sock",
		"host=localhost\nport=3307\n":       "/default.sock",
		"host=\n":                           "/default.sock",
		"protocol=SOCKET\nsocket=/s.sock\n": "/s.sock",
		"protocol=sock\n":                   "/default.sock",
		"protocol=tcp\nsocket=/s.sock\nport=3307\n": "127.0.0.1:3307",
		"protocol=TCP\nhost=localhost\n":            "localhost:3306",
		"host=LOCALHOST\n":                          "LOCALHOST:3306", // as it is compared by MySQL's programs
		"host=db\nsocket=/s.sock\nport=3307\n":      "db:3307",
	} {
		file := write(t, filepath.Join(t.TempDir(), "my.cnf"), "[client]\n"+text)
		c, err := Config{DefaultsFile: file, User: "u"}.resolve()
		if err != nil || c.address() != want {
			t.Errorf("%q: got %s, %v; want %s", text, c.address(), err, want)
		}
	}
}

func TestAPortInThePlanMeansTCPToTheOptionFilesHost(t *testing.T) {
	t.Setenv("MYSQL_UNIX_PORT", "/default.sock")
	for text, want := range map[string]string{"": "127.0.0.1:3310", "host=db\nport=3307\n": "db:3310", "host=localhost\nsocket=/s.sock\n": "localhost:3310"} {
		file := write(t, filepath.Join(t.TempDir(), "my.cnf"), "[client]\n"+text)
		c, err := Config{DefaultsFile: file, User: "u", Port: 3310}.resolve()
		if err != nil || c.address() != want {
			t.Errorf("%q: got %s, %v; want %s", text, c.address(), err, want)
		}
	}
}

func TestAnOptionFileThatMeansNoSocketOfThisHostSaysWhatToChange(t *testing.T) {
	t.Setenv("MYSQL_UNIX_PORT", "")
	for text, want := range map[string]string{
		"protocol=pipe\n":            "Windows",
		"protocol=memory\n":          "Windows",
		"protocol=carrier-pigeon\n":  "none of tcp, socket",
		"protocol=socket\nhost=db\n": "host=db is another",
	} {
		file := write(t, filepath.Join(t.TempDir(), "my.cnf"), "[client]\n"+text)
		_, err := Open(t.Context(), Config{DefaultsFile: file, User: "u"})
		var connect *ConnectError
		if !errors.As(err, &connect) || !strings.Contains(err.Error(), want) || !strings.Contains(connect.Hint(), "protocol") {
			t.Errorf("%q: got %v", text, err)
		}
	}
}

func TestPasswordFiles(t *testing.T) {
	dir := t.TempDir()
	for name, c := range map[string]struct{ text, want, wrong, hint string }{
		"a line":          {secret + "\n", secret, "", ""},
		"no line's end":   {secret, secret, "", ""},
		"Windows":         {secret + "\r\n", secret, "", ""},
		"spaces stay":     {" " + secret + " \n", " " + secret + " ", "", ""},
		"the first line":  {secret + "\nanother line\n\n", secret, "", ""},
		"byte order mark": {"\ufeff" + secret + "\r\n", secret, "", ""},
		"empty":           {"", "", "it is empty", "password_file out"},
		"an empty line":   {"\n" + secret + "\n", "", "its first line is empty", "first line"},
		"only a mark":     {"\ufeff\r\n", "", "its first line is empty", "first line"},
		"a zero":          {secret + "\x00\n", "", "a zero", ""},
		"UTF-16":          {"\xff\xfes\x003\x00", "", "UTF-16", "iconv"},
	} {
		got, err := Config{PasswordFile: write(t, filepath.Join(dir, name), c.text)}.readPassword()
		if c.wrong == "" && (err != nil || got.Password != c.want) {
			t.Errorf("%s: got %q, %v", name, got.Password, err)
		}
		if c.wrong == "" {
			continue
		}
		if err == nil || !strings.Contains(err.Error(), c.wrong) || strings.Contains(err.Error(), secret) {
			t.Errorf("%s: got the error %v", name, err)
		} else if hint := connectHint(err, "/s.sock"); !strings.Contains(hint, c.hint) {
			t.Errorf("%s: got the hint %q", name, hint)
		}
	}
	got, err := Config{Password: secret, PasswordFile: filepath.Join(dir, "none")}.readPassword()
	if err != nil || got.Password != secret {
		t.Errorf("a password beside the file: %v", err)
	}
}

func TestConfigNeverPrintsItsPassword(t *testing.T) {
	c := Config{Name: "source.mysql.a", Host: "h", Port: 1, Password: secret}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("open", "config", c)
	encoded, err := json.Marshal(map[string]any{"config": c, "pointer": &c})
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{
		fmt.Sprintf("%v %+v %#v %s %q", c, c, c, c, c), fmt.Sprintf("%v %+v %#v", &c, &c, &c), log.String(), string(encoded),
	} {
		if strings.Contains(text, secret) || !strings.Contains(text, "source.mysql.a") {
			t.Errorf("printed as %s", text)
		}
	}
}
