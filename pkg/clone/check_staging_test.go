package clone

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestTheStagingPathIsOneThatCloneTakes(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(t *testing.T, s *subject)
		want  Severity
		says  string
	}{
		"fine":     {func(*testing.T, *subject) {}, SeverityOK, "is not below"},
		"relative": {func(_ *testing.T, s *subject) { s.target.Staging = "staging/run-1" }, SeverityError, "not an absolute path"},
		"none":     {func(_ *testing.T, s *subject) { s.target.Staging = "" }, SeverityError, "not given"},
		"too long": {func(_ *testing.T, s *subject) { s.target.Staging = "/" + strings.Repeat("x", 511) }, SeverityError, "511 bytes"},
		"inside":   {func(_ *testing.T, s *subject) { s.target.Staging = s.facts.Source.DataDir + "x/run-1" }, SeverityError, "is inside"},
		"the same": {func(_ *testing.T, s *subject) { s.target.Staging = strings.TrimSuffix(s.facts.Source.DataDir, "/") }, SeverityError, "is inside"},
		"round":    {func(_ *testing.T, s *subject) { s.target.Staging = s.target.Directory + "/../data/x" }, SeverityError, "is inside"},
		"prefix": {func(_ *testing.T, s *subject) {
			s.target.Staging = strings.TrimSuffix(s.facts.Source.DataDir, "/") + "-copy/run-1"
		}, SeverityOK, "is not below"},
		"by a link": {linkedStaging, SeverityError, "leads to"},
		"data link": {linkedData, SeverityError, "leads to"},
		"seen elsewhere": {func(_ *testing.T, s *subject) {
			s.target.Directory, s.target.MountedAt, s.target.Staging = "/clone", s.target.Directory, "/clone/run-1"
		}, SeverityOK, "by its name"},
	} {
		s := healthy(t)
		c.spoil(t, &s)
		if f := s.check(t, CodeStagingPath); f.Severity != c.want || !strings.Contains(f.Detail, c.says) {
			t.Errorf("%s: got %+v", name, f)
		}
	}
}

// linkedStaging has the staging directory's parent lead into the data directory.
func linkedStaging(t *testing.T, s *subject) {
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(s.facts.Source.DataDir, link); err != nil {
		t.Fatal(err)
	}
	s.target.Directory, s.target.Staging = link, filepath.Join(link, "a", "run-1")
}

// linkedData has the server call its data directory by a link.
func linkedData(t *testing.T, s *subject) {
	link := filepath.Join(t.TempDir(), "mysql")
	if err := os.Symlink(s.facts.Source.DataDir, link); err != nil {
		t.Fatal(err)
	}
	s.target.Staging = filepath.Join(s.facts.Source.DataDir, "run-1")
	s.facts.Source.DataDir = link
}

func TestTheStagingParentIsADirectoryThatIsThere(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(t *testing.T, s *subject)
		want  Severity
		says  string
		hint  string
	}{
		"absent": {func(_ *testing.T, s *subject) { s.target.Directory = "/nowhere/clone" }, SeverityError, "does not exist", "install -d -m 0750 -o "},
		"a file": {func(t *testing.T, s *subject) { s.target.Directory = write(t, filepath.Join(t.TempDir(), "f"), "") }, SeverityError, "not a directory", "clone.directory"},
		"none":   {func(_ *testing.T, s *subject) { s.target.Directory = "" }, SeverityError, "names no clone.directory", "clone.directory"},
		"below a file": {func(t *testing.T, s *subject) {
			s.target.Directory = filepath.Join(write(t, filepath.Join(t.TempDir(), "f"), ""), "x")
		}, SeverityError, "not a directory", "run runner as"},
		"seen elsewhere": {func(_ *testing.T, s *subject) {
			s.target.Directory, s.target.MountedAt = "/nowhere/clone", s.target.Directory
		}, SeverityOK, "can read", ""},
	} {
		s := healthy(t)
		c.spoil(t, &s)
		f := s.check(t, CodeStagingParent)
		if f.Severity != c.want || !strings.Contains(f.Detail, c.says) || !strings.Contains(f.Hint, c.hint) {
			t.Errorf("%s: got %+v", name, f)
		}
	}
}

func TestTheStagingDirectoryMustNotBeThere(t *testing.T) {
	s := healthy(t)
	if err := os.Mkdir(s.target.Staging, 0o700); err != nil {
		t.Fatal(err)
	}
	if f := s.check(t, CodeStagingAbsent); f.Severity != SeverityError {
		t.Errorf("a directory: %+v", f)
	}
	s = healthy(t)
	// A link that leads nowhere is something too.
	if err := os.Symlink("/nowhere", s.target.Staging); err != nil {
		t.Fatal(err)
	}
	if f := s.check(t, CodeStagingAbsent); f.Severity != SeverityError {
		t.Errorf("a link: %+v", f)
	}
	s = healthy(t)
	s.target.Staging = ""
	if f := s.check(t, CodeStagingAbsent); f.Severity != SeverityUnknown {
		t.Errorf("no name: %+v", f)
	}
}

func TestPathsAreSeenWhereTheyAreMounted(t *testing.T) {
	for _, c := range []struct{ directory, mounted, path, want string }{
		{"/clone", "", "/clone/run", "/clone/run"},
		{"/clone", "/mnt/c", "/clone/run", "/mnt/c/run"},
		{"/clone/", "/mnt/c/", "/clone/run/x", "/mnt/c/run/x"},
		{"/clone", "/mnt/c", "/clone", "/mnt/c"},
		{"/clone", "/mnt/c", "/clones/run", "/clones/run"},
	} {
		if got := (Target{Directory: c.directory, MountedAt: c.mounted}).observed(c.path); filepath.Clean(got) != c.want {
			t.Errorf("%+v: got %s", c, got)
		}
	}
}

func TestPermissionsAreToldByOwnerAndMode(t *testing.T) {
	const uid, gid = 999, 998
	for _, c := range []struct {
		owner uint32
		group uint32
		mode  fs.FileMode
		want  answer
	}{
		{uid, gid, 0o700, yes},
		{uid, gid, 0o500, no},
		{0, gid, 0o770, yes},
		{0, gid, 0o757, no}, // the group's bits alone count for the group
		{0, 0, 0o777, yes},
		{0, 0, 0o755, no},
		{0, 0, 0o770, perhaps}, // it may be in the group, or on a list
		{uid, 0, 0o077, no},    // the owner's bits alone count for the owner
	} {
		o := owner{uid: c.owner, gid: c.group, mode: c.mode}
		if got := o.mayUse(uid, gid, 0o3); got != c.want {
			t.Errorf("%+v: got %d", c, got)
		}
		if o.mayUse(0, 0, 0o3) != yes {
			t.Errorf("%+v stops root", c)
		}
	}
}

// openTemp is a folder that everybody may pass, unlike that of a test.
func openTemp(t *testing.T) string {
	t.Helper()
	base, err := os.MkdirTemp("", "runner-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(base); err != nil {
			t.Error(err)
		}
	})
	if err := os.Chmod(base, 0o755); err != nil {
		t.Fatal(err)
	}
	return base
}

// as runs f as another user, in the group and the groups of root still.
func as(t *testing.T, uid int, f func()) {
	t.Helper()
	if err := syscall.Seteuid(uid); err != nil {
		t.Fatalf("become user %d (run the tests as root): %v", uid, err)
	}
	defer func() {
		if err := syscall.Seteuid(0); err != nil {
			t.Fatal(err)
		}
	}()
	f()
}

func TestWhoeverIsNotTheServersUserNorInItsGroupCannotReadTheCopy(t *testing.T) {
	const mysql, somebody = 54321, 54322
	for name, c := range map[string]struct {
		uid, group int
		mode       fs.FileMode
		readable   Severity
		host       Severity
	}{
		"root":             {0, mysql, 0o640, SeverityOK, SeverityOK},
		"the server's":     {mysql, mysql, 0o640, SeverityOK, SeverityOK},
		"in its group":     {somebody, 0, 0o640, SeverityOK, SeverityOK},
		"somebody":         {somebody, mysql, 0o640, SeverityError, SeverityUnknown},
		"an open auto.cnf": {somebody, mysql, 0o644, SeverityError, SeverityOK}, // it proves nothing of the copy's files
	} {
		s := healthy(t)
		s.facts.Source.DataDir = filepath.Join(openTemp(t), "data")
		auto := write(t, filepath.Join(s.facts.Source.DataDir, "auto.cnf"), "[auto]\nserver-uuid="+s.facts.Source.ServerUUID+"\n")
		for _, change := range []error{os.Chown(auto, mysql, c.group), os.Chmod(auto, c.mode), os.Chmod(s.facts.Source.DataDir, 0o755)} {
			if change != nil {
				t.Fatal(change)
			}
		}
		as(t, c.uid, func() {
			if f := checkStagingReadable(s); f.Severity != c.readable || f.Severity == SeverityError && !strings.Contains(f.Hint, "sudo -u") {
				t.Errorf("%s: got %+v", name, f)
			}
			if f := checkSameHost(s); f.Severity != c.host {
				t.Errorf("%s: got %+v", name, f)
			}
		})
	}
}

func TestAParentThatWeMayNotReadIsAnError(t *testing.T) {
	s := healthy(t)
	s.target.Directory = filepath.Join(openTemp(t), "staging")
	if err := os.Mkdir(s.target.Directory, 0o700); err != nil {
		t.Fatal(err)
	}
	as(t, 54322, func() {
		if f := checkStagingParent(s); f.Severity != SeverityError || !strings.Contains(f.Detail, "permission denied") {
			t.Errorf("got %+v", f)
		}
	})
}

func TestTheServersUserMustBeAbleToWriteTheStagingDirectory(t *testing.T) {
	base := openTemp(t)
	const mysql = 54321
	for name, c := range map[string]struct {
		modeAbove, mode fs.FileMode
		uid, gid        int
		want            Severity
	}{
		"its own":         {0o755, 0o700, mysql, mysql, SeverityOK},
		"everybody's":     {0o755, 0o777, 0, 0, SeverityOK},
		"root's":          {0o755, 0o755, 0, 0, SeverityError},
		"behind a door":   {0o700, 0o777, 0, 0, SeverityError},
		"a group's":       {0o755, 0o770, 0, 0, SeverityWarning},
		"its own group's": {0o755, 0o770, 0, mysql, SeverityOK},
	} {
		s := healthy(t)
		if err := os.Chmod(base, 0o755); err != nil {
			t.Fatal(err)
		}
		above := filepath.Join(base, fmt.Sprint(len(name)), name)
		s.target.Directory = filepath.Join(above, "staging")
		if err := os.MkdirAll(s.target.Directory, 0o755); err != nil {
			t.Fatal(err)
		}
		for _, change := range []error{
			os.Chown(filepath.Join(s.facts.Source.DataDir, "auto.cnf"), mysql, mysql),
			os.Chown(s.target.Directory, c.uid, c.gid), os.Chmod(s.target.Directory, c.mode), os.Chmod(above, c.modeAbove),
		} {
			if change != nil {
				t.Fatal(change)
			}
		}
		if f := s.check(t, CodeStagingWritable); f.Severity != c.want {
			t.Errorf("%s: got %+v", name, f)
		}
	}
}

func TestWithoutTheDataDirectoryPermissionsAreUnknown(t *testing.T) {
	s := healthy(t)
	s.facts.Source.DataDir = "/nowhere/"
	if f := s.check(t, CodeStagingWritable); f.Severity != SeverityUnknown {
		t.Errorf("got %+v", f)
	}
	want := SeverityUnknown
	if os.Geteuid() == 0 {
		want = SeverityOK
	}
	if f := s.check(t, CodeStagingReadable); f.Severity != want {
		t.Errorf("got %+v", f)
	}
}
