package clone

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"strings"
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
	pem, err := os.ReadFile(c.CAFile)
	if err != nil {
		return nil, fmt.Errorf("read CA file: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("read CA file: %s holds no certificate in PEM", c.CAFile)
	}
	return pool, nil
}

func (c Config) certificates() ([]tls.Certificate, error) {
	if c.CertFile == "" && c.KeyFile == "" {
		return nil, nil
	}
	if c.CertFile == "" || c.KeyFile == "" {
		return nil, errors.New("a client certificate needs both cert_file and key_file")
	}
	pair, err := tls.LoadX509KeyPair(c.CertFile, c.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("read client certificate: %w", err)
	}
	return []tls.Certificate{pair}, nil
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

// isTLSError reports whether err is about certificates or about TLS itself.
func isTLSError(err error) bool {
	var (
		verification *tls.CertificateVerificationError
		authority    x509.UnknownAuthorityError
		hostname     x509.HostnameError
		invalid      x509.CertificateInvalidError
		header       tls.RecordHeaderError
		alert        tls.AlertError
	)
	return errors.As(err, &verification) || errors.As(err, &authority) || errors.As(err, &hostname) ||
		errors.As(err, &invalid) || errors.As(err, &header) || errors.As(err, &alert) ||
		strings.HasPrefix(err.Error(), "tls: ") || strings.HasPrefix(err.Error(), "x509: ")
}
