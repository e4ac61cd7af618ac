package clone

import (
	"bufio"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"runner/pkg/files"
)

// errNoUUID says that auto.cnf was there and held no server_uuid.
var errNoUUID = errors.New("it holds no server_uuid")

// hostUUID reads the server_uuid that the data directory's auto.cnf holds: the one file that a running
// server writes, that names it and nobody else, and that is where the server says its data is.
func hostUUID(datadir string) (uuid string, err error) {
	path := filepath.Join(datadir, "auto.cnf")
	file, err := files.Open(path)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		name, value, ok := strings.Cut(lines.Text(), "=")
		name = strings.ReplaceAll(strings.TrimSpace(name), "-", "_")
		if ok && name == "server_uuid" {
			return strings.TrimSpace(value), nil
		}
	}
	if err := lines.Err(); err != nil {
		return "", fmt.Errorf("read %s: %w", path, err)
	}
	return "", fmt.Errorf("read %s: %w", path, errNoUUID)
}

// serverOwner is the user that mysqld runs as, by who owns its data directory.
func serverOwner(datadir string) (owner, error) {
	if o, err := ownerOf(filepath.Join(datadir, "auto.cnf")); err == nil {
		return o, nil
	}
	return ownerOf(datadir)
}
