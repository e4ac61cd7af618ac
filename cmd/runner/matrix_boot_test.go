package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"runner/pkg/mysqld/mysqldtest"
)

// boot starts a server on the copy beside the source, writes to it, and wants the source to be as it was.
func (c *cell) boot(t *testing.T) {
	want := c.checksums(t, c.source)
	args := c.restoreArgs(t)
	before := c.names(t)
	copied := c.bootCopy(t, args)
	c.opensOnlyItsOwn(t, copied)
	if diff := cmp.Diff(before, c.names(t)); diff != "" {
		t.Errorf("the source's files were made or removed: %s", diff)
	}
	if diff := cmp.Diff(want, c.checksums(t, copied)); diff != "" {
		t.Errorf("the copy has other rows: %s", diff)
	}
	mysqldtest.CheckTables(t, copied)
	if at := copied.Value(t, "SELECT BINLOG_FILE FROM performance_schema.clone_status"); at == "" {
		t.Error("the copy has no coordinates")
	}
	if log, err := os.ReadFile(copied.ErrorLog()); err != nil || regexp.MustCompile(`in the future|MY-012213|is missing`).Match(log) {
		t.Errorf("the copy's server complains (%v):\n%s", err, log)
	}
	c.stop(t)
	sums := c.digests(t)
	c.change(t, copied)
	c.opensOnlyItsOwn(t, copied)
	if err := copied.Stop(context.Background()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(sums, c.digests(t)); diff != "" {
		t.Errorf("the source's files were changed: %s", diff)
	}
	c.start(t)
	if diff := cmp.Diff(want, c.checksums(t, c.source)); diff != "" {
		t.Errorf("the source has other rows: %s", diff)
	}
}

func (c *cell) bootCopy(t *testing.T, args []string) *mysqldtest.Server {
	t.Helper()
	data := filepath.Join(c.folder, "copy")
	options := []mysqldtest.Option{mysqldtest.WithDataDir(data), mysqldtest.WithQuiet(), mysqldtest.WithArgs(append(args, "--tmpdir="+c.makeTmp(t))...)}
	if c.keyring {
		options = append(options, mysqldtest.WithKeyring())
		c.takeKeyring(t, data)
	}
	return mysqldtest.Start(t, options...)
}

func (c *cell) makeTmp(t *testing.T) string {
	t.Helper()
	tmp := filepath.Join(c.folder, "tmp")
	if err := os.MkdirAll(tmp, 0o750); err != nil {
		t.Fatal(err)
	}
	return tmp
}

// takeKeyring gives the copy a copy of the keyring of the server that wrote it, as its operator would. One that came over
// the protocol has its own.
func (c *cell) takeKeyring(t *testing.T, data string) {
	t.Helper()
	writer := c.source
	switch c.mode {
	case "stream":
		return
	case "remote":
		writer = c.recipient
	}
	settings, err := os.ReadFile(filepath.Join(writer.DataDir(), "component_keyring_file.cnf"))
	if err != nil {
		t.Fatal(err)
	}
	var keyring struct {
		Path string `json:"path"`
	}
	if err := json.Unmarshal(settings, &keyring); err != nil {
		t.Fatal(err)
	}
	store, err := os.ReadFile(keyring.Path)
	if err != nil {
		t.Fatal(err)
	}
	own := filepath.Join(data, "keyring-of-the-copy")
	for name, text := range map[string]string{
		own: string(store), filepath.Join(data, "mysqld.my"): `{"components": "file://component_keyring_file"}`,
		filepath.Join(data, "component_keyring_file.cnf"): `{"path": "` + own + `", "read_only": false}`,
	} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// restoreArgs are the settings of the manifest's restore_cnf.
func (c *cell) restoreArgs(t *testing.T) (args []string) {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(c.folder, "repo", "j", "*", "manifest.json"))
	if err != nil || len(found) != 1 {
		t.Fatalf("manifests: %v, %v", found, err)
	}
	text, err := os.ReadFile(found[0])
	if err != nil {
		t.Fatal(err)
	}
	var m struct {
		Source struct {
			RestoreCNF string `json:"restore_cnf"`
		} `json:"source"`
	}
	if err := json.Unmarshal(text, &m); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(m.Source.RestoreCNF) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), " = "); ok && !strings.HasPrefix(name, "#") {
			args = append(args, "--"+name+"="+strings.Trim(value, `"`))
		}
	}
	if strings.Contains(strings.Join(args, " "), "/") {
		t.Errorf("restore_cnf has a path that leads elsewhere: %v", args)
	}
	return args
}

// checksums are those of all tables, by name.
func (c *cell) checksums(t *testing.T, server *mysqldtest.Server) map[string]string {
	t.Helper()
	sums := map[string]string{}
	for _, name := range c.tables(t, server) {
		sums[name] = server.Query(t, "CHECKSUM TABLE "+name+" EXTENDED")[0][1]
	}
	return sums
}

// change does to the copy all that writes, makes and removes files.
func (c *cell) change(t *testing.T, copied *mysqldtest.Server) {
	t.Helper()
	copied.Exec(t, "CREATE TEMPORARY TABLE shop.own (id INT)", "INSERT INTO shop.own VALUES (1)", "ALTER UNDO TABLESPACE undo_more SET INACTIVE")
	for _, name := range c.tables(t, copied) {
		copied.Exec(t, "UPDATE "+name+" SET s = REPEAT('COPY', 100)", "ALTER TABLE "+name+" ADD COLUMN more INT",
			"ALTER TABLE "+name+" ADD KEY (more)", "INSERT INTO "+name+" (id, s) SELECT id + 1000, s FROM "+name)
	}
	copied.Exec(t, "FLUSH TABLES", "SET GLOBAL innodb_buffer_pool_dump_now = ON", "SET GLOBAL innodb_max_dirty_pages_pct_lwm = 0", "SET GLOBAL innodb_max_dirty_pages_pct = 0")
	for i, name := range c.tables(t, copied) {
		copied.Exec(t, "ALTER TABLE "+name+" FORCE", "OPTIMIZE TABLE "+name)
		switch i % 3 {
		case 0:
			copied.Exec(t, "TRUNCATE TABLE "+name)
		case 1:
			copied.Exec(t, "DROP TABLE "+name)
		default:
			copied.Exec(t, "RENAME TABLE "+name+" TO "+name+"_renamed")
		}
	}
}

// opensOnlyItsOwn looks at every file that the copy's server has open or mapped.
func (c *cell) opensOnlyItsOwn(t *testing.T, copied *mysqldtest.Server) {
	t.Helper()
	proc := filepath.Join("/proc", strconv.Itoa(copied.PID()))
	fds, err := os.ReadDir(filepath.Join(proc, "fd"))
	if err != nil {
		t.Fatal(err)
	}
	own := 0
	for _, fd := range fds {
		path, err := os.Readlink(filepath.Join(proc, "fd", fd.Name()))
		if err != nil { // it was closed meanwhile
			continue
		}
		info, err := os.ReadFile(filepath.Join(proc, "fdinfo", fd.Name()))
		if err != nil {
			continue
		}
		c.isOwn(t, copied, path, writes(t, info))
		if strings.HasPrefix(path, copied.DataDir()+"/") {
			own++
		}
	}
	if own == 0 {
		t.Error("the copy's server has no file of the copy open: another process was looked at")
	}
	maps, err := os.ReadFile(filepath.Join(proc, "maps"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(maps)) { // address, permissions, offset, device, inode, path
		if f := strings.Fields(line); len(f) >= 6 {
			c.isOwn(t, copied, strings.Join(f[5:], " "), strings.Contains(f[1], "w") && strings.HasSuffix(f[1], "s"))
		}
	}
}

// writes reports whether a file is open for writing: the last digit of its flags, in octal (proc(5), open(2)).
func writes(t *testing.T, info []byte) bool {
	t.Helper()
	found := regexp.MustCompile(`(?m)^flags:\s*([0-7]+)$`).FindSubmatch(info)
	if found == nil {
		t.Fatalf("no flags in %s", info)
	}
	flags, err := strconv.ParseUint(string(found[1]), 8, 64)
	if err != nil {
		t.Fatal(err)
	}
	return flags&3 != 0
}

func (c *cell) isOwn(t *testing.T, copied *mysqldtest.Server, path string, written bool) {
	t.Helper()
	below := func(folder string) bool { return strings.HasPrefix(path, folder+"/") }
	switch {
	case !strings.HasPrefix(path, "/"), strings.HasPrefix(path, "/dev/"), strings.HasPrefix(path, "/memfd:"), strings.HasPrefix(path, "/[aio]"), strings.HasPrefix(path, "/SYSV"):
	case below(copied.DataDir()), below(copied.Folder()), below(filepath.Join(c.folder, "tmp")):
	case written, below(c.data), below(c.elsewhere):
		t.Errorf("the copy's server has %s open (for writing: %t)", path, written)
	}
}

// each calls visit for every file of the source, in its data directory and elsewhere.
func (c *cell) each(t *testing.T, visit func(path string, entry fs.DirEntry) error) {
	t.Helper()
	for _, root := range []string{c.data, c.elsewhere} {
		err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			return visit(path, entry)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// volatileFile finds what a running server makes and removes of itself: redo logs, temporary tablespaces, binary logs, rewritten settings.
var volatileFile = regexp.MustCompile(`/#ib_redo|/temp_\d+\.ibt$|binlog|\.(pid|lock)$|ib_buffer_pool`)

// names are the source's files.
func (c *cell) names(t *testing.T) (names []string) {
	t.Helper()
	c.each(t, func(path string, _ fs.DirEntry) error {
		if !volatileFile.MatchString(path) {
			names = append(names, path)
		}
		return nil
	})
	return names
}

// digests are the SHA-256 of the source's files while it is stopped.
func (c *cell) digests(t *testing.T) map[string]string {
	t.Helper()
	sums := map[string]string{}
	c.each(t, func(path string, entry fs.DirEntry) error {
		if !entry.Type().IsRegular() {
			return nil
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return fmt.Errorf("read source: %w", err)
		}
		sum := sha256.Sum256(content)
		sums[path] = hex.EncodeToString(sum[:])
		return nil
	})
	return sums
}
