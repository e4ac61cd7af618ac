package archive

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"filippo.io/age"
	"filippo.io/age/agessh"
	"golang.org/x/crypto/ssh"
)

// Identity is a secret key that opens what is encrypted for its recipient; see [ParseIdentities].
type Identity = age.Identity

// maxIdentities is the largest identity file that is read, in bytes; a key takes some 200, one that
// is safe against quantum computers some 2000.
const maxIdentities = 1 << 20

// maxRecipients keeps below the 1024 that age reads in the header of a file.
const maxRecipients = 1000

// RecipientError says what is wrong with a recipient.
type RecipientError struct {
	Recipient string // empty where it is not to be shown
	What      string
}

func (e *RecipientError) Error() string {
	if e.Recipient == "" {
		return "recipients: " + e.What
	}
	return fmt.Sprintf("recipient %q: %s", e.Recipient, e.What)
}

// parseRecipients gives the recipients that are written as `age -r` takes them: age1…, age1pq1…,
// or an SSH public key of the type ssh-ed25519 or ssh-rsa. The error is a [*RecipientError].
func parseRecipients(texts []string) ([]age.Recipient, error) {
	if len(texts) > maxRecipients {
		return nil, &RecipientError{What: fmt.Sprintf("there are %d, and at most %d can be", len(texts), maxRecipients)}
	}
	recipients := make([]age.Recipient, len(texts))
	for i, text := range texts {
		var err error
		switch {
		case strings.HasPrefix(text, "age1pq1"):
			recipients[i], err = age.ParseHybridRecipient(text)
		case strings.HasPrefix(text, "age1"):
			recipients[i], err = age.ParseX25519Recipient(text)
		case strings.HasPrefix(text, "ssh-"):
			recipients[i], err = agessh.ParseRecipient(text)
		default:
			// It may be a secret key, which is no text for an error.
			return nil, &RecipientError{What: "one is neither age1… nor an SSH public key"}
		}
		if err != nil {
			return nil, &RecipientError{Recipient: text, What: err.Error()}
		}
	}
	return recipients, nil
}

var (
	// ErrNoIdentities says that an identity file holds none.
	ErrNoIdentities = errors.New("no identity is in it")
	errProtected    = errors.New("it is protected by a passphrase: give what it holds once decrypted")
)

// ParseIdentities reads an identity file: one that age-keygen wrote, with a secret key a line, or a
// private SSH key (ed25519 or RSA). An error never shows anything of the file; it is
// [ErrNoIdentities] where there is nothing but comments.
func ParseIdentities(r io.Reader) ([]Identity, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxIdentities+1))
	switch {
	case err != nil:
		return nil, err
	case len(text) > maxIdentities:
		return nil, fmt.Errorf("larger than %d bytes", maxIdentities)
	case bytes.HasPrefix(text, []byte("age-encryption.org/")), bytes.HasPrefix(text, []byte("-----BEGIN AGE ENCRYPTED FILE-----")):
		return nil, errProtected
	case bytes.HasPrefix(text, []byte("-----BEGIN ")):
		return sshIdentity(text)
	}
	var identities []Identity
	for i, line := range strings.Split(string(text), "\n") {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		identity, err := parseIdentity(line)
		if err != nil {
			return nil, fmt.Errorf("line %d is no identity as age-keygen writes it (AGE-SECRET-KEY-1…)", i+1)
		}
		identities = append(identities, identity)
	}
	if len(identities) == 0 {
		return nil, ErrNoIdentities
	}
	return identities, nil
}

func parseIdentity(line string) (Identity, error) {
	if strings.HasPrefix(line, "AGE-SECRET-KEY-PQ-1") {
		return age.ParseHybridIdentity(line)
	}
	return age.ParseX25519Identity(line)
}

func sshIdentity(text []byte) ([]Identity, error) {
	identity, err := agessh.ParseIdentity(text)
	var missing *ssh.PassphraseMissingError
	switch {
	case errors.As(err, &missing):
		return nil, errProtected
	case err != nil:
		return nil, errors.New("it is no private SSH key of the types ed25519 and RSA")
	}
	return []Identity{identity}, nil
}
