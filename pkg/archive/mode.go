package archive

import (
	"fmt"
	"io/fs"
	"strconv"
)

// Mode is the permission bits of a member with setuid, setgid and sticky, as chmod takes them.
// In the index it is a string of octal digits.
type Mode uint32

// The bits of chmod(2) above the permissions.
const (
	modeSetuid Mode = 0o4000
	modeSetgid Mode = 0o2000
	modeSticky Mode = 0o1000
	modeAll    Mode = 0o7777
)

func modeOf(m fs.FileMode) Mode {
	mode := Mode(m.Perm())
	if m&fs.ModeSetuid != 0 {
		mode |= modeSetuid
	}
	if m&fs.ModeSetgid != 0 {
		mode |= modeSetgid
	}
	if m&fs.ModeSticky != 0 {
		mode |= modeSticky
	}
	return mode
}

// FileMode gives m as package os takes it.
func (m Mode) FileMode() fs.FileMode {
	mode := fs.FileMode(m).Perm()
	if m&modeSetuid != 0 {
		mode |= fs.ModeSetuid
	}
	if m&modeSetgid != 0 {
		mode |= fs.ModeSetgid
	}
	if m&modeSticky != 0 {
		mode |= fs.ModeSticky
	}
	return mode
}

// MarshalText gives four octal digits.
func (m Mode) MarshalText() ([]byte, error) { return fmt.Appendf(nil, "%04o", uint32(m)), nil }

// UnmarshalText reads four octal digits.
func (m *Mode) UnmarshalText(text []byte) error {
	n, err := strconv.ParseUint(string(text), 8, 32)
	if err != nil || len(text) != 4 || Mode(n) > modeAll {
		return fmt.Errorf("mode %q is not four octal digits", text)
	}
	*m = Mode(n)
	return nil
}
