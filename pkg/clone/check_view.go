package clone

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// checkView: a server may have a file system of its own, as PrivateTmp of systemd makes it: what it writes to /var/tmp then lies where
// nobody else sees it, and a whole copy stays there.
func checkView(s subject) Finding {
	dir := s.target.Directory
	const fine = "the server sees the same directory"
	if dir == "" || s.target.MountedAt != "" || s.facts.NotLocal() != "" {
		return okay(fine, "The server's host is another, or the plan names no directory, or says where it is mounted, which the clone itself proves.")
	}
	pid, err := serverPID(s.facts)
	if err != nil {
		return okay(fine, "Nothing shows that it does not: which process the server is could not be found out (%v).", err)
	}
	same, err := sameView(pid, dir, s.target.observed(dir))
	switch {
	case err != nil:
		return okay(fine, "Nothing shows that it does not: its file system could not be looked into (%v).", err)
	case !same:
		return found(SeverityError, "the server sees another directory of that name",
			fmt.Sprintf("%s is not the same directory for the server, process %d, and for the runner: the server has a file system of its own, as PrivateTmp=yes of its systemd unit makes it. The copy would lie where nobody sees it.", dir, pid),
			"name a directory outside of /tmp and /var/tmp in the plan, or set PrivateTmp=no for the server's unit and start it anew")
	}
	return okay(fine, "%s is one directory for both.", dir)
}

// serverPID is the server's process on this host.
func serverPID(f *Facts) (int, error) {
	path := f.Variables["pid_file"]
	if path == "" {
		return 0, unread("the server names no pid_file")
	}
	if !filepath.IsAbs(path) {
		path = filepath.Join(f.Source.DataDir, path)
	}
	text, err := readBounded(path)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(strings.TrimSpace(string(text)))
}

// sameView reports whether a process sees under a path the directory that we see under another: the same object, whatever it is called.
func sameView(pid int, theirs, ours string) (bool, error) {
	seen, err := os.Stat(filepath.Join("/proc", strconv.Itoa(pid), "root", theirs))
	if err != nil {
		return false, err
	}
	here, err := os.Stat(ours)
	if err != nil {
		return false, err
	}
	a, ok := seen.Sys().(*syscall.Stat_t)
	b, also := here.Sys().(*syscall.Stat_t)
	return !ok || !also || a.Dev == b.Dev && a.Ino == b.Ino, nil
}
