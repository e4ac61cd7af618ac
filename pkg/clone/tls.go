package clone

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
)

// tlsConfig is what the mode asks for; nil: no TLS. fallback: go on in clear when the server has none.
func (c Config) tlsConfig() (cfg *tls.Config, fallback bool, err error) {
	mode := c.TLSMode
	if mode == "" {
		mode = TLSPreferred
	}
	switch mode {
	case TLSDisabled:
		return nil, false, nil
	case TLSPreferred, TLSRequired, TLSVerifyCA, TLSVerifyIdentity:
	default:
		return nil, false, fmt.Errorf("TLS mode %q is none of disabled, preferred, required, verify-ca, verify-identity", mode)
	}
	if mode == TLSPreferred && c.Socket != "" {
		return nil, false, nil
	}
	cfg = &tls.Config{MinVersion: tls.VersionTLS12}
	if cfg.RootCAs, err = c.roots(); err != nil {
		return nil, false, err
	}
	if cfg.Certificates, err = c.certificates(); err != nil {
		return nil, false, err
	}
	switch mode {
	case TLSVerifyIdentity:
		if c.Socket != "" {
			return nil, false, errors.New("verify-identity needs a host: a socket has no name that a certificate could hold")
		}
		cfg.ServerName = c.Host
	case TLSVerifyCA:
		// The package's own verification cannot be had without the name; so it is done here, without it.
		cfg.InsecureSkipVerify = true
		cfg.VerifyConnection = verifyChain(cfg.RootCAs)
	default:
		cfg.InsecureSkipVerify = true
	}
	return cfg, mode == TLSPreferred, nil
}

func (c Config) roots() (*x509.CertPool, error) {
	if c.CAFile == "" {
		return nil, nil // the system's
	}
	const what = "CA file"
	text, err := readText(what, c.CAFile)
	if err != nil {
		return nil, fmt.Errorf("read CA file: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM([]byte(text)) {
		return nil, &keyError{
			what: fmt.Sprintf("read CA file: %s holds no certificate in PEM", c.CAFile),
			hint: "look what it holds: openssl x509 -noout -subject -in " + shellQuote(c.CAFile),
		}
	}
	return pool, nil
}

// verifyChain checks that the server's certificate leads to one of the roots, whatever it names.
func verifyChain(roots *x509.CertPool) func(tls.ConnectionState) error {
	return func(state tls.ConnectionState) error {
		if len(state.PeerCertificates) == 0 {
			return errors.New("the server sent no certificate")
		}
		options := x509.VerifyOptions{Roots: roots, Intermediates: x509.NewCertPool()}
		for _, between := range state.PeerCertificates[1:] {
			options.Intermediates.AddCert(between)
		}
		_, err := state.PeerCertificates[0].Verify(options)
		return err
	}
}
