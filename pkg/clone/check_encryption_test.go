package clone

import (
	"strings"
	"testing"
)

func TestTheKeyringOfWhatIsEncryptedIsNotInTheBackup(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(*Facts)
		want  Severity
		says  string
	}{
		"tablespace": {func(f *Facts) {
			f.Encrypted, f.Keyring = []Tablespace{{Name: "a/secret"}}, Keyring{Name: "component_keyring_file"}
		}, SeverityWarning, "The keyring is component_keyring_file. Encrypted: a/secret."},
		"redo log":        {func(f *Facts) { f.Variables["innodb_redo_log_encrypt"] = "ON" }, SeverityWarning, "innodb_redo_log_encrypt"},
		"undo log":        {func(f *Facts) { f.Variables["innodb_undo_log_encrypt"] = "ON" }, SeverityWarning, "shows no keyring now"},
		"unknown keyring": {func(f *Facts) { f.Encrypted, f.Unknown[FactKeyring] = []Tablespace{{Name: "a/b"}}, "denied" }, SeverityWarning, "denied"},
		"unknown":         {func(f *Facts) { f.Unknown[FactSpaces] = "denied" }, SeverityUnknown, "denied"},
	} {
		s := healthy(t)
		c.spoil(s.facts)
		if f := s.check(t, CodeEncryption); f.Severity != c.want || !strings.Contains(f.Detail, c.says) || f.Hint == "" {
			t.Errorf("%s: got %+v", name, f)
		}
	}
}
