package wire_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"runner/pkg/clone/internal/donor"
	"runner/pkg/clone/internal/wire"
)

const password = "a password"

// proofs are what the plugins make of the password ("Authentication Methods" in the protocol documentation).
func nativeProof(scramble string) []byte {
	once := sha1.Sum([]byte(password))
	twice := sha1.Sum(once[:])
	mixed := sha1.Sum(append([]byte(scramble), twice[:]...))
	for i := range mixed {
		mixed[i] ^= once[i]
	}
	return mixed[:]
}

func cachingProof(scramble string) []byte {
	once := sha256.Sum256([]byte(password))
	twice := sha256.Sum256(once[:])
	mixed := sha256.Sum256(append(twice[:], scramble...))
	for i := range mixed {
		mixed[i] ^= once[i]
	}
	return mixed[:]
}

func TestPasswordsAreProvenAsThePluginsHaveIt(t *testing.T) {
	for _, test := range []struct {
		name, plugin, change string
		empty                bool
		usedPlugin           string
		proof                []byte
	}{
		{name: "caching", plugin: "caching_sha2_password", usedPlugin: "caching_sha2_password", proof: cachingProof(donor.Scramble)},
		{name: "caching, no password", empty: true, usedPlugin: "caching_sha2_password", proof: []byte{}},
		{name: "native", plugin: "mysql_native_password", usedPlugin: "mysql_native_password", proof: nativeProof(donor.Scramble)},
		{name: "native, no password", plugin: "mysql_native_password", empty: true, usedPlugin: "mysql_native_password", proof: []byte{}},
		{name: "sha256, no password", plugin: "sha256_password", empty: true, usedPlugin: "sha256_password", proof: []byte{0}},
		{name: "unknown", plugin: "dialog", usedPlugin: "caching_sha2_password", proof: cachingProof(donor.Scramble)},
		{name: "switch to native", change: "mysql_native_password", usedPlugin: "mysql_native_password", proof: nativeProof(donor.ScrambleSwitch)},
		{
			name: "switch to caching", plugin: "mysql_native_password", change: "caching_sha2_password",
			usedPlugin: "caching_sha2_password", proof: cachingProof(donor.ScrambleSwitch),
		},
		{name: "switch, no password", change: "mysql_native_password", empty: true, usedPlugin: "mysql_native_password", proof: []byte{}},
	} {
		t.Run(test.name, func(t *testing.T) {
			d := donor.Start(t, donor.Options{Plugin: test.plugin, Switch: test.change})
			cfg := d.Config()
			cfg.Password, cfg.User, cfg.Attributes = password, "somebody", [][2]string{{"program_name", "a program"}}
			if test.empty {
				cfg.Password = ""
			}
			c := dial(t, cfg)
			if c.ServerVersion() != "9.7.4" || c.ThreadID() != 1 || c.Encrypted() {
				t.Errorf("%q, %d, %v", c.ServerVersion(), c.ThreadID(), c.Encrypted())
			}
			l := d.Logins()[0]
			if l.User != "somebody" || l.Plugin != test.usedPlugin || !bytes.Equal(l.Proof, test.proof) {
				t.Errorf("%s by %s with %x, want %s with %x", l.User, l.Plugin, l.Proof, test.usedPlugin, test.proof)
			}
			if want := "\x0cprogram_name\x09a program"; string(l.Attributes) != want {
				t.Errorf("attributes %q", l.Attributes)
			}
		})
	}
}

// askingForAll is a server that wants the password itself.
func askingForAll(t *testing.T, key *rsa.PrivateKey, scramble string) func(*donor.Conn, string, []byte) error {
	return func(c *donor.Conn, plugin string, proof []byte) error {
		if plugin == "caching_sha2_password" {
			if err := c.Packet([]byte{1, 4}); err != nil {
				return err
			}
			var err error
			if proof, err = c.ReadPacket(); err != nil {
				return err
			}
		}
		if len(proof) == 1 {
			der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
			if err != nil {
				return err
			}
			block := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
			if err := c.Packet(append([]byte{1}, block...)); err != nil {
				return err
			}
			if proof, err = c.ReadPacket(); err != nil {
				return err
			}
			if proof, err = rsa.DecryptOAEP(sha1.New(), nil, key, proof, nil); err != nil {
				return err
			}
			for i := range proof {
				proof[i] ^= scramble[i%len(scramble)]
			}
		}
		if string(proof) != password+"\x00" {
			t.Errorf("the password came as %q", proof)
		}
		return nil
	}
}

func TestThePasswordItselfGoesOnlyWhereNobodyReadsAlong(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	certificate, _ := certify(t)
	for _, plugin := range []string{"caching_sha2_password", "sha256_password"} {
		for name, o := range map[string]donor.Options{
			"RSA":         {},
			"socket":      {Unix: true},
			"TLS":         {TLS: &tls.Config{Certificates: []tls.Certificate{certificate}}},
			"RSA, switch": {Switch: plugin},
		} {
			t.Run(plugin+", "+name, func(t *testing.T) {
				o.Plugin = plugin
				scramble := donor.Scramble
				if o.Switch != "" {
					o.Plugin, scramble = "mysql_native_password", donor.ScrambleSwitch
				}
				o.Dialog = askingForAll(t, key, scramble)
				d := donor.Start(t, o)
				cfg := d.Config()
				cfg.Password = password
				if o.TLS != nil {
					cfg.TLS = unverified()
				}
				dial(t, cfg)
			})
		}
	}
}

func TestLoginsThatGoWrongHaveErrorsOfTheirKind(t *testing.T) {
	refused := &wire.ServerError{Number: 1045, State: "28000", Message: "Access denied for user"}
	say := func(payload ...byte) func(*donor.Conn, string, []byte) error {
		return func(c *donor.Conn, _ string, _ []byte) error {
			for {
				if err := c.Packet(payload); err != nil {
					return err
				}
				if _, err := c.ReadPacket(); err != nil {
					return err
				}
			}
		}
	}
	protocol := func(err error) bool { var e *wire.ProtocolError; return errors.As(err, &e) }
	for name, test := range map[string]struct {
		o      donor.Options
		change func(*wire.Config)
		is     func(error) bool
	}{
		"refused": {
			donor.Options{Refuse: refused},
			nil,
			func(err error) bool { var e *wire.ServerError; return errors.As(err, &e) && *e == *refused },
		},
		"too many connections": {
			donor.Options{Greeting: []byte("\xff\x10\x04Too many connections")},
			nil,
			func(err error) bool {
				var e *wire.ServerError
				return errors.As(err, &e) && e.Number == 1040 && e.State == "" && e.Message == "Too many connections"
			},
		},
		"plugin that nobody knows": {
			donor.Options{Switch: "authentication_webauthn"},
			nil,
			func(err error) bool {
				var e *wire.PluginError
				return errors.As(err, &e) && e.Plugin == "authentication_webauthn"
			},
		},
		"no TLS":                      {donor.Options{}, func(c *wire.Config) { c.TLS = unverified() }, is(wire.ErrNoTLS)},
		"no compression":              {donor.Options{NoZstd: true}, func(c *wire.Config) { c.Compression = "zstd" }, is(wire.ErrNoCompression)},
		"greeting of version 9":       {donor.Options{Greeting: []byte("\x093.2\x00")}, nil, protocol},
		"greeting that is cut off":    {donor.Options{Greeting: []byte("\x0a8.0\x00\x01\x00\x00")}, nil, protocol},
		"greeting without an end":     {donor.Options{Greeting: []byte("\x0a8.0")}, nil, protocol},
		"greeting that is empty":      {donor.Options{Greeting: []byte{}}, nil, protocol},
		"greeting that is huge":       {donor.Options{Greeting: make([]byte, 1<<20)}, nil, protocol},
		"greeting of an old server":   {donor.Options{Greeting: append([]byte("\x0a3.23\x00"), make([]byte, 60)...)}, nil, protocol},
		"switch of the old password":  {donor.Options{Dialog: say(0xfe)}, nil, protocol},
		"switch without a scramble":   {donor.Options{Dialog: say([]byte("\xfemysql_native_password\x00")...)}, nil, protocol},
		"switch again and again":      {donor.Options{Dialog: say([]byte("\xfemysql_native_password\x00abcdefghijklmnopqrst\x00")...)}, nil, protocol},
		"a word that means nothing":   {donor.Options{Dialog: say(1)}, nil, protocol},
		"a key that is none":          {donor.Options{Dialog: say(1, 'x')}, nil, protocol},
		"a key that is asked of none": {donor.Options{Plugin: "mysql_native_password", Dialog: say(1, 4)}, nil, protocol},
		"an answer that is none":      {donor.Options{Dialog: say(7)}, nil, protocol},
		"an empty answer":             {donor.Options{Dialog: say()}, nil, protocol},
		"full, again and again":       {donor.Options{Unix: true, Dialog: say(1, 4)}, nil, protocol},
		"the connection is cut": {
			donor.Options{Dialog: func(c *donor.Conn, _ string, _ []byte) error { return c.Cut() }},
			nil,
			wire.Lost,
		},
		"silence": {
			donor.Options{Dialog: func(c *donor.Conn, _ string, _ []byte) error { return c.Stall() }},
			func(c *wire.Config) { c.Timeout = 200 * time.Millisecond },
			func(err error) bool {
				var e *wire.TimeoutError
				return errors.As(err, &e) && e.After == 200*time.Millisecond && wire.Lost(err) && errors.Is(err, os.ErrDeadlineExceeded)
			},
		},
		"another compression": {donor.Options{}, func(c *wire.Config) { c.Compression = "zlib" }, any},
		"level 23":            {donor.Options{}, func(c *wire.Config) { c.Compression, c.Level = "zstd", 23 }, any},
		"a zero in the user":  {donor.Options{}, func(c *wire.Config) { c.User = "a\x00b" }, any},
		"a long user":         {donor.Options{}, func(c *wire.Config) { c.User = strings.Repeat("u", 2000) }, any},
	} {
		t.Run(name, func(t *testing.T) {
			d := donor.Start(t, test.o)
			cfg := d.Config()
			if test.change != nil {
				test.change(&cfg)
			}
			c, err := wire.Dial(t.Context(), cfg)
			if c != nil || err == nil || !test.is(err) {
				t.Errorf("got %v, %T: %v", c, err, err)
			}
			if err != nil && strings.Contains(err.Error(), cfg.Password) {
				t.Errorf("the password is in the error: %v", err)
			}
		})
	}
}

func is(want error) func(error) bool { return func(err error) bool { return errors.Is(err, want) } }
func any(error) bool                 { return true }

// certify makes a certificate for 127.0.0.1, and who vouches for it.
func certify(t *testing.T) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "donor"}, NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(parsed)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
}

func TestTLSIsVerifiedAgainstTheHostOfTheAddress(t *testing.T) {
	certificate, pool := certify(t)
	d := donor.Start(t, donor.Options{TLS: &tls.Config{Certificates: []tls.Certificate{certificate}}})
	for name, test := range map[string]struct {
		cfg *tls.Config
		ok  bool
	}{
		"by the authority": {&tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}, true},
		"by nobody":        {&tls.Config{MinVersion: tls.VersionTLS12}, false},
		"another name":     {&tls.Config{RootCAs: pool, ServerName: "other", MinVersion: tls.VersionTLS12}, false},
		"not at all":       {unverified(), true},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := d.Config()
			cfg.TLS = test.cfg
			cfg.Fallback = true // is for servers without TLS, and for nothing else
			c, err := wire.Dial(t.Context(), cfg)
			if (err == nil) != test.ok {
				t.Fatal(err)
			}
			if err != nil {
				if wire.Lost(err) {
					t.Errorf("it counts as a loss: %v", err)
				}
				return
			}
			if !c.Encrypted() {
				t.Error("not encrypted")
			}
			if err := c.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	for _, l := range d.Logins() {
		if !l.Encrypted {
			t.Error("somebody logged in in clear")
		}
	}
}

func TestFallbackGoesOnInClearWhereTheServerHasNoTLS(t *testing.T) {
	d := donor.Start(t, donor.Options{})
	cfg := d.Config()
	cfg.TLS, cfg.Fallback = unverified(), true
	if c := dial(t, cfg); c.Encrypted() {
		t.Error("it says that it is encrypted")
	}
}

// TestWhatComesBeforeTLSIsNotTakenForWhatComesThroughIt has somebody in between add an OK to the greeting.
func TestWhatComesBeforeTLSIsNotTakenForWhatComesThroughIt(t *testing.T) {
	certificate, _ := certify(t)
	real := donor.Start(t, donor.Options{TLS: &tls.Config{Certificates: []tls.Certificate{certificate}}})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- inject(listener, real.Config().Address) }()
	cfg := real.Config()
	cfg.Address, cfg.TLS = listener.Addr().String(), unverified()
	_, err = wire.Dial(t.Context(), cfg)
	var malformed *wire.ProtocolError
	if !errors.As(err, &malformed) {
		t.Errorf("got %v", err)
	}
	if err := errors.Join(listener.Close(), <-done); err != nil {
		t.Fatal(err)
	}
}

// inject passes the greeting of a server on, with more behind it.
func inject(listener net.Listener, to string) error {
	client, err := listener.Accept()
	if err != nil {
		return err
	}
	server, err := net.Dial("tcp", to)
	if err != nil {
		return err
	}
	greeting := make([]byte, 4<<10)
	n, err := server.Read(greeting)
	if err != nil {
		return err
	}
	if _, err := client.Write(append(greeting[:n], 7, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0)); err != nil {
		return err
	}
	_, err = client.Read(make([]byte, 1))
	if err == nil {
		err = errors.New("the client went on")
	} else {
		err = nil
	}
	return errors.Join(err, client.Close(), server.Close())
}

func TestDialEndsWithItsContext(t *testing.T) {
	d := donor.Start(t, donor.Options{Dialog: func(c *donor.Conn, _ string, _ []byte) error { return c.Stall() }})
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(100*time.Millisecond, cancel)
	if _, err := wire.Dial(ctx, d.Config()); !errors.Is(err, context.Canceled) || wire.Lost(err) {
		t.Errorf("got %v", err)
	}
	if _, err := wire.Dial(ctx, d.Config()); !errors.Is(err, context.Canceled) {
		t.Errorf("with one that had ended before: %v", err)
	}
}

func TestAServerThatIsNotThereIsALoss(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	for network, address := range map[string]string{"tcp": address, "unix": fmt.Sprint(t.TempDir(), "/s")} {
		if _, err := wire.Dial(t.Context(), wire.Config{Network: network, Address: address}); !wire.Lost(err) {
			t.Errorf("%s: %v", network, err)
		}
	}
}
