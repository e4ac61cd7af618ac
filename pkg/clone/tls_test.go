package clone

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"runner/pkg/clone/internal/fake"
	"runner/pkg/mysqld/mysqldtest"
)

// listen accepts connections and says nothing, until the test ends; it gives the port.
func listen(t *testing.T) (int, error) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	address, ok := l.Addr().(*net.TCPAddr)
	if !ok {
		return 0, errors.New("not TCP")
	}
	return address.Port, nil
}

// authority is a certificate authority made for one test.
type authority struct {
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{dir: t.TempDir()}
	a.cert, a.key = a.issue(t, "ca", &x509.Certificate{
		Subject: pkix.Name{CommonName: "test authority"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	})
	return a
}

// issue writes NAME.pem and NAME-key.pem.
func (a *authority) issue(t *testing.T, name string, template *x509.Certificate) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template.SerialNumber = big.NewInt(time.Now().UnixNano())
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	parent, signer := template, key
	if a.cert != nil {
		parent, signer = a.cert, a.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	write(t, a.file(name), string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
	write(t, a.file(name+"-key"), string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})))
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert, key
}

func (a *authority) file(name string) string { return filepath.Join(a.dir, name+".pem") }

func TestEachTLSModeChecksWhatItSays(t *testing.T) {
	ours, other := newAuthority(t), newAuthority(t)
	ours.issue(t, "server", &x509.Certificate{Subject: pkix.Name{CommonName: "db"}, DNSNames: []string{"localhost"}})
	ours.issue(t, "client", &x509.Certificate{Subject: pkix.Name{CommonName: "backup"}})
	server := mysqldtest.Start(t, mysqldtest.WithTCP(), mysqldtest.WithArgs(
		"--ssl-ca="+ours.file("ca"), "--ssl-cert="+ours.file("server"), "--ssl-key="+ours.file("server-key")))
	server.Exec(t, "CREATE USER any@'%'", "CREATE USER owner@'%' REQUIRE X509")
	for name, c := range map[string]struct {
		config Config
		wrong  string
	}{
		"required takes any":        {Config{Host: "127.0.0.1", TLSMode: TLSRequired}, ""},
		"verify-ca":                 {Config{Host: "127.0.0.1", TLSMode: TLSVerifyCA, CAFile: ours.file("ca")}, ""},
		"verify-ca of another":      {Config{Host: "127.0.0.1", TLSMode: TLSVerifyCA, CAFile: other.file("ca")}, "unknown authority"},
		"verify-ca of the system":   {Config{Host: "127.0.0.1", TLSMode: TLSVerifyCA}, "unknown authority"},
		"verify-identity":           {Config{Host: "localhost", TLSMode: TLSVerifyIdentity, CAFile: ours.file("ca")}, ""},
		"verify-identity, address":  {Config{Host: "127.0.0.1", TLSMode: TLSVerifyIdentity, CAFile: ours.file("ca")}, "127.0.0.1"},
		"verify-identity, other CA": {Config{Host: "localhost", TLSMode: TLSVerifyIdentity, CAFile: other.file("ca")}, "unknown authority"},
		"no PEM":                    {Config{Host: "localhost", TLSMode: TLSVerifyCA, CAFile: write(t, filepath.Join(t.TempDir(), "ca"), "text")}, "no certificate in PEM"},
		"no CA file":                {Config{Host: "localhost", TLSMode: TLSVerifyCA, CAFile: "/nowhere/ca.pem"}, "read CA file"},
		"client certificate":        {Config{Host: "localhost", User: "owner", TLSMode: TLSVerifyCA, CAFile: ours.file("ca"), CertFile: ours.file("client"), KeyFile: ours.file("client-key")}, ""},
		"without it":                {Config{Host: "localhost", User: "owner", TLSMode: TLSVerifyCA, CAFile: ours.file("ca")}, "Access denied"},
		"key of another":            {Config{Host: "localhost", TLSMode: TLSVerifyCA, CertFile: ours.file("client"), KeyFile: ours.file("server-key")}, "read client certificate"},
	} {
		c.config.Port = server.Port()
		if c.config.User == "" {
			c.config.User = "any"
		}
		s, err := Open(t.Context(), c.config)
		if err == nil {
			err = s.Close()
		}
		if c.wrong == "" && err != nil || c.wrong != "" && (err == nil || !strings.Contains(err.Error(), c.wrong)) {
			t.Errorf("%s: got %v", name, err)
		}
		var connect *ConnectError
		if strings.Contains(c.wrong, "authority") && errors.As(err, &connect) && !strings.Contains(connect.Hint(), "ca_file of the block tls") {
			t.Errorf("%s: got the hint %q", name, connect.Hint())
		}
	}
}

func TestTheServersOwnCertificateHasItsCAInTheDataDirectory(t *testing.T) {
	server := mysqldtest.Start(t, mysqldtest.WithTCP())
	server.Exec(t, "CREATE USER any@'%'")
	ca := filepath.Join(server.DataDir(), "ca.pem")
	if _, err := os.Stat(ca); err != nil {
		t.Fatal(err)
	}
	open(t, Config{Host: "127.0.0.1", Port: server.Port(), User: "any", TLSMode: TLSVerifyCA, CAFile: ca})
	s, err := Open(t.Context(), Config{Host: "localhost", Port: server.Port(), User: "any", TLSMode: TLSVerifyIdentity, CAFile: ca})
	if err == nil {
		t.Error("a certificate without names proved an identity", s.Close())
	}
}

func TestAServerWithoutTLSIsTakenOnlyWhereTheModeAllows(t *testing.T) {
	server := fake.Start(t, fake.Script{Version: "8.0.36", Rules: []fake.Rule{{Match: "SET "}}})
	for mode, want := range map[string]error{
		TLSDisabled: nil, TLSPreferred: nil, TLSRequired: mysql.ErrNoTLS, TLSVerifyCA: mysql.ErrNoTLS, TLSVerifyIdentity: mysql.ErrNoTLS,
	} {
		s, err := Open(t.Context(), Config{Host: "127.0.0.1", Port: server.Port(), User: "u", TLSMode: mode})
		if !errors.Is(err, want) {
			t.Errorf("%s: got %v, want %v", mode, err, want)
		}
		if err == nil {
			err = s.Close()
		}
		var connect *ConnectError
		if errors.As(err, &connect) && !strings.Contains(connect.Hint(), "mode of the block tls") {
			t.Errorf("%s: got the hint %q", mode, connect.Hint())
		}
	}
}
