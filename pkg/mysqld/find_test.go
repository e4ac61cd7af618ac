package mysqld

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func TestOnlyAMySQLWithCloneIsTakenByVersion(t *testing.T) {
	for line, ok := range map[string]bool{
		"/usr/sbin/mysqld  Ver 9.7.4-2 for debian-linux-gnu on x86_64 ((Debian))":                      true,
		"/usr/sbin/mysqld  Ver 8.0.17 for Linux on x86_64 (MySQL Community Server - GPL)":              true,
		"/usr/sbin/mysqld  Ver 26.7.0 for Linux on x86_64 (MySQL Community Server - GPL)":              true,
		"/usr/sbin/mysqld  Ver 8.0.16 for Linux on x86_64 (MySQL Community Server - GPL)":              false,
		"/usr/sbin/mysqld  Ver 5.7.44 for Linux on x86_64 (MySQL Community Server (GPL))":              false,
		"/usr/sbin/mariadbd  Ver 10.11.6-MariaDB-0+deb12u1 for debian-linux-gnu on x86_64 (Debian 12)": false,
		"mysqld  Ver 8": false,
		"":              false,
	} {
		if err := hasClone(line); (err == nil) != ok {
			t.Errorf("%q: %v", line, err)
		}
	}
}

// program writes a shell script that answers as a mysqld would.
func program(t *testing.T, path, version, plugins string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	script := "#!/bin/sh\ncase \"$*\" in\n--version) echo '" + version + "' ;;\n*) printf 'port  3306\\nplugin-dir                  " + plugins + "\\n' ;;\nesac\n"
	if err := os.WriteFile(path, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
}

func TestFindTakesTheNamedOneThenPathThenTheCache(t *testing.T) {
	root := t.TempDir()
	var (
		cache  = filepath.Join(root, "cache")
		onPath = filepath.Join(root, "sbin", "mysqld")
		named  = filepath.Join(root, "named")
		mysql8 = "mysqld  Ver 8.0.36 for Linux on x86_64"
	)
	t.Setenv("PATH", filepath.Dir(onPath)+":/usr/bin:/bin")
	t.Setenv(Environment, "")
	if got, err := Find(cache); !errors.Is(err, ErrNotFound) {
		t.Fatalf("with nothing there: %q, %v", got, err)
	}
	expect := func(why, want string) {
		t.Helper()
		if got, err := Find(cache); err != nil || got != want {
			t.Fatalf("%s: got %q, %v; want %q", why, got, err, want)
		}
	}
	cached := filepath.Join(cache, "bin", "mysqld")
	program(t, cached, mysql8, "")
	expect("only the cache", cached)
	program(t, onPath, "mysqld  Ver 10.11.6-MariaDB", root)
	expect("MariaDB on PATH", cached)
	program(t, onPath, mysql8, root)
	expect("no mysql_clone.so on PATH", cached)
	if err := os.WriteFile(filepath.Join(root, "mysql_clone.so"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	expect("a MySQL on PATH", onPath)
	t.Setenv(Environment, named)
	if got, err := Find(cache); err == nil {
		t.Fatalf("a name for nothing gave %q", got)
	}
	program(t, named, mysql8, "")
	expect("the named one", named)
}
