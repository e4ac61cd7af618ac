package clone

import "fmt"

// checkRemoteExternal: the recipient writes such a file to the very path that it has on the donor, outside of the staging directory. On one host
// that is the donor's own file (1086); on another, the copy that is packed would lack it.
func checkRemoteExternal(p pair) Finding {
	f := p.donor.facts
	if why, bad := f.Unknown[FactSpaces]; bad {
		return unknown("whether tables lie outside the donor's data directory", why, "GRANT PROCESS ON *.* TO "+quoteAccount(f.Account.User)+";")
	}
	if len(f.External) == 0 {
		return okay("no table lies outside the donor's data directory", "%d tablespaces were looked at.", len(f.Spaces))
	}
	names := []string{}
	for _, t := range f.External {
		names = append(names, t.Name+" at "+t.Path)
	}
	return found(SeverityError, "tables lie outside the donor's data directory",
		fmt.Sprintf("The recipient writes such a file to the same path on its own host, outside of the staging directory, so the backup would lack it; and fails where the file is there. These are not below %s, or were created with an absolute path: %s.", f.Source.DataDir, most(names)),
		moveInside(f.External[0]))
}

// checkRemoteEncryption: what is encrypted is sent in clear text within TLS only (3872), and sealed anew with the recipient's keyring.
func checkRemoteEncryption(p pair) Finding {
	f := p.donor.facts
	if why, bad := f.Unknown[FactSpaces]; bad {
		return unknown("whether tablespaces are encrypted", why, "GRANT PROCESS ON *.* TO "+quoteAccount(f.Account.User)+";")
	}
	what := f.EncryptedParts()
	if len(what) == 0 {
		return okay("nothing is encrypted", "No tablespace, redo or undo log of the donor is.")
	}
	encrypted := fmt.Sprintf("Encrypted: %s.", most(what))
	keyring, hidden := p.recipient.facts.Keyring, p.recipient.facts.Unknown[FactKeyring]
	const ask = "SELECT * FROM performance_schema.keyring_component_status; -- on the recipient; says where the keyring's file is"
	switch {
	case p.config.TLSMode == TLSDisabled:
		return found(SeverityError, "encrypted tablespaces are not sent in clear", "The source's tls mode is \"disabled\", and the donor sends what is encrypted over TLS only. "+encrypted,
			"set mode to \"required\" in the block tls of the source")
	case hidden != "":
		return unknown("whether the recipient has a keyring", hidden, ask)
	case keyring.Name == "":
		return found(SeverityError, "the recipient has no keyring", "It seals the keys of encrypted tablespaces with its own keyring, and shows none. "+encrypted, "set up a keyring component on the recipient, and restart it")
	}
	return found(SeverityWarning, "the recipient's keyring must be backed up separately",
		fmt.Sprintf("A copy of what is encrypted starts only with the keyring of the recipient, %s, which seals its keys and is not in the copy. %s", keyring.Name, encrypted), ask)
}
