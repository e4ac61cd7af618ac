package clone

import (
	"errors"
	"fmt"
	"path"
	"strings"
	"unicode/utf8"
)

// quote makes a string literal for a session whose sql_mode holds NO_BACKSLASH_ESCAPES, which every
// connection of a Server is pinned to: only the quote itself is special. CLONE takes no bind
// parameters. (The manual's section "String Literals".)
func quote(s string) string {
	return "'" + strings.ReplaceAll(s, "'", "''") + "'"
}

// checkPath refuses what the server would refuse only after it had begun to write, or would take for
// another path than the one meant.
func checkPath(directory string) error {
	switch {
	case directory == "":
		return errors.New("the directory to clone into is not given")
	case !path.IsAbs(directory):
		return fmt.Errorf("the directory to clone into, %q, is not an absolute path", directory)
	case strings.ContainsRune(directory, '\\'):
		// The server makes the directory and then fails with 1525 on the first file in it.
		return fmt.Errorf("the directory to clone into, %q, holds a backslash, which the server cannot write to", directory)
	case strings.ContainsRune(directory, 0), !utf8.ValidString(directory):
		return fmt.Errorf("the directory to clone into, %q, is not valid UTF-8 text", directory)
	}
	return nil
}
