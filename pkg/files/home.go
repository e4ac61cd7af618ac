package files

import (
	"errors"
	"fmt"
	"os/user"
	"path/filepath"
	"strings"
)

// ErrNoHome says that it is not known what ~ stands for.
var ErrNoHome = errors.New("the home folder is not known")

// ExpandHome gives the path that one which begins with ~ stands for: ~ and ~/… lie in the folder of HOME, and where that is not set, in the home
// folder of this user's entry in passwd; ~name and ~name/… in that of another user. Any other path is as it was. getenv is os.Getenv,
// or what stands for it. The error is [ErrNoHome].
func ExpandHome(path string, getenv func(string) string) (string, error) {
	if !strings.HasPrefix(path, "~") {
		return path, nil
	}
	name, rest, _ := strings.Cut(path[1:], "/")
	home, err := homeOf(name, getenv)
	if err != nil {
		return "", err
	}
	return filepath.Join(home, rest), nil
}

func homeOf(name string, getenv func(string) string) (string, error) {
	var entry *user.User
	var err error
	switch home := getenv("HOME"); {
	case name != "":
		entry, err = user.Lookup(name)
	case filepath.IsAbs(home):
		return home, nil
	default:
		entry, err = user.Current()
	}
	if err != nil {
		return "", fmt.Errorf("expand ~%s: %w: %w", name, ErrNoHome, err)
	}
	if !filepath.IsAbs(entry.HomeDir) {
		return "", fmt.Errorf("expand ~%s: %w: passwd has %q", name, ErrNoHome, entry.HomeDir)
	}
	return entry.HomeDir, nil
}
