package clone

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"
)

const hintNoTLS = "the server offers no TLS: give it a certificate (ssl_cert, ssl_key; SHOW STATUS LIKE 'Current_tls%';), or set mode of the block tls to \"preferred\" or \"disabled\""

const (
	hintTLSVersion = "server and runner share no version of TLS: let the server offer TLSv1.2 or TLSv1.3 (tls_version, and a cipher of it in tls_ciphersuites or ssl_cipher)"
	hintPlain      = "what answers there does not speak TLS: is it a MySQL server? A proxy in between that ends TLS needs mode \"disabled\""
	// What a hint calls the client's own certificate.
	ownFiles = "cert_file and key_file of the block tls"
)

// tlsHint returns the hint for an error of TLS; "" for any other error.
func tlsHint(err error, address string) string {
	if hint := certificateHint(err, address); hint != "" {
		return hint
	}
	text := err.Error()
	for _, k := range tlsTexts() {
		if strings.Contains(text, k.text) {
			return k.hint
		}
	}
	return ""
}

// tlsTexts lists what crypto/tls says where it has no type for an error. The server's alerts, whose names are of RFC 8446,
// section 6, have the prefix "remote error: tls: ".
func tlsTexts() []cause {
	const alert = "remote error: tls: "
	return []cause{
		{"server selected unsupported protocol version", hintTLSVersion},
		{"no supported versions satisfy", hintTLSVersion},
		{"first record does not look like a TLS handshake", hintPlain},
		{"oversized record received", hintPlain},
		{alert + "protocol version not supported", hintTLSVersion},
		{alert + "certificate required", "the server wants a certificate of the client: give " + ownFiles},
		{alert + "unknown certificate authority", "the server does not know the CA that signed the client's certificate: have it signed by one in the server's ssl_ca (" + ownFiles + ")"},
		{alert + "expired certificate", "the client's certificate has expired: renew it (" + ownFiles + ")"},
		{alert + "revoked certificate", "the client's certificate was revoked: use another (" + ownFiles + ")"},
		{alert + "bad certificate", hintClientCertificate},
		{alert + "unsupported certificate", hintClientCertificate},
		{alert + "unknown certificate", hintClientCertificate},
		{alert + "handshake failure", hintCipher},
		{alert + "insufficient security level", hintCipher},
	}
}

const (
	hintClientCertificate = "the server does not take the client's certificate: openssl verify -CAfile SSL_CA_OF_THE_SERVER CERT_FILE (" + ownFiles + ")"
	hintCipher            = "server and runner share no cipher: SELECT @@tls_version, @@ssl_cipher, @@tls_ciphersuites;"
)

// certificateHint returns the hint for what is wrong with the server's certificate.
func certificateHint(err error, address string) string {
	var (
		authority  x509.UnknownAuthorityError
		hostname   x509.HostnameError
		invalid    x509.CertificateInvalidError
		roots      x509.SystemRootsError
		constraint x509.ConstraintViolationError
		critical   x509.UnhandledCriticalExtension
	)
	switch {
	case errors.As(err, &hostname):
		return nameHint(hostname, address)
	case errors.As(err, &invalid):
		return invalidHint(invalid)
	case errors.As(err, &authority):
		return "give the CA that signed the server's certificate as ca_file of the block tls; the one that mysqld makes for itself is ca.pem in its data directory"
	case errors.As(err, &roots):
		return "this host has no CAs to trust: install the package ca-certificates, or give ca_file in the block tls"
	case errors.As(err, &constraint), errors.As(err, &critical):
		return "the certificate has an extension that cannot be honoured: issue one without it"
	}
	return ""
}

// nameHint tells apart a certificate for other names and one that has none where they are looked for.
func nameHint(e x509.HostnameError, address string) string {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		host = e.Host
	}
	c := e.Certificate
	if len(c.DNSNames)+len(c.IPAddresses) == 0 {
		return fmt.Sprintf("the certificate has no subject alternative name: issue one with subjectAltName=%s, or set mode of the block tls to \"verify-ca\"; the one that mysqld makes for itself has none", alternativeName(host))
	}
	names := append([]string{}, c.DNSNames...)
	for _, ip := range c.IPAddresses {
		names = append(names, ip.String())
	}
	return fmt.Sprintf("the certificate is for %s: set host of the source to one of them, or issue one with subjectAltName=%s", most(names), alternativeName(host))
}

// alternativeName is the host as openssl takes it.
func alternativeName(host string) string {
	if net.ParseIP(host) != nil {
		return "IP:" + host
	}
	return "DNS:" + host
}

func invalidHint(e x509.CertificateInvalidError) string {
	const date = "2006-01-02 15:04 UTC"
	switch c := e.Cert; e.Reason {
	case x509.Expired:
		if now := time.Now(); c != nil && now.Before(c.NotBefore) {
			return fmt.Sprintf("the certificate of %q is valid from %s on only: is this host's clock right? date -u", c.Subject.CommonName, c.NotBefore.UTC().Format(date))
		} else if c != nil {
			return fmt.Sprintf("the certificate of %q has expired on %s: renew it, then ALTER INSTANCE RELOAD TLS; if it has not, is this host's clock right? date -u", c.Subject.CommonName, c.NotAfter.UTC().Format(date))
		}
		return "the certificate has expired, or is not valid yet: renew it, then ALTER INSTANCE RELOAD TLS;"
	case x509.NotAuthorizedToSign, x509.TooManyIntermediates:
		return "what signed the server's certificate is no CA: issue it by one that has CA:TRUE in its basic constraints, and let it in ca_file"
	case x509.IncompatibleUsage:
		return "the certificate is not for servers: issue one with the extended key usage serverAuth"
	case x509.CANotAuthorizedForThisName, x509.NameConstraintsWithoutSANs, x509.NameMismatch:
		return "the CA may not sign for that name: issue the certificate by another"
	}
	return "issue the server another certificate, then ALTER INSTANCE RELOAD TLS;"
}
