package main

import (
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"runner/pkg/archive"
	"runner/pkg/archive/codec"
	"runner/pkg/archive/store"
	"runner/pkg/mysqld/mysqldtest"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"runner": main})
}

// TestScripts runs the scripts of testdata/script, one behaviour each, against real servers.
//
// Beside testscript's own commands they have:
//
//	mysqld [-name N] [-no-clone] [-tcp] [-keyring] [ARG...]
//	                                               starts a server of this script's own; sets $SOCKET, $PORT and $DATADIR,
//	                                               or $SOCKET_N and so on
//	sql [-name N] STATEMENT...                     runs statements as root; each result goes to stdout
//	exits CODE runner ARG...                       runs runner and wants that very exit code
//	await SECONDS FILE PATTERN                     waits until a file has a line with the text
//	unchanged FOLDER [FOLDER...]                   the folders, and the servers' variables and plugins, are as at the last remember
//	remember FOLDER [FOLDER...]                    what unchanged compares with
//	flip FILE OFFSET                               inverts one byte; a negative offset counts from the end
//	boot [-name N] [-keyring] FOLDER               starts a quiet server on a data directory
//	stop                                           stops the server without a name
//	tmpfs FOLDER SIZE                              mounts a file system of a limited size
//	pack FOLDER BACKUP                             packs a data directory, as a job with default settings does, in one go
func TestScripts(t *testing.T) {
	program := mysqldtest.Program(t)
	age := buildAge(t)
	testscript.Run(t, testscript.Params{
		Dir:                 filepath.Join("testdata", "script"),
		RequireUniqueNames:  true,
		RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("MYSQLD", program)
			env.Setenv("MYSQL", mysqldtest.Tool(t, "mysql"))
			env.Setenv("RUNNER_STATE_DIR", filepath.Join(env.WorkDir, "state"))
			env.Setenv("NO_COLOR", "1")
			// Programs that check archives may come out of the cache of make mysql.
			env.Setenv("PATH", strings.Join([]string{age, os.Getenv("PATH"), env.Getenv("PATH"), filepath.Dir(mysqldtest.Tool(t, "zstd"))}, string(os.PathListSeparator)))
			env.Values[serversKey{}] = &servers{t: env.T().(testing.TB), byName: map[string]*mysqldtest.Server{}}
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"mysqld": startServer, "sql": runSQL, "exits": exits, "await": await,
			"remember": remember, "unchanged": unchanged, "flip": flip, "tmpfs": mountTmpfs, "boot": bootServer, "stop": stopServer,
			"pack": packFolder,
		},
	})
}

// buildAge builds the programs age and age-keygen, at the version of tools/go.mod, and gives the folder that they are in.
func buildAge(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	c := exec.CommandContext(t.Context(), "go", "build", "-modfile=tools/go.mod", "-o", folder+"/", "filippo.io/age/cmd/age", "filippo.io/age/cmd/age-keygen")
	c.Dir = filepath.Join("..", "..")
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("build age: %v\n%s", err, out)
	}
	return folder
}

type serversKey struct{}

// servers are those of one script.
type servers struct {
	t        testing.TB
	byName   map[string]*mysqldtest.Server
	snapshot string
}

func of(ts *testscript.TestScript) *servers { return ts.Value(serversKey{}).(*servers) }

// keep names a server and has it stopped before the script's folder, in which its data may be, is removed.
func (s *servers) keep(ts *testscript.TestScript, name string, server *mysqldtest.Server) {
	s.byName[name] = server
	ts.Defer(func() {
		if err := server.Stop(context.Background()); err != nil {
			s.t.Errorf("stop mysqld: %v", err)
		}
	})
}

func startServer(ts *testscript.TestScript, neg bool, args []string) {
	name, suffix := "", ""
	var options []mysqldtest.Option
	for len(args) > 0 && strings.HasPrefix(args[0], "-") && !strings.HasPrefix(args[0], "--") {
		switch args[0] {
		case "-name":
			name, args = args[1], args[1:]
			suffix = "_" + strings.ToUpper(name)
		case "-no-clone":
			options = append(options, mysqldtest.WithoutClone())
		case "-keyring":
			options = append(options, mysqldtest.WithKeyring())
		case "-tcp":
			options = append(options, mysqldtest.WithTCP())
		default:
			ts.Fatalf("mysqld: unknown option %s", args[0])
		}
		args = args[1:]
	}
	if neg {
		ts.Fatalf("unsupported: ! mysqld")
	}
	s := of(ts)
	server := mysqldtest.Start(s.t, append(options, mysqldtest.WithArgs(args...))...)
	s.keep(ts, name, server)
	ts.Setenv("SOCKET"+suffix, server.Socket())
	ts.Setenv("PORT"+suffix, strconv.Itoa(server.Port()))
	ts.Setenv("DATADIR"+suffix, server.DataDir())
	ts.Setenv("PID"+suffix, strconv.Itoa(server.PID()))
}

func runSQL(ts *testscript.TestScript, neg bool, args []string) {
	name := ""
	if len(args) > 1 && args[0] == "-name" {
		name, args = args[1], args[2:]
	}
	s := of(ts)
	server := s.byName[name]
	if server == nil {
		ts.Fatalf("sql: there is no server %q", name)
	}
	if neg {
		ts.Fatalf("unsupported: ! sql")
	}
	for _, statement := range args {
		for _, row := range server.Query(s.t, statement) {
			_, err := fmt.Fprintln(ts.Stdout(), strings.Join(row, "\t"))
			ts.Check(err)
		}
	}
}

func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND [ARG...]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		var exit *exec.ExitError
		if !asExit(err, &exit) {
			ts.Fatalf("%s: %v", args[1], err)
		}
		got = exit.ExitCode()
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

func asExit(err error, target **exec.ExitError) bool {
	exit, ok := err.(*exec.ExitError) //nolint:errorlint // testscript returns it as it is
	*target = exit
	return ok
}

func await(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: await SECONDS FILE PATTERN")
	}
	seconds, err := strconv.Atoi(args[0])
	ts.Check(err)
	path := ts.MkAbs(args[1])
	for end := time.Now().Add(time.Duration(seconds) * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		matches, _ := filepath.Glob(path)
		for _, match := range matches {
			if data, err := os.ReadFile(match); err == nil && strings.Contains(string(data), args[2]) {
				return
			}
		}
	}
	ts.Fatalf("%s had no %q within %d s", args[1], args[2], seconds)
}

func remember(ts *testscript.TestScript, neg bool, args []string) {
	if neg {
		ts.Fatalf("unsupported: ! remember")
	}
	of(ts).snapshot = snapshot(ts, args)
}

func unchanged(ts *testscript.TestScript, neg bool, args []string) {
	if neg {
		ts.Fatalf("unsupported: ! unchanged")
	}
	before, after := of(ts).snapshot, snapshot(ts, args)
	if before != after {
		was := strings.Split(before, "\n")
		seen := map[string]bool{}
		for _, line := range was {
			seen[line] = true
		}
		for _, line := range strings.Split(after, "\n") {
			if !seen[line] {
				ts.Logf("new or changed: %s", line)
			}
			delete(seen, line)
		}
		for line := range seen {
			ts.Logf("gone or changed: %s", line)
		}
		ts.Fatalf("something was changed")
	}
}

// snapshot lists files with sizes and times, and what a server is set to.
func snapshot(ts *testscript.TestScript, folders []string) string {
	var b strings.Builder
	for _, folder := range folders {
		root := ts.MkAbs(folder)
		ts.Check(filepath.Walk(root, func(path string, info os.FileInfo, err error) error {
			if err != nil {
				return err
			}
			fmt.Fprintf(&b, "%s %v %d %v\n", path, info.Mode(), info.Size(), info.ModTime())
			return nil
		}))
	}
	s := of(ts)
	for _, name := range slices.Sorted(maps.Keys(s.byName)) {
		server := s.byName[name]
		for _, query := range []string{
			"SELECT variable_name, variable_value FROM performance_schema.global_variables WHERE variable_name LIKE 'clone%' ORDER BY 1",
			"SELECT plugin_name, plugin_status FROM information_schema.plugins ORDER BY 1",
		} {
			for _, row := range server.Query(s.t, query) {
				fmt.Fprintln(&b, strings.Join(row, " "))
			}
		}
	}
	return b.String()
}

func flip(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: flip FILE OFFSET")
	}
	matches, err := filepath.Glob(ts.MkAbs(args[0]))
	ts.Check(err)
	if len(matches) != 1 {
		ts.Fatalf("%s fits %d files", args[0], len(matches))
	}
	offset, err := strconv.ParseInt(args[1], 10, 64)
	ts.Check(err)
	data, err := os.ReadFile(matches[0])
	ts.Check(err)
	if offset < 0 {
		offset += int64(len(data))
	}
	data[offset] ^= 0xff
	ts.Check(os.WriteFile(matches[0], data, 0o600))
}

func mountTmpfs(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: tmpfs FOLDER SIZE")
	}
	folder := ts.MkAbs(args[0])
	ts.Check(os.MkdirAll(folder, 0o755))
	if err := syscall.Mount("tmpfs", folder, "tmpfs", 0, "size="+args[1]); err != nil {
		ts.Fatalf("mount a tmpfs on %s: %v (these tests need root, for this)", folder, err)
	}
	ts.Defer(func() { _ = syscall.Unmount(folder, syscall.MNT_DETACH) })
}

// bootServer starts a quiet server on a data directory of the script: boot [-name N] [-keyring] FOLDER. The name is "booted" if none is given.
func bootServer(ts *testscript.TestScript, neg bool, args []string) {
	name := "booted"
	if len(args) > 2 && args[0] == "-name" {
		name, args = args[1], args[2:]
	}
	options := []mysqldtest.Option{mysqldtest.WithQuiet()}
	if len(args) == 2 && args[0] == "-keyring" {
		options, args = append(options, mysqldtest.WithKeyring()), args[1:]
	}
	if neg || len(args) != 1 {
		ts.Fatalf("usage: boot [-name N] [-keyring] FOLDER")
	}
	s := of(ts)
	s.keep(ts, name, mysqldtest.Start(s.t, append(options, mysqldtest.WithDataDir(ts.MkAbs(args[0])))...))
}

func packFolder(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: pack FOLDER BACKUP")
	}
	dst, err := store.Local(ts.MkAbs(args[1]))
	ts.Check(err)
	o := archive.PackOptions{Format: string(codec.Zstd), Level: codec.Zstd.DefaultLevel(), Pages: true}
	_, err = archive.Pack(context.Background(), archive.Dir(ts.MkAbs(args[0])), dst, o)
	ts.Check(err)
}

func stopServer(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 0 {
		ts.Fatalf("usage: stop")
	}
	s := of(ts)
	ts.Check(s.byName[""].Stop(context.Background()))
	delete(s.byName, "")
}
