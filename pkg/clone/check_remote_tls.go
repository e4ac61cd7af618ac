package clone

import "fmt"

// checkEncryptedTransfer: the recipient encrypts unless the plan's source says that it shall not, and verifies as it is set to
// itself: CLONE checks who signed the donor's certificate where clone_ssl_ca names whom to trust, and never the name in it.
func checkEncryptedTransfer(p pair) Finding {
	mode := p.config.TLSMode
	if mode == TLSDisabled {
		return found(SeverityWarning, "the copy goes over the network in clear", "The source's tls mode is \"disabled\", so the recipient is told REQUIRE NO SSL.", "set mode to \"required\" in the block tls of the source")
	}
	if p.donor.facts.TLSCipher == "" {
		return found(SeverityError, "the donor offers no TLS", "Our own connection to it is not encrypted, and the recipient is told to encrypt (REQUIRE SSL).",
			"give the donor a certificate, or set mode to \"disabled\" in the block tls of the source")
	}
	verifies := p.recipient.facts.Variables["clone_ssl_ca"] != ""
	trust := "SET GLOBAL clone_ssl_ca = '/path/of/the/donors/ca.pem'; -- on the recipient"
	switch {
	case (mode == TLSVerifyCA || mode == TLSVerifyIdentity) && !verifies:
		return found(SeverityError, "the recipient would not verify the donor's certificate",
			fmt.Sprintf("The source's tls mode is %q, and clone_ssl_ca of the recipient is empty: it would encrypt to whoever answers.", mode),
			trust+" or set mode to \"required\"")
	case mode == TLSVerifyIdentity:
		return found(SeverityWarning, "the recipient does not verify the name in the donor's certificate",
			"The source's tls mode is \"verify-identity\". The recipient verifies who signed the certificate (clone_ssl_ca), which is all that CLONE can.", "")
	case p.config.CertFile != "" && p.recipient.facts.Variables["clone_ssl_cert"] == "":
		return found(SeverityWarning, "the recipient shows no certificate to the donor",
			"The source has a cert_file, which the runner shows to the donor; the recipient shows its clone_ssl_cert, which is empty. An account that requires a certificate does not let it in.",
			"SET GLOBAL clone_ssl_cert = '…'; SET GLOBAL clone_ssl_key = '…'; -- on the recipient")
	}
	return okay("the copy is encrypted on its way", "The recipient is told REQUIRE SSL; our own connection to the donor has %s.", p.donor.facts.TLSCipher)
}
