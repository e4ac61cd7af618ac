package mysqldtest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"runner/pkg/mysqld"
)

// Program returns the mysqld that tests use; where there is none, fetch.sh puts one into the
// repository's cache folder first.
func Program(t testing.TB) string {
	t.Helper()
	cache := filepath.Join(repository(t), ".cache", "mysql")
	program, err := mysqld.Find(cache)
	if errors.Is(err, mysqld.ErrNotFound) {
		fetch(t, cache)
		program, err = mysqld.Find(cache)
	}
	if err != nil {
		t.Fatal(err)
	}
	return program
}

// Tool returns the path of a program that comes with the server, "innochecksum" or "mysql" say: the
// one beside Program, else one on PATH, else the one in the cache folder.
func Tool(t testing.TB, name string) string {
	t.Helper()
	if path, err := exec.LookPath(filepath.Join(filepath.Dir(Program(t)), name)); err == nil {
		return path
	}
	if path, err := exec.LookPath(name); err == nil {
		return path
	}
	cache := filepath.Join(repository(t), ".cache", "mysql")
	fetch(t, cache)
	path, err := exec.LookPath(filepath.Join(cache, "bin", name))
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// fetch makes the cache folder; it is quick when the folder is complete, and safe to run twice at once.
func fetch(t testing.TB, cache string) {
	t.Helper()
	script := filepath.Join(repository(t), "pkg", "mysqld", "fetch.sh")
	if out, err := exec.CommandContext(t.Context(), "/bin/sh", script, cache).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", script, err, out)
	}
}

// repository returns the folder of go.mod, from the test's working directory upwards.
func repository(t testing.TB) string {
	t.Helper()
	folder, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(folder, "go.mod")); err == nil {
			return folder
		}
		if filepath.Dir(folder) == folder {
			t.Fatal("no go.mod above the working directory")
		}
		folder = filepath.Dir(folder)
	}
}

// copyTemplate fills the data directory of a new server.
func copyTemplate(t testing.TB, target string, c config) {
	t.Helper()
	template, err := makeTemplate(t, Program(t), c)
	if err != nil {
		t.Fatalf("make a template data directory: %v", err)
	}
	if err := copyTree(template, target); err != nil {
		t.Fatalf("copy the template data directory: %v", err)
	}
}

// makeTemplate returns the template for a program, of its version, with or without the plugin, and
// for what shapes a data directory for good. The first to ask makes it, the others, in whatever
// process, wait.
func makeTemplate(t testing.TB, program string, c config) (path string, err error) {
	version, err := mysqld.Version(program)
	if err != nil {
		return "", err
	}
	args := mysqld.InitArgs(c.args)
	key := sha256.Sum256([]byte(strings.Join(append([]string{"1", program, version, fmt.Sprint(c.noClone)}, args...), "\x00")))
	path = filepath.Join(repository(t), ".cache", "mysqldtest", hex.EncodeToString(key[:8]))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return "", err
	}
	lock, err := os.OpenFile(path+".lock", os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, lock.Close()) }() // which releases the lock
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return "", fmt.Errorf("lock: %w", err)
	}
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return path, err
	}
	return path, initialise(shortTemp(t), program, path, args, !c.noClone)
}

// initialise makes a template: a server is initialised, gets the plugin and is shut down cleanly.
func initialise(folder, program, target string, args []string, clone bool) error {
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	server, err := mysqld.Start(ctx, mysqld.Options{
		Program: program, Folder: folder, Args: append(smallArgs(), args...), DieWithParent: true,
	})
	if err != nil {
		return err
	}
	if clone {
		err = server.InstallClone(ctx)
	}
	if err := errors.Join(err, server.Stop(ctx)); err != nil {
		return err
	}
	half := target + ".new"
	if err := os.RemoveAll(half); err != nil {
		return err
	}
	if err := copyTree(server.DataDir(), half); err != nil {
		return err
	}
	return os.Rename(half, target)
}

// copyTree copies a data directory without its auto.cnf, so that each server gets a UUID of its own,
// and without its binary logs, which name another server's.
func copyTree(from, to string) error {
	return filepath.WalkDir(from, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		target := filepath.Join(to, relative)
		switch {
		case entry.IsDir():
			return os.MkdirAll(target, 0o750)
		case relative == "auto.cnf", strings.HasPrefix(relative, "binlog."):
			return nil
		case !entry.Type().IsRegular():
			return nil
		}
		return copyFile(path, target)
	})
}

// copyFile leaves the copying to the kernel (copy_file_range), which shares extents where it can.
func copyFile(from, to string) (err error) {
	source, err := os.Open(from)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, source.Close()) }()
	info, err := source.Stat()
	if err != nil {
		return err
	}
	target, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, info.Mode().Perm())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, target.Close()) }()
	_, err = io.Copy(target, source)
	return err
}
