package clone

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
)

// NotLocal says why the server's files can't be read from here; "": they can.
func (f *Facts) NotLocal() string {
	uuid, err := hostUUID(f.Source.DataDir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "the server is on another host"
	case err != nil:
		return "its files can't be read: " + err.Error()
	case !strings.EqualFold(uuid, f.Source.ServerUUID):
		return "the server is on another host"
	}
	return ""
}

// checkSameHost proves that the server's files are ours to see: mode local reads them by their paths.
func checkSameHost(s subject) Finding {
	src := s.facts.Source
	uuid, err := hostUUID(src.DataDir)
	file := filepath.Join(src.DataDir, "auto.cnf")
	const differs = "the server is on another host"
	switch {
	case err == nil && src.ServerUUID == "":
		return unknown("whether the server is on this host", "the server does not say its server_uuid", "SELECT @@server_uuid;")
	case err == nil && strings.EqualFold(uuid, src.ServerUUID):
		return okay("the server is on this host", "%s holds the server_uuid %s, which is the server's.", file, uuid)
	case err == nil:
		return found(SeverityError, differs, fmt.Sprintf("%s here holds the server_uuid %s, and the server's is %s.", file, uuid, src.ServerUUID),
			"run runner on the server's host "+src.Host)
	case errors.Is(err, fs.ErrNotExist) && s.target.MountedAt != "":
		// In a container the data directory has its own path; the plan vouches for the staging directory only.
		return found(SeverityWarning, "the host is not proved yet", fmt.Sprintf("There is no %s here, which may be as it should since the plan says mounted_at. The clone is stopped if its directory does not appear there.", file), "")
	case errors.Is(err, fs.ErrNotExist):
		return found(SeverityError, differs, fmt.Sprintf("There is no %s here, where the server says its data is.", file),
			"run runner on the server's host "+src.Host+", or set clone.mounted_at to where that host's directory is seen here")
	}
	return unknown("whether the server is on this host", err.Error(), "run runner as root, or as the user of mysqld: sudo -u mysql runner …")
}
