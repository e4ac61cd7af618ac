package clone

import (
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"runner/pkg/mysqld/mysqldtest"
)

// issueFor writes a certificate of the given times, in place of the hour before and after now.
func (a *authority) issueFor(t *testing.T, name string, template *x509.Certificate, from, to time.Duration) *x509.Certificate {
	t.Helper()
	_, key := a.issue(t, name, template)
	template.NotBefore, template.NotAfter = time.Now().Add(from), time.Now().Add(to)
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	write(t, a.file(name), string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

// The server is real, and gets a certificate after the other.
func TestEachFailureOfTLSHasItsOwnHint(t *testing.T) {
	ours, other := newAuthority(t), newAuthority(t)
	named := func() *x509.Certificate {
		return &x509.Certificate{Subject: pkix.Name{CommonName: "db"}, DNSNames: []string{"localhost"}}
	}
	ours.issue(t, "good", named())
	ours.issue(t, "unnamed", &x509.Certificate{Subject: pkix.Name{CommonName: "localhost"}})
	ours.issue(t, "misnamed", &x509.Certificate{DNSNames: []string{"db.example"}, IPAddresses: []net.IP{net.IPv4(10, 0, 0, 1)}})
	ours.issue(t, "clientonly", &x509.Certificate{DNSNames: []string{"localhost"}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	ours.issue(t, "client", &x509.Certificate{Subject: pkix.Name{CommonName: "backup"}})
	ours.issueFor(t, "oldclient", &x509.Certificate{Subject: pkix.Name{CommonName: "backup"}}, -2*time.Hour, -time.Hour)
	other.issue(t, "client", &x509.Certificate{Subject: pkix.Name{CommonName: "backup"}})
	locked := filepath.Join(t.TempDir(), "locked.pem")
	lock := exec.Command("openssl", "pkey", "-aes256", "-passout", "pass:x", "-in", ours.file("client-key"), "-out", locked)
	if out, err := lock.CombinedOutput(); err != nil {
		t.Fatalf("give the key a passphrase: %v\n%s", err, out)
	}
	server := mysqldtest.Start(t, mysqldtest.WithTCP(), mysqldtest.WithArgs("--ssl-ca="+ours.file("ca"), "--ssl-cert="+ours.file("good"), "--ssl-key="+ours.file("good-key")))
	server.Exec(t, "CREATE USER any@'%'", "CREATE USER owner@'%' REQUIRE X509")
	verified := Config{Host: "localhost", TLSMode: TLSVerifyIdentity, CAFile: ours.file("ca")}
	with := func(change func(*Config)) Config {
		c := verified
		change(&c)
		return c
	}
	for _, c := range []struct {
		name, server string
		config       Config
		hint         string // "": it connects
	}{
		{"all is well", "good", verified, ""},
		{"unknown authority", "good", with(func(c *Config) { c.CAFile = other.file("ca") }), "CA that signed the server's certificate"},
		{"no subject alternative name", "unnamed", verified, "no subject alternative name: issue one with subjectAltName=DNS:localhost"},
		{"wrong name", "misnamed", verified, "the certificate is for db.example, 10.0.0.1"},
		{"wrong address", "good", with(func(c *Config) { c.Host = "127.0.0.1" }), "subjectAltName=IP:127.0.0.1"},
		{"not for servers", "clientonly", verified, "serverAuth"},
		{"client certificate required", "good", with(func(c *Config) { c.User = "owner" }), "REQUIRE X509 (cert_file and key_file)"},
		{"client certificate of another CA", "good", with(func(c *Config) {
			c.User, c.CertFile, c.KeyFile = "owner", other.file("client"), other.file("client-key")
		}), "client's certificate"},
		{"client certificate expired", "good", with(func(c *Config) {
			c.User, c.CertFile, c.KeyFile = "owner", ours.file("oldclient"), ours.file("oldclient-key")
		}), "client's certificate"},
		{"key with a passphrase", "good", with(func(c *Config) { c.CertFile, c.KeyFile = ours.file("client"), locked }), "openssl pkey -in"},
		{"key of another certificate", "good", with(func(c *Config) { c.CertFile, c.KeyFile = ours.file("client"), ours.file("good-key") }), "belongs to the certificate"},
		{"no certificate", "good", with(func(c *Config) { c.CertFile, c.KeyFile = ours.file("client-key"), ours.file("client-key") }), "PEM as cert_file"},
		{"no key", "good", with(func(c *Config) { c.CertFile, c.KeyFile = ours.file("client"), ours.file("client") }), "PEM as key_file"},
		{"absent key", "good", with(func(c *Config) { c.CertFile, c.KeyFile = ours.file("client"), "/none.pem" }), "another key"},
		{"no CA in the file", "good", with(func(c *Config) { c.CAFile = ours.file("client-key") }), "openssl x509 -noout -subject"},
	} {
		server.Exec(t, "SET GLOBAL ssl_cert = '"+ours.file(c.server)+"', ssl_key = '"+ours.file(c.server+"-key")+"'", "ALTER INSTANCE RELOAD TLS")
		c.config.Port = server.Port()
		if c.config.User == "" {
			c.config.User = "any"
		}
		expectHint(t, c.name, c.config, c.hint)
	}
}

// expectHint opens a server and wants the hint; "": that it opens.
func expectHint(t *testing.T, name string, config Config, hint string) {
	t.Helper()
	s, err := Open(t.Context(), config)
	if err == nil {
		err = s.Close()
	}
	var connect *ConnectError
	switch {
	case hint == "" && err != nil:
		t.Errorf("%s: %v", name, err)
	case hint != "" && !errors.As(err, &connect):
		t.Errorf("%s: got %v, want a *ConnectError", name, err)
	case hint != "" && !strings.Contains(connect.Hint(), hint):
		t.Errorf("%s: got the hint %q for %v; want %q", name, connect.Hint(), err, hint)
	}
}

// mysqld loads no certificate of another time, and goes on with one that expires while it runs.
func TestACertificateOfAnotherTimeHasAHintOfItsOwn(t *testing.T) {
	ours := newAuthority(t)
	pool := x509.NewCertPool()
	pool.AddCert(ours.cert)
	template := func() *x509.Certificate {
		return &x509.Certificate{Subject: pkix.Name{CommonName: "db"}, DNSNames: []string{"localhost"}}
	}
	for _, c := range []struct {
		from, to time.Duration
		hint     string
	}{
		{-2 * time.Hour, -time.Hour, `the certificate of "db" has expired on`},
		{time.Hour, 2 * time.Hour, `the certificate of "db" is valid from`},
	} {
		cert := ours.issueFor(t, "server", template(), c.from, c.to)
		err := verifyChain(pool)(tls.ConnectionState{PeerCertificates: []*x509.Certificate{cert}})
		if err == nil || !strings.HasPrefix(connectHint(err, "h:3306"), c.hint) {
			t.Errorf("got the hint %q for %v, want %q", connectHint(err, "h:3306"), err, c.hint)
		}
	}
}

func TestAServerOfNoCommonTLSVersionIsToldApart(t *testing.T) {
	for text, want := range map[string]string{
		"tls: server selected unsupported protocol version 302": "share no version of TLS",
		"remote error: tls: protocol version not supported":     "share no version of TLS",
		"remote error: tls: certificate required":               "wants a certificate of the client",
		"remote error: tls: handshake failure":                  "share no cipher",
	} {
		if hint := tlsHint(errors.New(text), "h:1"); !strings.Contains(hint, want) {
			t.Errorf("%s: got the hint %q", text, hint)
		}
	}
}

func TestALongSocketPathWorksAndAnImpossibleOneHasAHint(t *testing.T) {
	server := mysqldtest.Start(t)
	long := filepath.Join(t.TempDir(), strings.Repeat("x", 120), "s")
	if err := os.MkdirAll(filepath.Dir(long), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(server.Socket(), long); err != nil {
		t.Fatal(err)
	}
	s := open(t, Config{Socket: long, User: "root"})
	if got := s.value(t, "SELECT @@socket"); got != server.Socket() {
		t.Errorf("the long path leads to %s", got)
	}
	expectHint(t, "a name of 300 bytes", Config{Socket: "/tmp/" + strings.Repeat("x", 300), User: "root"}, "too long")
	expectHint(t, "nothing there", Config{Socket: long + "x", User: "root"}, "is mysqld running?")
	expectHint(t, "a file in the path", Config{Socket: write(t, filepath.Join(t.TempDir(), "file"), "") + "/s", User: "root"}, "namei -l")
}
