package manifest

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
)

// Reseal gives changed bytes of a manifest the digest that belongs to them, where they have a
// place for it.
func Reseal(data []byte) []byte {
	at := bytes.Index(data, []byte(digestKey)) + len(digestKey)
	if at < len(digestKey) || len(data) < at+2*sha256.Size {
		return data
	}
	data = bytes.Clone(data)
	copy(data[at:], noDigest)
	sum := sha256.Sum256(data)
	hex.Encode(data[at:], sum[:])
	return data
}

// Canonical gives the canonical form.
func Canonical(data []byte) ([]byte, error) {
	var out bytes.Buffer
	err := writeCanonical(&out, data)
	return out.Bytes(), err
}

// IsCanonical says whether data is in it.
func IsCanonical(data []byte) (bool, error) { return isCanonical(data) }

// IsTwice says whether the error is of a key that occurs twice.
func IsTwice(err error) bool { return errors.Is(err, errTwice) }
