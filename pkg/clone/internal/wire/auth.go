package wire

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1" // as the plugins have it
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"hash"
)

// Authentication plugins ("Authentication Methods" in the protocol documentation).
const (
	pluginCachingSHA2 = "caching_sha2_password"
	pluginSHA256      = "sha256_password"
	pluginNative      = "mysql_native_password"
)

// What is said in the course of caching_sha2_password and sha256_password.
const (
	sayPublicKeySHA256  = 1 // client of sha256_password: send your key
	sayPublicKeyCaching = 2 // client of caching_sha2_password: send your key
	sayFastOK           = 3 // server: the hash was right; OK follows
	sayFull             = 4 // server: the password itself is needed
)

// xorHash gives hash(password) XOR hash(parts in the plugin's order).
func xorHash(h hash.Hash, password, scramble []byte, scrambleFirst bool) []byte {
	sum := func(parts ...[]byte) []byte {
		h.Reset()
		for _, p := range parts {
			_, _ = h.Write(p) // of any hash.Hash, the error is always nil
		}
		return h.Sum(nil)
	}
	once := sum(password)
	twice := sum(once)
	var mixed []byte
	if scrambleFirst {
		mixed = sum(scramble, twice)
	} else {
		mixed = sum(twice, scramble)
	}
	for i := range mixed {
		mixed[i] ^= once[i]
	}
	return mixed
}

// scrambled is the password with its zero byte, mixed with the scramble, as it is encrypted with RSA.
func scrambled(password, scramble []byte) []byte {
	b := append(clone(password), 0)
	for i := range b {
		b[i] ^= scramble[i%len(scramble)]
	}
	return b
}

// encryptPassword encrypts the password with the server's public key, in PEM.
func encryptPassword(password, scramble, key []byte) ([]byte, error) {
	block, _ := pem.Decode(key)
	if block == nil {
		return nil, malformed("public key", "it is no PEM")
	}
	parsed, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return nil, malformed("public key", "%v", err)
	}
	public, is := parsed.(*rsa.PublicKey)
	if !is {
		return nil, malformed("public key", "it is not RSA's")
	}
	secret, err := rsa.EncryptOAEP(sha1.New(), rand.Reader, public, scrambled(password, scramble), nil)
	if err != nil {
		return nil, fmt.Errorf("encrypt password: %w", err)
	}
	return secret, nil
}

// exchange is one login: what the server's packets make of it.
type exchange struct {
	packets  *packets
	password []byte
	tls      bool
	local    bool // a unix socket
	plugin   string
	scramble []byte
}

// secure reports whether the present plugin takes the password itself. A server's sha256_password doesn't, on a socket.
func (e *exchange) secure() bool { return e.tls || e.local && e.plugin == pluginCachingSHA2 }

// proof is the first answer of the present plugin.
func (e *exchange) proof() ([]byte, error) {
	if len(e.scramble) != scrambleLength {
		return nil, malformed("authentication", "a scramble of %d bytes is not one of %d", len(e.scramble), scrambleLength)
	}
	empty := len(e.password) == 0
	switch e.plugin {
	case pluginCachingSHA2:
		if empty {
			return nil, nil
		}
		return xorHash(sha256.New(), e.password, e.scramble, false), nil
	case pluginNative:
		if empty {
			return nil, nil
		}
		return xorHash(sha1.New(), e.password, e.scramble, true), nil
	case pluginSHA256:
		switch {
		case empty:
			return []byte{0}, nil
		case e.secure():
			return append(clone(e.password), 0), nil
		}
		return []byte{sayPublicKeySHA256}, nil
	}
	return nil, &PluginError{Plugin: e.plugin}
}

// maxRounds is above what any of the plugins takes: switch, full, key, OK.
const maxRounds = 8

// finish answers the server until it says OK.
func (e *exchange) finish() error {
	for range maxRounds {
		payload, err := e.packets.read()
		if err != nil {
			return reading(err)
		}
		var answer []byte
		switch {
		case len(payload) > 0 && payload[0] == packetSwitch:
			answer, err = e.change(payload)
		case len(payload) > 0 && payload[0] == packetMore:
			answer, err = e.more(payload[1:])
		default:
			return parseOK(payload)
		}
		if err != nil {
			return err
		}
		if answer == nil {
			continue
		}
		if err := e.packets.write(answer); err != nil {
			return writing(err)
		}
	}
	return malformed("authentication", "it does not end")
}

// change begins anew with the plugin that the account has.
func (e *exchange) change(payload []byte) ([]byte, error) {
	var err error
	if e.plugin, e.scramble, err = parseSwitch(payload); err != nil {
		return nil, err
	}
	proof, err := e.proof()
	if proof == nil {
		proof = []byte{}
	}
	return proof, err
}

// more answers what a plugin asks for; nil: there is nothing to answer.
func (e *exchange) more(said []byte) ([]byte, error) {
	switch {
	case len(said) == 0:
		return nil, malformed("authentication", "the server says nothing")
	case e.plugin == pluginCachingSHA2 && len(said) == 1 && said[0] == sayFastOK:
		return nil, nil
	case e.plugin == pluginCachingSHA2 && len(said) == 1 && said[0] == sayFull:
		if e.secure() {
			return append(clone(e.password), 0), nil
		}
		return []byte{sayPublicKeyCaching}, nil
	case e.secure() || e.plugin != pluginCachingSHA2 && e.plugin != pluginSHA256:
		return nil, malformed("authentication", "%s is asked for something that it doesn't know", e.plugin)
	}
	return encryptPassword(e.password, e.scramble, said)
}
