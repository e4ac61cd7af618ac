package clone

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"runner/pkg/mysqld/mysqldtest"
)

// tmpfs mounts a file system in memory until the test ends. It takes the right to mount, which the tests'
// machines give.
func tmpfs(t *testing.T, flags uintptr, options string) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "tmpfs-")
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", flags, options); err != nil {
		t.Fatalf("mount a tmpfs (run the tests as root, in a container with CAP_SYS_ADMIN): %v", errors.Join(err, os.Remove(dir)))
	}
	t.Cleanup(func() {
		if err := errors.Join(syscall.Unmount(dir, 0), os.Remove(dir)); err != nil {
			t.Error(err)
		}
	})
	return dir
}

func TestAFullStagingDiskStopsABackup(t *testing.T) {
	server := mysqldtest.Start(t)
	plan := target(t, server)
	plan.Directory = tmpfs(t, 0, "size=20m")
	plan.Staging = filepath.Join(plan.Directory, "run-1")
	before := footprint(t, server)
	found := findings(t, asRoot(server), plan)
	expect(t, found, map[string]Severity{CodeStagingSpace: SeverityError})
	if detail := found[CodeStagingSpace].Detail; !strings.Contains(detail, "20.0 MiB free of 20.0 MiB") || !strings.Contains(detail, "redo log capacity") {
		t.Errorf("got %s", detail)
	}
	if diff := cmp.Diff(before, footprint(t, server)); diff != "" {
		t.Error(diff)
	}
	entries, err := os.ReadDir(plan.Directory)
	if err != nil || len(entries) > 0 {
		t.Errorf("the staging disk holds %v, %v", entries, err)
	}
}

func TestRoomIsReckonedWithWhatStaysFreeAndWhatLiesBeside(t *testing.T) {
	one := tmpfs(t, 0, "size=100m")
	two := tmpfs(t, 0, "size=100m")
	for name, c := range map[string]struct {
		staging, archive string
		disk, archived   int64 // MiB
		keep             int64
		want             [2]Severity
	}{
		"both fit":            {one, two, 90, 90, 0, [2]Severity{SeverityOK, SeverityOK}},
		"to the last byte":    {one, two, 100, 100, 0, [2]Severity{SeverityOK, SeverityOK}},
		"one more":            {one, two, 101, 101, 0, [2]Severity{SeverityError, SeverityError}},
		"not with what stays": {one, two, 95, 50, 10, [2]Severity{SeverityError, SeverityOK}},
		"one disk, fits":      {one, one, 50, 50, 0, [2]Severity{SeverityOK, SeverityOK}},
		"one disk, each fits": {one, one, 60, 60, 0, [2]Severity{SeverityOK, SeverityError}},
		"one disk, kept once": {one, one, 45, 45, 10, [2]Severity{SeverityOK, SeverityOK}},
		"one disk, and stays": {one, one, 45, 45, 11, [2]Severity{SeverityOK, SeverityError}},
	} {
		s := healthy(t)
		s.facts.DiskBytes = c.disk << 20
		s.target.Directory, s.target.ArchivePath = c.staging, filepath.Join(c.archive, "not", "there", "yet")
		s.target.ArchiveNeed = func(int64) (int64, string) { return c.archived << 20, "a guess" }
		s.target.MinFree = func(int64) int64 { return c.keep << 20 }
		staging, archive := s.check(t, CodeStagingSpace), s.check(t, CodeRepositorySpace)
		if got := [2]Severity{staging.Severity, archive.Severity}; got != c.want {
			t.Errorf("%s: got %+v and %+v", name, staging, archive)
		}
	}
}

func TestTheEstimateSaysWhatItIsFrom(t *testing.T) {
	s := healthy(t)
	s.facts.EstimateBytes, s.facts.DiskBytes = 10<<20, 105<<20
	s.target.ArchiveNeed = nil
	s.target.MinFree = func(total int64) int64 { return total / 20 }
	spaces := EstimateSpace(s.facts, s.target)
	if len(spaces) != 2 {
		t.Fatalf("got %+v", spaces)
	}
	staging, archive := spaces[0], spaces[1]
	if staging.Purpose != PurposeStaging || staging.Need != 105<<20 || staging.Keep != staging.Total/20 || staging.Free <= 0 || staging.Path != s.target.Directory ||
		staging.Basis != "as the server reckons: 5.0 MiB of allocated tablespaces and 100.0 MiB of redo log capacity" {
		t.Errorf("got %+v", staging)
	}
	if archive.Purpose != PurposeArchive || archive.Need != 110<<20 || !archive.shares(staging) {
		t.Errorf("got %+v", archive)
	}
	s.target.ArchivePath = ""
	if spaces := EstimateSpace(s.facts, s.target); len(spaces) != 1 {
		t.Errorf("without an archive: %+v", spaces)
	}
}

func TestRoomThatCannotBeReckonedIsUnknown(t *testing.T) {
	s := healthy(t)
	s.facts.Unknown[FactSpaces] = "denied"
	for _, code := range []string{CodeStagingSpace, CodeRepositorySpace} {
		if f := s.check(t, code); f.Severity != SeverityUnknown || !strings.Contains(f.Detail, "denied") {
			t.Errorf("got %+v", f)
		}
	}
	s = healthy(t)
	s.target.Directory = filepath.Join(write(t, filepath.Join(t.TempDir(), "f"), ""), "x")
	if f := s.check(t, CodeStagingSpace); f.Severity != SeverityUnknown || !strings.Contains(f.Detail, "not a directory") {
		t.Errorf("got %+v", f)
	}
}
