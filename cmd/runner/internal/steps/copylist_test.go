package steps

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"runner/pkg/archive"
	"runner/pkg/clone"
	"runner/pkg/plan"
)

// listedCopy makes a directory as a clone leaves it, and lists it in a run's folder.
func listedCopy(t *testing.T) (c *cloned, folder string) {
	t.Helper()
	dir := t.TempDir()
	for path, content := range map[string]string{"ibdata1": "system", "undo_001": "undo", "undo_002": "undo", "mysql.ibd": "m", "shop/t.ibd": "table"} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, path)), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, path), []byte(content), 0o640); err != nil {
			t.Fatal(err)
		}
	}
	folder = t.TempDir()
	s := &cloneStep{job: &job{Job: &plan.Job{Address: "job.orders"}, run: Run{ID: "20260101T000000Z-aaaa", Folder: folder}, host: NewLive("20260101T000000Z-aaaa")}}
	c = &cloned{Result: &clone.Result{Observe: dir}, Attempt: 1}
	if err := s.list(t.Context(), c); err != nil || c.List == nil {
		t.Fatal(err, c.List)
	}
	return c, folder
}

func compared(t *testing.T, c *cloned, folder string) error {
	t.Helper()
	entries, err := c.List.read(folder)
	if err != nil {
		t.Fatal(err)
	}
	return compare(entries, c.Observe, func(fn func(listed)) error {
		return archive.Dir(c.Observe).Walk(context.Background(), func(e archive.Entry) error {
			fn(listed{Path: e.Path, Type: e.Type, Size: e.Size, Link: e.Link})
			return nil
		})
	})
}

func TestACopyThatLostOrGotFilesIsNamed(t *testing.T) {
	in := func(name string, change func(path string) error) func(dir string) error {
		return func(dir string) error { return change(filepath.Join(dir, name)) }
	}
	for name, test := range map[string]struct {
		change func(dir string) error
		want   string // empty: nothing changed
	}{
		"nothing":    {func(string) error { return nil }, ""},
		"missing":    {in("undo_001", os.Remove), "undo_001 is missing"},
		"shorter":    {in("ibdata1", func(p string) error { return os.Truncate(p, 3) }), "ibdata1 has 3 bytes, and had 6"},
		"longer":     {in("ibdata1", func(p string) error { return os.Truncate(p, 30) }), "ibdata1 has 30 bytes, and had 6"},
		"additional": {in("shop/u.ibd", func(p string) error { return os.WriteFile(p, nil, 0o600) }), "shop/u.ibd was not there"},
		"a folder": {in("undo_002", func(p string) error {
			return errors.Join(os.Remove(p), os.Mkdir(p, 0o700))
		}), "undo_002 is a dir, and was a file"},
		"many": {in("shop", os.RemoveAll), "shop is missing, and 1 more file"},
	} {
		t.Run(name, func(t *testing.T) {
			c, folder := listedCopy(t)
			if err := test.change(c.Observe); err != nil {
				t.Fatal(err)
			}
			err := compared(t, c, folder)
			var changed *ChangedCopyError
			switch {
			case test.want == "" && err != nil, test.want != "" && !errors.As(err, &changed):
				t.Fatal(err)
			case test.want != "" && (!strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), "RUN107")):
				t.Error(err)
			}
		})
	}
}

func TestAListThatIsNotWhatWasRecordedIsNotBelieved(t *testing.T) {
	for name, change := range map[string]func(path string) error{
		"gone":    os.Remove,
		"cut off": func(p string) error { return os.Truncate(p, 20) },
		"another": func(p string) error { return os.WriteFile(p, []byte(`{"path":".","type":"dir"}`+"\n"), 0o600) },
		"endless": func(p string) error { return os.WriteFile(p, []byte(strings.Repeat(" ", maxListLine+1)), 0o600) },
	} {
		c, folder := listedCopy(t)
		if err := change(filepath.Join(folder, c.List.File)); err != nil {
			t.Fatal(err)
		}
		if entries, err := c.List.read(folder); err == nil {
			t.Errorf("%s: %v", name, entries)
		}
	}
}

func TestAnAdoptedCopyHasWhatEveryServerHas(t *testing.T) {
	c, _ := listedCopy(t)
	if err := lacks(t.Context(), archive.Dir(c.Observe), c.Observe); err != nil {
		t.Error(err)
	}
	if err := os.Remove(filepath.Join(c.Observe, "undo_002")); err != nil {
		t.Fatal(err)
	}
	var changed *ChangedCopyError
	if err := lacks(t.Context(), archive.Dir(c.Observe), c.Observe); !errors.As(err, &changed) || changed.Which[0] != "undo_002 is missing" {
		t.Error(err)
	}
}
