package archive

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"runner/pkg/archive/codec"
	"runner/pkg/archive/store"
	"runner/pkg/archive/store/storetest"
	"runner/pkg/mysqld"
	"runner/pkg/mysqld/mysqldtest"
)

// A clone of a real server is packed, restored by us and by tar, and booted.
func TestARestoredCloneBoots(t *testing.T) {
	source := mysqldtest.Start(t)
	source.Exec(t, "CREATE DATABASE shop", "CREATE TABLE shop.t (a INT PRIMARY KEY, b TEXT)",
		"INSERT INTO shop.t WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < 1000) SELECT i, REPEAT(SHA2(i, 256), 20) FROM n")
	clone := filepath.Join(source.Folder(), "clone")
	source.Exec(t, "CLONE LOCAL DATA DIRECTORY = '"+clone+"'")
	want := source.Query(t, "CHECKSUM TABLE shop.t")[0][1]

	folder := filepath.Join(source.Folder(), "backup")
	s, err := store.Local(folder)
	if err != nil {
		t.Fatal(err)
	}
	p := pack(t, Dir(clone), s, options(codec.Zstd))
	if p.Pages.Bad != 0 || p.Pages.Total < 1000 || p.Pages.Files < 5 {
		t.Errorf("pages are %+v", p.Pages)
	}
	b := open(t, s)
	if report, err := b.Verify(t.Context(), VerifyOptions{}); err != nil {
		t.Fatalf("verify: %v, %+v", err, report)
	}
	ours, theirs := filepath.Join(source.Folder(), "ours"), filepath.Join(source.Folder(), "theirs")
	if _, err := b.Restore(t.Context(), ours, RestoreOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(theirs, 0o750); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("tar", "--zstd", "-xf", filepath.Join(folder, "data.tar.zst"), "-C", theirs).CombinedOutput(); err != nil {
		t.Fatalf("tar: %v: %s", err, out)
	}
	refusesToStart(t, ours)
	for _, dir := range []string{ours, theirs} {
		server := mysqldtest.Start(t, mysqldtest.WithDataDir(dir), mysqldtest.WithQuiet())
		if got := server.Query(t, "CHECKSUM TABLE shop.t")[0][1]; got != want {
			t.Errorf("%s: checksum %s, the source's is %s", filepath.Base(dir), got, want)
		}
	}
}

// refusesToStart puts the mark of an incomplete restore into a complete one, and takes it away
// again: it is the mark alone that keeps mysqld from starting.
func refusesToStart(t *testing.T, dir string) {
	t.Helper()
	marker := filepath.Join(dir, Marker)
	if err := os.WriteFile(marker, nil, 0o640); err != nil {
		t.Fatal(err)
	}
	server, err := mysqld.Start(t.Context(), mysqld.Options{
		Program: mysqldtest.Program(t), Folder: filepath.Join(filepath.Dir(dir), "refused"), DataDir: dir, Quiet: true, DieWithParent: true,
	})
	if err == nil {
		t.Error("mysqld starts on a directory with the mark of an incomplete restore")
		if err := server.Kill(); err != nil {
			t.Error(err)
		}
	}
	var e *mysqld.StartError
	if !errors.As(err, &e) || !strings.Contains(strings.Join(e.Tail, "\n"), "Incomplete cloned data directory") {
		t.Errorf("error is %v", err)
	}
	if err := os.Remove(marker); err != nil {
		t.Fatal(err)
	}
}

// A clone comes as a stream does: in blocks of 1 MiB, files in turns and not in order, pages of it torn and sent
// again later, tables renamed and dropped meanwhile. It boots, restored by us and by tar with the script.
func TestACloneThatWasStreamedBoots(t *testing.T) {
	source := mysqldtest.Start(t)
	source.Exec(t, "CREATE DATABASE shop", "CREATE TABLE shop.t (a INT PRIMARY KEY, b TEXT)",
		"INSERT INTO shop.t WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < 1000) SELECT i, REPEAT(SHA2(i, 256), 20) FROM n")
	clone := filepath.Join(source.Folder(), "clone")
	source.Exec(t, "CLONE LOCAL DATA DIRECTORY = '"+clone+"'")
	want := source.Query(t, "CHECKSUM TABLE shop.t")[0][1]

	m := storetest.NewMemory()
	s := newStream(t, m, codec.Zstd, 0)
	streamClone(t, s, clone)
	closeStream(t, s, m)
	b := open(t, m)
	report, err := b.Verify(t.Context(), VerifyOptions{})
	if err != nil || report.Pages.Total < 1000 || report.Pages.Bad > 0 || report.Pages.Unknown > 0 {
		t.Fatalf("verify: %v, %d findings, pages %+v", err, len(report.Findings), report.Pages)
	}
	ours := filepath.Join(source.Folder(), "ours")
	if _, err := b.Restore(t.Context(), ours, RestoreOptions{}); err != nil {
		t.Fatal(err)
	}
	theirs := applied(t, m, codec.Zstd)
	original := contents(t, clone)
	for _, dir := range []string{ours, theirs} {
		if diff := cmp.Diff(original, contents(t, dir)); diff != "" {
			t.Fatalf("%s: %s", filepath.Base(dir), diff)
		}
		server := mysqldtest.Start(t, mysqldtest.WithDataDir(dir), mysqldtest.WithQuiet())
		if got := server.Query(t, "CHECKSUM TABLE shop.t")[0][1]; got != want {
			t.Errorf("%s: checksum %s, the source's is %s", filepath.Base(dir), got, want)
		}
	}
}

// streamClone feeds a folder to a stream, the worst way round.
func streamClone(t *testing.T, s *Stream, clone string) {
	t.Helper()
	const block, page = 1 << 20, 16 << 10
	var blocks []func()
	again := map[string][]byte{} // first page of each file, which comes torn at first
	must(t, Dir(clone).Walk(t.Context(), func(e Entry) error {
		if e.Type == TypeDir {
			return s.Add(e, nil)
		}
		content, err := os.ReadFile(filepath.Join(clone, e.Path))
		if err != nil {
			return err
		}
		told := e
		told.Size = 0
		if err := s.Create(told); err != nil {
			return err
		}
		for off := 0; off < len(content); off += block {
			data := bytes.Clone(content[off:min(off+block, len(content))])
			if off == 0 && len(content) > page {
				again[e.Path] = bytes.Clone(content[:page])
				clear(data[page/2 : page])
			}
			blocks = append(blocks, func() { must(t, s.WriteAt(e.Path, data, int64(off))) })
		}
		return nil
	}))
	rand.New(rand.NewPCG(1, 1)).Shuffle(len(blocks), func(i, j int) { blocks[i], blocks[j] = blocks[j], blocks[i] })
	for _, write := range blocks {
		write()
	}
	dropped := entry("shop/dropped.ibd", TypeFile)
	must(t, s.Create(dropped))
	must(t, s.WriteAt(dropped.Path, make([]byte, block), 0))
	must(t, s.Remove(dropped.Path))
	must(t, s.Rename("shop/t.ibd", "shop/u.ibd.#clone_ddl"))
	must(t, s.Rename("shop/u.ibd.#clone_ddl", "shop/t.ibd"))
	for path, data := range again {
		must(t, s.WriteAt(path, data, 0))
	}
}
