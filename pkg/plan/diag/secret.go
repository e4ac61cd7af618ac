package diag

import (
	"strings"

	"github.com/agext/levenshtein"
)

// Secretish reports whether what has this name in a plan may be a secret: an attribute that holds one, a name that was meant to be that
// and is a letter or two off, and the other words for such things. The names of files that hold one are none.
func Secretish(name string) bool {
	const (
		secret = "password"
		file   = "passwordfile"
		near   = 2 // letters, as for what is proposed in place of an unknown name
	)
	n := strings.NewReplacer("_", "", "-", "", " ", "").Replace(strings.ToLower(name))
	if levenshtein.Distance(n, file, nil) <= near {
		return false
	}
	for _, word := range []string{secret, "passwd", "passphrase", "pwd", "secret", "token", "credential"} {
		if strings.Contains(n, word) {
			return true
		}
	}
	return n == "pass" || n == "pw" || levenshtein.Distance(n, secret, nil) <= near
}
