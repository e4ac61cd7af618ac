package files

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

func TestAFileSystemWithoutASyncOfFoldersIsNoError(t *testing.T) {
	for _, errno := range []syscall.Errno{syscall.EINVAL, syscall.ENOTSUP, syscall.ENOSYS} {
		if err := Unsyncable(&os.PathError{Op: "sync", Path: "x", Err: errno}); err != nil {
			t.Errorf("%v: %v", errno, err)
		}
	}
	for _, errno := range []syscall.Errno{syscall.EIO, syscall.ENOSPC, syscall.EROFS, syscall.EDQUOT} {
		if err := Unsyncable(errno); !errors.Is(err, errno) {
			t.Errorf("%v: %v", errno, err)
		}
	}
	if err := SyncFolder(t.TempDir()); err != nil {
		t.Error(err)
	}
	if err := SyncFolder(filepath.Join(t.TempDir(), "absent")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("an absent folder: %v", err)
	}
}

func TestRoomIsAsDfShowsItForEveryShapeOfStatfs(t *testing.T) {
	for name, c := range map[string]struct {
		s    syscall.Statfs_t
		want Room
		err  error
	}{
		"fragments as large as blocks": {syscall.Statfs_t{Bsize: 4096, Frsize: 4096, Blocks: 100, Bfree: 60, Bavail: 50}, Room{50 * 4096, 100 * 4096}, nil},
		"large blocks of fragments":    {syscall.Statfs_t{Bsize: 1 << 20, Frsize: 4096, Blocks: 100, Bavail: 50}, Room{50 * 4096, 100 * 4096}, nil},
		"small blocks of fragments":    {syscall.Statfs_t{Bsize: 512, Frsize: 4096, Blocks: 100, Bavail: 50}, Room{50 * 4096, 100 * 4096}, nil},
		"no fragments":                 {syscall.Statfs_t{Bsize: 512, Blocks: 100, Bavail: 50}, Room{50 * 512, 100 * 512}, nil},
		"no blocks":                    {syscall.Statfs_t{Bsize: 1 << 20, Frsize: 4096}, Room{}, ErrRoomUnknown},
		"full":                         {syscall.Statfs_t{Bsize: 4096, Frsize: 4096, Blocks: 100}, Room{0, 100 * 4096}, nil},
		"endless":                      {syscall.Statfs_t{Bsize: 4096, Frsize: 4096, Blocks: 1 << 62, Bavail: 1 << 62}, Room{1<<63 - 1, 1<<63 - 1}, nil},
	} {
		if got, err := roomOf(&c.s); got != c.want || !errors.Is(err, c.err) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	if r, err := RoomAt(t.TempDir()); err != nil || r.Free <= 0 || r.Total < r.Free {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestOnlyPlainFilesAreOpened(t *testing.T) {
	dir := t.TempDir()
	plain, pipe, socket := filepath.Join(dir, "plain"), filepath.Join(dir, "pipe"), filepath.Join(dir, "socket")
	link, dangling := filepath.Join(dir, "link"), filepath.Join(dir, "dangling")
	l, err := new(net.ListenConfig).Listen(t.Context(), "unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	for _, err := range []error{os.WriteFile(plain, []byte("12345"), 0o600), syscall.Mkfifo(pipe, 0o600), os.Symlink("plain", link), os.Symlink("nowhere", dangling)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for path, want := range map[string]error{
		plain: nil, link: nil, pipe: ErrNotPlain, socket: ErrNotPlain, dir: ErrNotPlain, "/dev/zero": ErrNotPlain, dangling: os.ErrNotExist,
	} {
		if _, err := Read(path, 5); !errors.Is(err, want) {
			t.Errorf("%s: %v", path, err)
		}
	}
	if _, err := OpenFile(pipe, os.O_WRONLY, 0); !errors.Is(err, ErrNotPlain) {
		t.Errorf("a pipe that nobody reads: %v", err)
	}
	var large *TooLargeError
	if _, err := Read(plain, 4); !errors.As(err, &large) || large.Most != 4 {
		t.Errorf("a byte too many: %v", err)
	}
}

func TestHomeIsThatOfTheEnvironmentOrOfPasswd(t *testing.T) {
	set := func(home string) func(string) string { return func(string) string { return home } }
	for _, c := range []struct{ path, home, want string }{
		{"~/x", "/h", "/h/x"},
		{"~", "/h", "/h"},
		{"/a/~", "/h", "/a/~"},
		{"x/~/y", "/h", "x/~/y"},
		{"~root/x", "/h", "/root/x"},
		{"", "/h", ""},
	} {
		if got, err := ExpandHome(c.path, set(c.home)); err != nil || got != c.want {
			t.Errorf("%q: %q, %v", c.path, got, err)
		}
	}
	for _, home := range []string{"", "relative"} {
		if got, err := ExpandHome("~/x", set(home)); err != nil || !filepath.IsAbs(got) || filepath.Base(got) != "x" {
			t.Errorf("HOME=%q: %q, %v", home, got, err)
		}
	}
	if got, err := ExpandHome("~nobody-of-this-name/x", set("/h")); !errors.Is(err, ErrNoHome) {
		t.Errorf("%q, %v", got, err)
	}
}
