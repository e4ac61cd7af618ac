package clone

import (
	"crypto/tls"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
)

// keyError is a certificate or a key that cannot be used, with the way to one that can. It holds nothing of the file.
type keyError struct {
	what, hint string
	err        error // may be nil
}

func (e *keyError) Error() string {
	if e.err != nil {
		return e.what + ": " + e.err.Error()
	}
	return e.what
}

func (e *keyError) Unwrap() error { return e.err }

// Hint returns the command that makes or shows a usable file.
func (e *keyError) Hint() string { return e.hint }

// certificates reads the client's own certificate, if there is one.
func (c Config) certificates() ([]tls.Certificate, error) {
	if c.CertFile == "" && c.KeyFile == "" {
		return nil, nil
	}
	if c.CertFile == "" || c.KeyFile == "" {
		return nil, &keyError{what: "a client certificate needs both cert_file and key_file", hint: "give both in the block tls, or neither"}
	}
	cert, err := readText("certificate", c.CertFile)
	if err != nil {
		return nil, fmt.Errorf("read client certificate: %w", err)
	}
	key, err := readText("key", c.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("read client certificate: %w", err)
	}
	if hasPassphrase(key) {
		return nil, &keyError{
			what: fmt.Sprintf("read client certificate: the key %s has a passphrase, which runner does not ask for", c.KeyFile),
			hint: "write the key without one, readable for this user alone: (umask 077; openssl pkey -in " + shellQuote(c.KeyFile) + " -out NEW_KEY_FILE)",
		}
	}
	pair, err := tls.X509KeyPair([]byte(cert), []byte(key))
	if err != nil {
		return nil, &keyError{what: "read client certificate", hint: pairHint(err, c), err: err}
	}
	return []tls.Certificate{pair}, nil
}

// hasPassphrase reports whether a key in PEM is encrypted, in either of the forms that OpenSSL writes.
func hasPassphrase(text string) bool {
	for rest := []byte(text); ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			return false
		}
		if block.Type == "ENCRYPTED PRIVATE KEY" || strings.Contains(block.Headers["Proc-Type"], "ENCRYPTED") {
			return true
		}
	}
}

// pairHint tells a file that is no PEM from a key of another certificate. The standard library has texts for them, and no types.
func pairHint(err error, c Config) string {
	cert, key := shellQuote(c.CertFile), shellQuote(c.KeyFile)
	switch text := err.Error(); {
	case strings.Contains(text, "private key does not match"), strings.Contains(text, "private key type does not match"):
		return fmt.Sprintf("give the key that belongs to the certificate; these two must print the same: openssl x509 -pubkey -noout -in %s; openssl pkey -pubout -in %s", cert, key)
	case strings.Contains(text, "in certificate input"), errors.Is(err, errEmpty):
		return "give a certificate in PEM as cert_file: openssl x509 -noout -subject -in " + cert
	case strings.Contains(text, "in key input"), strings.Contains(text, "rather than a key"), strings.Contains(text, "parse private key"):
		return "give a key in PEM as key_file: openssl pkey -noout -in " + key
	}
	return "look at the certificate: openssl x509 -noout -text -in " + cert
}
