package clone

import (
	"fmt"

	"runner/pkg/clone/internal/recipient"
)

// checkEncryption: the copy of an encrypted tablespace is of no use without the source's keyring, which is not part of it.
func checkEncryption(s subject) Finding {
	f := s.facts
	if why, bad := f.Unknown[FactSpaces]; bad {
		return unknown("whether tablespaces are encrypted", why, "GRANT PROCESS ON *.* TO "+quoteAccount(f.Account.User)+";")
	}
	what := f.EncryptedParts()
	if len(what) == 0 {
		return okay("nothing is encrypted", "No tablespace, redo or undo log is.")
	}
	if s.target.streams() {
		return s.streamedKeys(what)
	}
	keyring := "The keyring is " + f.Keyring.Name
	if why, bad := f.Unknown[FactKeyring]; bad {
		keyring = "Which keyring is used could not be found out (" + why + ")"
	} else if f.Keyring.Name == "" {
		keyring = "The server shows no keyring now"
	}
	return found(SeverityWarning, "the keyring must be backed up separately",
		fmt.Sprintf("A copy of what is encrypted starts only with the source's keyring, which CLONE does not copy. %s. Encrypted: %s.", keyring, most(what)),
		"SELECT * FROM performance_schema.keyring_component_status; -- says where the keyring's file is")
}

const hintEncrypt = "add encrypt { recipients = [\"age1…\"] } to the job, or set clone.mode = \"local\""

// streamedKeys: over the protocol the keys of tablespaces come in clear, so they are in the archive.
func (s subject) streamedKeys(what []string) Finding {
	if !s.target.Encrypted {
		return found(SeverityError, "the archive must be encrypted",
			fmt.Sprintf("Over the clone protocol the keys of encrypted tablespaces come in clear, and would be in an archive that anybody can read. Encrypted: %s.", most(what)),
			hintEncrypt)
	}
	return found(SeverityWarning, "the copy has its own keyring",
		fmt.Sprintf("The keys of what is encrypted are sealed with a key made for this copy, which is in it: %s, for component_keyring_file. Whoever can decrypt the archive can read them. Encrypted: %s.", recipient.KeyringStore, most(what)),
		"after a restore: ALTER INSTANCE ROTATE INNODB MASTER KEY; -- once the server has the keyring that it is to keep")
}
