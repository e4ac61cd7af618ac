package archive

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"encoding/pem"
	"errors"
	"strings"
	"testing"

	"filippo.io/age"
	"golang.org/x/crypto/ssh"

	"runner/pkg/archive/codec"
	"runner/pkg/archive/store/storetest"
)

// sshKey gives a private key as ssh-keygen writes it, and its public key.
func sshKey(t testing.TB, key any, passphrase string) (private, public string) {
	t.Helper()
	var block *pem.Block
	var err error
	if passphrase == "" {
		block, err = ssh.MarshalPrivateKey(key, "dba@example.org")
	} else {
		block, err = ssh.MarshalPrivateKeyWithPassphrase(key, "dba@example.org", []byte(passphrase))
	}
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(block)), strings.TrimSpace(string(ssh.MarshalAuthorizedKey(signer.PublicKey())))
}

func ed25519Key(t testing.TB) ed25519.PrivateKey {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func TestEveryKindOfKeyOpensWhatIsEncryptedForIt(t *testing.T) {
	hybrid, err := age.GenerateHybridIdentity()
	if err != nil {
		t.Fatal(err)
	}
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	plain := newIdentity(t)
	edPrivate, edPublic := sshKey(t, ed25519Key(t), "")
	rsaPrivate, rsaPublic := sshKey(t, rsaKey, "")
	dir := smallFolder(t)
	for name, c := range map[string][2]string{
		"age":         {plain.Recipient().String(), "# created: 2026-11-22\n# public key: …\n\n" + plain.String() + "\n"},
		"age hybrid":  {hybrid.Recipient().String(), hybrid.String()},
		"ssh-ed25519": {edPublic + " a comment", edPrivate},
		"ssh-rsa":     {rsaPublic, rsaPrivate},
	} {
		m := storetest.NewMemory()
		o := options(codec.Zstd)
		o.Recipients = []string{c[0]}
		pack(t, Dir(dir), m, o)
		identities, err := ParseIdentities(strings.NewReader(c[1]))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		b, err := Open(t.Context(), m, identities...)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if _, err := b.Verify(t.Context(), VerifyOptions{}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := Open(t.Context(), m, newIdentity(t)); !errors.Is(err, ErrWrongIdentity) {
			t.Errorf("%s, with another key: %v", name, err)
		}
	}
}

func TestFilesWithoutAnIdentityAreRefusedAndNotShown(t *testing.T) {
	protected, public := sshKey(t, ed25519Key(t), "passphrase")
	secret := newIdentity(t).String()
	mistyped := secret[:len(secret)-1] + "X"
	if mistyped == secret {
		mistyped = secret[:len(secret)-1] + "Q"
	}
	for name, c := range map[string]struct{ text, says string }{
		"empty":               {"", "no identity is in it"},
		"comments":            {"# public key: age1…\n\n", "no identity is in it"},
		"a recipient":         {newIdentity(t).Recipient().String(), "line 1 is no identity"},
		"an SSH public key":   {public, "line 1 is no identity"},
		"a mistyped key":      {"# mine\n" + mistyped + "\n", "line 2 is no identity"},
		"a second bad key":    {secret + "\nAGE-SECRET-KEY-1", "line 2 is no identity"},
		"a protected SSH key": {protected, "protected by a passphrase"},
		"an encrypted file":   {"age-encryption.org/v1\n-> scrypt", "protected by a passphrase"},
		"an armored file":     {"-----BEGIN AGE ENCRYPTED FILE-----\nAGE", "protected by a passphrase"},
		"a certificate":       {"-----BEGIN CERTIFICATE-----\nAGE\n-----END CERTIFICATE-----\n", "no private SSH key"},
		"too large":           {strings.Repeat("#\n", maxIdentities), "larger than"},
	} {
		got, err := ParseIdentities(strings.NewReader(c.text))
		if err == nil || got != nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, %v", name, got, err)
			continue
		}
		if end := len(c.text) - 8; end > 12 && strings.Contains(err.Error(), c.text[end-12:end]) {
			t.Errorf("%s is shown: %v", name, err)
		}
	}
}

// FuzzIdentities looks for a file that makes the reader panic, or gives neither identities nor an error.
func FuzzIdentities(f *testing.F) {
	private, _ := sshKey(f, ed25519Key(f), "")
	for _, seed := range []string{"", "# comment\n", newIdentity(f).String(), private, "AGE-SECRET-KEY-PQ-1", "-----BEGIN "} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if identities, err := ParseIdentities(strings.NewReader(text)); (err == nil) != (len(identities) > 0) {
			t.Errorf("%d identities, %v", len(identities), err)
		}
	})
}
