package clone

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"

	"runner/pkg/files"
)

// What can be wrong with the text of a file of a source.
var (
	errEmpty     = errors.New("it is empty")
	errEmptyLine = errors.New("its first line is empty")
	errNotText   = errors.New("its first line has a byte in it that no password has: a zero, or a carriage return")
	errUTF16     = errors.New("it is in UTF-16")
)

// fileError is a file of the source that cannot be used. It never holds what is in the file.
type fileError struct {
	what string // "password file"
	path string
	err  error
}

func (e *fileError) Error() string {
	var at *os.PathError
	if errors.As(e.err, &at) {
		return e.err.Error() // has the path
	}
	return fmt.Sprintf("%s %s: %v", e.what, e.path, e.err)
}

func (e *fileError) Unwrap() error { return e.err }

// Hint returns what makes the file readable; "" where nothing is known.
func (e *fileError) Hint() string {
	path := shellQuote(e.path)
	switch {
	case errors.Is(e.err, syscall.ENOENT):
		return fmt.Sprintf("make the file, or name another %s in the source: ls -l %s", e.what, path)
	case errors.Is(e.err, syscall.EACCES), errors.Is(e.err, syscall.EPERM):
		return fmt.Sprintf("let this user read the %s: namei -l %s", e.what, path)
	case errors.Is(e.err, syscall.EISDIR):
		return fmt.Sprintf("name a file and not a folder as the %s: ls -ld %s", e.what, path)
	case errors.Is(e.err, syscall.ENOTDIR):
		return fmt.Sprintf("a folder in the path of the %s is a file: namei -l %s", e.what, path)
	case errors.Is(e.err, syscall.ELOOP):
		return fmt.Sprintf("the links in the path of the %s lead back to themselves: namei -l %s", e.what, path)
	case errors.Is(e.err, syscall.ENAMETOOLONG):
		return fmt.Sprintf("give the %s a shorter path: a name has at most 255 bytes, a path 4095", e.what)
	case errors.Is(e.err, errEmpty), errors.Is(e.err, errEmptyLine):
		return fmt.Sprintf("write the password into the first line of the %s; an account without one needs none: take password_file out of the source", e.what)
	case errors.Is(e.err, errUTF16):
		return fmt.Sprintf("save it in UTF-8: iconv -f UTF-16 -t UTF-8 %s", path)
	}
	return ""
}

// maxText is the most bytes of a password file or an option file.
const maxText = 1 << 20

// readBounded reads a file, which may be a pipe that a shell has made for it.
func readBounded(path string) (data []byte, err error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	data, err = io.ReadAll(io.LimitReader(file, maxText+1))
	if err == nil && len(data) > maxText {
		err = &files.TooLargeError{Path: path, Most: maxText}
	}
	return data, err
}

// readText reads a file of the source as text, without the byte order mark that editors put before UTF-8. Errors are *fileError.
func readText(what, path string) (string, error) {
	data, err := readBounded(path)
	if err != nil {
		return "", &fileError{what: what, path: path, err: err}
	}
	text := strings.TrimPrefix(string(data), "\ufeff")
	if strings.HasPrefix(text, "\xff\xfe") || strings.HasPrefix(text, "\xfe\xff") {
		return "", &fileError{what: what, path: path, err: errUTF16}
	}
	return text, nil
}
