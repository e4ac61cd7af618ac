package storetest

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"testing"

	"github.com/google/go-cmp/cmp"

	"runner/pkg/archive/store"
)

// Suite tests what every store promises. empty gives a store with nothing in it.
func Suite(t *testing.T, empty func(t *testing.T) store.Store) {
	t.Helper()
	tests := map[string]func(t *testing.T, s store.Store){
		"a committed file can be read":                   committed,
		"an uncommitted file is not seen":                uncommitted,
		"an aborted file leaves nothing":                 aborted,
		"commit replaces what bore the name":             replaced,
		"create leaves what bears the name":              kept,
		"a writer ends once":                             endsOnce,
		"an absent file is told as such":                 absent,
		"names that lead elsewhere are refused":          names,
		"a file larger than its kind is not read":        tooLarge,
		"a removed file is gone":                         removed,
		"reading beyond the end gives the end":           beyond,
		"the remainder of another writer is overwritten": remainder,
		"a remainder is gone on with where one says":     resumed,
		"what was made durable outlives its writer":      synced,
		"a remainder that is too short is refused":       short,
		"an absent remainder is told as such":            noRemainder,
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) { test(t, empty(t)) })
	}
}

func put(t *testing.T, s store.Store, name, content string) {
	t.Helper()
	if err := store.WriteAll(t.Context(), s, name, []byte(content)); err != nil {
		t.Fatal(err)
	}
}

func want(t *testing.T, s store.Store, name, content string) {
	t.Helper()
	got, err := store.ReadAll(t.Context(), s, name, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != content {
		t.Errorf("%s holds %q, want %q", name, got, content)
	}
}

func list(t *testing.T, s store.Store) []string {
	t.Helper()
	infos, err := s.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	names := []string{}
	for _, i := range infos {
		names = append(names, i.Name)
	}
	return names
}

func create(t *testing.T, s store.Store, name, content string) store.Writer {
	t.Helper()
	w, err := s.Create(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte(content)); err != nil {
		t.Fatal(err)
	}
	return w
}

func committed(t *testing.T, s store.Store) {
	put(t, s, "a", "hello")
	want(t, s, "a", "hello")
	put(t, s, "b", "")
	want(t, s, "b", "")
	infos, err := s.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(infos) != 2 || infos[0].Name != "a" || infos[0].Size != 5 || infos[0].Partial() {
		t.Errorf("list gives %+v", infos)
	}
}

func uncommitted(t *testing.T, s store.Store) {
	w := create(t, s, "a", "hello")
	if _, err := s.Open(t.Context(), "a"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("open gives %v", err)
	}
	if diff := cmp.Diff([]string{"a" + store.PartialSuffix}, list(t, s)); diff != "" {
		t.Error(diff)
	}
	if err := w.Abort(); err != nil {
		t.Error(err)
	}
}

func aborted(t *testing.T, s store.Store) {
	if err := create(t, s, "a", "hello").Abort(); err != nil {
		t.Fatal(err)
	}
	if got := list(t, s); len(got) != 0 {
		t.Errorf("left behind: %q", got)
	}
}

func replaced(t *testing.T, s store.Store) {
	put(t, s, "a", "one")
	put(t, s, "a", "two")
	want(t, s, "a", "two")
}

func kept(t *testing.T, s store.Store) {
	put(t, s, "a", "one")
	w := create(t, s, "a", "two")
	want(t, s, "a", "one")
	if err := w.Abort(); err != nil {
		t.Fatal(err)
	}
	want(t, s, "a", "one")
}

func endsOnce(t *testing.T, s store.Store) {
	w := create(t, s, "a", "one")
	if err := w.Commit(); err != nil {
		t.Fatal(err)
	}
	_, err := w.Write([]byte("x"))
	after := map[string]error{"write": err, "sync": w.Sync(), "commit": w.Commit(), "abort": w.Abort(), "keep": w.Keep()}
	for what, err := range after {
		if !errors.Is(err, store.ErrEnded) {
			t.Errorf("%s after the end gives %v", what, err)
		}
	}
	want(t, s, "a", "one")
}

func absent(t *testing.T, s store.Store) {
	if _, err := s.Open(t.Context(), "a"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("open gives %v", err)
	}
	if err := s.Remove(t.Context(), "a"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("remove gives %v", err)
	}
}

func names(t *testing.T, s store.Store) {
	for _, name := range []string{"", ".", "..", "a/b", "/a", "../a", "a\x00"} {
		_, create := s.Create(context.Background(), name)
		_, resume := s.Resume(context.Background(), name, 0)
		for what, err := range map[string]error{"create": create, "resume": resume} {
			var e *store.NameError
			if !errors.As(err, &e) {
				t.Errorf("%s %q gives %v", what, name, err)
			}
		}
	}
}

func tooLarge(t *testing.T, s store.Store) {
	put(t, s, "a", "hello")
	_, err := store.ReadAll(t.Context(), s, "a", 4)
	var e *store.TooLargeError
	if !errors.As(err, &e) || e.Size != 5 || e.Limit != 4 {
		t.Errorf("reading gives %v", err)
	}
}

func removed(t *testing.T, s store.Store) {
	put(t, s, "a", "hello")
	if err := s.Remove(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	if got := list(t, s); len(got) != 0 {
		t.Errorf("left behind: %q", got)
	}
}

func beyond(t *testing.T, s store.Store) {
	put(t, s, "a", "hello")
	r, err := s.Open(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}()
	b := make([]byte, 4)
	if n, err := r.ReadAt(b, 3); n != 2 || !errors.Is(err, io.EOF) {
		t.Errorf("%d bytes, %v", n, err)
	}
}

func remainder(t *testing.T, s store.Store) {
	create(t, s, "a", "a remainder that is longer") // and its writer dies
	put(t, s, "a", "short")
	want(t, s, "a", "short")
}

// leave makes a remainder.
func leave(t *testing.T, s store.Store, name, content string) {
	t.Helper()
	w := create(t, s, name, content)
	if err := errors.Join(w.Sync(), w.Keep()); err != nil {
		t.Fatal(err)
	}
}

func resumed(t *testing.T, s store.Store) {
	put(t, s, "a", "before")
	leave(t, s, "a", "kept and cut off")
	want(t, s, "a"+store.PartialSuffix, "kept and cut off")
	w, err := s.Resume(t.Context(), "a", 4)
	if err != nil {
		t.Fatal(err)
	}
	want(t, s, "a"+store.PartialSuffix, "kept")
	want(t, s, "a", "before")
	if _, err := w.Write([]byte(" on")); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(w.Sync(), w.Keep()); err != nil {
		t.Fatal(err)
	}
	want(t, s, "a"+store.PartialSuffix, "kept on")
	if w, err = s.Resume(t.Context(), "a", 7); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte(" to the end")); err != nil {
		t.Fatal(err)
	}
	if err := w.Commit(); err != nil {
		t.Fatal(err)
	}
	want(t, s, "a", "kept on to the end")
	if got := list(t, s); len(got) != 1 {
		t.Errorf("left behind: %q", got)
	}
}

func synced(t *testing.T, s store.Store) {
	w := create(t, s, "a", "durable") // and its writer dies
	if err := w.Sync(); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte(" or not")); err != nil {
		t.Fatal(err)
	}
	again, err := s.Resume(t.Context(), "a", 7)
	if err != nil {
		t.Fatal(err)
	}
	if err := again.Commit(); err != nil {
		t.Fatal(err)
	}
	want(t, s, "a", "durable")
}

func short(t *testing.T, s store.Store) {
	leave(t, s, "a", "short")
	_, err := s.Resume(t.Context(), "a", 6)
	var e *store.ShortError
	if !errors.As(err, &e) || e.Size != 5 || e.Want != 6 {
		t.Errorf("resume gives %v", err)
	}
	want(t, s, "a"+store.PartialSuffix, "short")
}

func noRemainder(t *testing.T, s store.Store) {
	put(t, s, "a", "complete")
	if _, err := s.Resume(t.Context(), "a", 0); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("resume gives %v", err)
	}
	want(t, s, "a", "complete")
}
