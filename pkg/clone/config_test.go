package clone

import (
	"bytes"
	"encoding/json"
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
			Config{User: "me", Password: "mine", Host: "other", Port: 3306, TLSMode: TLSDisabled, CAFile: "/ca.pem"},
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

func TestPasswordFiles(t *testing.T) {
	dir := t.TempDir()
	for name, c := range map[string]struct{ text, want, wrong string }{
		"a line":        {secret + "\n", secret, ""},
		"no line's end": {secret, secret, ""},
		"Windows":       {secret + "\r\n", secret, ""},
		"spaces stay":   {" " + secret + " \n", " " + secret + " ", ""},
		"empty":         {"\n", "", "is empty"},
		"two lines":     {secret + "\n" + secret + "\n", "", "more than one line"},
	} {
		got, err := Config{PasswordFile: write(t, filepath.Join(dir, name), c.text)}.readPassword()
		if c.wrong == "" && (err != nil || got.Password != c.want) {
			t.Errorf("%s: got %q, %v", name, got.Password, err)
		}
		if c.wrong != "" && (err == nil || !strings.Contains(err.Error(), c.wrong) || strings.Contains(err.Error(), secret)) {
			t.Errorf("%s: got the error %v", name, err)
		}
	}
	_, err := Config{PasswordFile: filepath.Join(dir, "none")}.readPassword()
	if err == nil || !strings.Contains(err.Error(), filepath.Join(dir, "none")+" does not exist") {
		t.Errorf("a missing file gives %v", err)
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
