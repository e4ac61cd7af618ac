package clone

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path"
	"strconv"
	"strings"
)

// maxDestination is the length of clone_status.DESTINATION, by which a clone is recognised; the server adds a slash.
const maxDestination = 512

// checkStagingPath: CLONE takes absolute paths only (1525), outside the data directory (3632).
func checkStagingPath(s subject) Finding {
	t, datadir := s.target, s.facts.Source.DataDir
	const bad = "the staging path is not one that CLONE takes"
	hint := "set clone.directory in the plan to a directory outside " + datadir
	if err := checkPath(t.Staging); err != nil {
		return found(SeverityError, bad, upperFirst(err.Error())+".", hint)
	}
	if len(t.Staging) >= maxDestination {
		return found(SeverityError, bad, fmt.Sprintf("%s is longer than the %d bytes that the server keeps of it.", t.Staging, maxDestination-1), hint)
	}
	if datadir != "" && within(datadir, t.Staging) {
		return found(SeverityError, "the staging path is inside the data directory", fmt.Sprintf("%s is inside %s, where the server refuses to clone to.", t.Staging, datadir), hint)
	}
	if t.MountedAt != "" {
		// Links of the server's view of its files cannot be followed from here.
		return okay("the staging path is outside the data directory", "%s is not below %s, by its name.", t.Staging, datadir)
	}
	real, err := resolved(t.Staging)
	if err != nil {
		return unknown("where the staging path leads", err.Error(), "ls -ld "+shellQuote(t.Directory))
	}
	realData, err := resolved(datadir)
	if err == nil && (within(realData, real) || liesIn(realData, real)) {
		return found(SeverityError, "the staging path is inside the data directory", fmt.Sprintf("%s leads to %s, which is inside the data directory %s.", t.Staging, real, realData), hint)
	}
	return okay("the staging path is outside the data directory", "%s is not below %s.", real, datadir)
}

func checkStagingParent(s subject) Finding {
	dir := s.target.observed(s.target.Directory)
	const bad = "the staging directory's parent cannot be used"
	info, err := os.Stat(dir)
	switch {
	case dir == "":
		return found(SeverityError, bad, "The plan names no clone.directory.", "set clone.directory in the plan")
	case errors.Is(err, fs.ErrNotExist):
		return found(SeverityError, bad, dir+" does not exist. The server might make it, with a mode and an owner that nobody chose.", makeDirectory(s, dir))
	case err != nil:
		return found(SeverityError, bad, upperFirst(err.Error())+".", "run runner as root, or as the user of mysqld")
	case !info.IsDir():
		return found(SeverityError, bad, dir+" is not a directory.", "set clone.directory in the plan to a directory")
	}
	if _, err := os.ReadDir(dir); err != nil {
		return found(SeverityError, bad, upperFirst(err.Error())+". The copy has to be read from there.", "run runner as root, or as the user of mysqld")
	}
	return okay("the staging directory's parent is there", "%s is a directory that we can read.", dir)
}

// makeDirectory is how the parent is made so that mysqld can write to it.
func makeDirectory(s subject, dir string) string {
	name := "mysql"
	if o, err := serverOwner(s.facts.Source.DataDir); err == nil {
		name = userName(o.uid)
	}
	return fmt.Sprintf("install -d -m 0750 -o %s %s", name, shellQuote(dir))
}

// checkStagingAbsent: CLONE makes the directory itself (1007).
func checkStagingAbsent(s subject) Finding {
	if s.target.Staging == "" {
		return unknown("whether the staging directory is absent", "its name is not known yet", "")
	}
	dir := s.target.observed(s.target.Staging)
	_, err := os.Lstat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return okay("the staging directory is absent", "%s does not exist; the server makes it.", dir)
	case errors.Is(err, fs.ErrPermission):
		return unknown("whether the staging directory is absent", err.Error(), "run runner as root, or as the user of mysqld")
	case err != nil:
		return found(SeverityError, "the staging directory cannot be made", upperFirst(err.Error())+".", "ls -ld "+shellQuote(dir))
	}
	return found(SeverityError, "the staging directory exists", dir+" is there already, and the server refuses to clone over anything.",
		"ls -la "+shellQuote(dir)+" # whose is it? runner runs shows unfinished runs")
}

// checkStagingReadable: mysqld makes files of mode 0640 in directories of mode 0750.
func checkStagingReadable(s subject) Finding {
	o, err := serverOwner(s.facts.Source.DataDir)
	if err != nil {
		if os.Geteuid() == 0 {
			return okay("the copy will be readable", "We run as root.")
		}
		return unknown("whether the copy will be readable", err.Error(), "run runner as root, or as the user of mysqld")
	}
	readable, err := mayRead(o.uid, o.gid)
	if err != nil {
		return unknown("whether the copy will be readable", err.Error(), "id")
	}
	if !readable && !provedByReading(s.facts.Source.DataDir, o) {
		return found(SeverityError, "the copy will not be readable",
			fmt.Sprintf("The server makes files that only its user %s and group %s may read, and we are user %s and in none of its groups.", userName(o.uid), groupName(o.gid), userName(uint32(os.Geteuid()))),
			"run runner as root, or: sudo -u "+userName(o.uid)+" runner …")
	}
	return okay("the copy will be readable", "The server's files belong to %s and %s, and we may read those.", userName(o.uid), groupName(o.gid))
}

// provedByReading reports whether we can read a file of the server's that not everybody can, by a capability or an
// access control list for instance.
func provedByReading(datadir string, o owner) bool {
	const others = 0o004
	if o.mode.Perm()&others != 0 {
		return false
	}
	_, err := hostUUID(datadir)
	return err == nil
}

// checkStagingWritable goes by owners and modes: what access control lists, AppArmor and SELinux say cannot be seen from here.
func checkStagingWritable(s subject) Finding {
	const what = "whether the server may write the staging directory"
	dir := s.target.observed(s.target.Directory)
	o, err := serverOwner(s.facts.Source.DataDir)
	if err != nil {
		return unknown(what, err.Error(), "ls -ld "+shellQuote(dir))
	}
	may, where, err := mayWriteBelow(dir, o.uid, o.gid)
	if err != nil {
		return unknown(what, err.Error(), "ls -ld "+shellQuote(dir))
	}
	name := userName(o.uid)
	switch may {
	case no:
		return found(SeverityError, "the server may not write the staging directory",
			fmt.Sprintf("mysqld runs as %s, which by owner and mode may not make a directory in %s: %s stands in the way.", name, dir, where),
			fmt.Sprintf("chown %s %s # and chmod o+x for the directories above it", name, shellQuote(dir)))
	case perhaps:
		return found(SeverityWarning, "the server may not be allowed to write the staging directory",
			fmt.Sprintf("mysqld runs as %s. The mode of %s leaves it to a group or an access control list.", name, where), "sudo -u "+name+" test -w "+shellQuote(dir)+" && echo yes")
	}
	return okay("the server may write the staging directory", "mysqld runs as %s, which by owner and mode may make a directory in %s.", name, dir)
}

func userName(uid uint32) string {
	id := strconv.FormatUint(uint64(uid), 10)
	if u, err := user.LookupId(id); err == nil {
		return u.Username
	}
	return id
}

func groupName(gid uint32) string {
	id := strconv.FormatUint(uint64(gid), 10)
	if g, err := user.LookupGroupId(id); err == nil {
		return g.Name
	}
	return id
}

// shellQuote quotes a path for a POSIX shell when it has to be.
func shellQuote(p string) string {
	plain := strings.IndexFunc(p, func(r rune) bool {
		return !strings.ContainsRune("/._-+:@%", r) && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	}) < 0
	if plain && p != "" {
		return p
	}
	return "'" + strings.ReplaceAll(p, "'", `'\''`) + "'"
}

func upperFirst(s string) string {
	if s == "" || path.IsAbs(s) {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}
