package recipient

import (
	"bytes"
	"fmt"
	"path"
	"strings"
	"sync"
	"testing"
)

// memory is a sink that refuses every call that a file system would refuse, and every one that leads out of it. Whoever
// makes such a call fails the test.
type memory struct {
	t testing.TB

	mu      sync.Mutex // held through a call: a second one at once is refused
	files   map[string][]byte
	folders map[string]bool
	calls   []string // without their data

	before func(call string) error // is asked before each call, without the lock; nil: is not
}

func newMemory(t testing.TB) *memory {
	return &memory{t: t, files: map[string][]byte{}, folders: map[string]bool{".": true}}
}

// call makes a call that must be legal on the paths named.
func (m *memory) call(what string, legal func() string, do func(), paths ...string) error {
	if m.before != nil {
		if err := m.before(what); err != nil {
			return err
		}
	}
	if !m.mu.TryLock() {
		m.t.Errorf("%s while another call is made", what)
		m.mu.Lock()
	}
	defer m.mu.Unlock()
	m.calls = append(m.calls, what)
	for _, p := range paths {
		if p == "." || p == "" || path.Clean(p) != p || path.IsAbs(p) || p == ".." || strings.HasPrefix(p, "../") || strings.ContainsRune(p, 0) {
			m.t.Errorf("%s: the path %q is not one below the folder", what, p)
			return fmt.Errorf("illegal path %q", p)
		}
	}
	if problem := legal(); problem != "" {
		m.t.Errorf("%s: %s", what, problem)
		return fmt.Errorf("illegal call: %s: %s", what, problem)
	}
	do()
	return nil
}

func (m *memory) there(p string) bool {
	_, file := m.files[p]
	return file || m.folders[p]
}

// vacant says why nothing can be made at a path.
func (m *memory) vacant(p string) string {
	switch {
	case m.there(p):
		return p + " is there"
	case !m.folders[path.Dir(p)]:
		return "there is no folder for " + p
	}
	return ""
}

func (m *memory) isFile(p string) string {
	if _, file := m.files[p]; !file {
		return p + " is no file"
	}
	return ""
}

func (m *memory) Folder(p string) error {
	return m.call("folder "+p, func() string { return m.vacant(p) }, func() { m.folders[p] = true }, p)
}

func (m *memory) Create(p string, size int64) error {
	return m.call(fmt.Sprintf("create %s %d", p, size), func() string { return m.vacant(p) }, func() { m.files[p] = make([]byte, size) }, p)
}

func (m *memory) WriteAt(p string, data []byte, off int64) error {
	return m.call(fmt.Sprintf("write %s %d+%d", p, off, len(data)), func() string { return m.isFile(p) }, func() {
		m.resize(p, max(int64(len(m.files[p])), off+int64(len(data))))
		copy(m.files[p][off:], data)
	}, p)
}

func (m *memory) Resize(p string, size int64) error {
	return m.call(fmt.Sprintf("resize %s %d", p, size), func() string { return m.isFile(p) }, func() { m.resize(p, size) }, p)
}

func (m *memory) resize(p string, size int64) {
	b := m.files[p]
	if size > int64(len(b)) {
		b = append(b, make([]byte, size-int64(len(b)))...)
	}
	m.files[p] = b[:size]
}

func (m *memory) Rename(from, to string) error {
	legal := func() string {
		if problem := m.isFile(from); problem != "" {
			return problem
		}
		return m.vacant(to)
	}
	return m.call("rename "+from+" "+to, legal, func() {
		m.files[to] = m.files[from]
		delete(m.files, from)
	}, from, to)
}

func (m *memory) Remove(p string) error {
	legal := func() string {
		if !m.there(p) {
			return p + " is not there"
		}
		if m.holds(p) {
			return p + " is not empty"
		}
		return ""
	}
	return m.call("remove "+p, legal, func() {
		delete(m.files, p)
		delete(m.folders, p)
	}, p)
}

// holds says whether anything lies in a folder.
func (m *memory) holds(folder string) bool {
	for p := range m.files {
		if path.Dir(p) == folder {
			return true
		}
	}
	for p := range m.folders {
		if path.Dir(p) == folder && p != "." {
			return true
		}
	}
	return false
}

// content is what there is, by path.
func (m *memory) content() map[string][]byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := map[string][]byte{}
	for p, b := range m.files {
		all[p] = bytes.Clone(b)
	}
	return all
}

// same fails a test whose sink has other files than those wanted, or other bytes in them.
func same(t testing.TB, m *memory, want map[string][]byte) {
	t.Helper()
	got := m.content()
	for p, b := range got {
		if _, is := want[p]; !is {
			t.Errorf("%s, of %d bytes, should not be there", p, len(b))
		}
	}
	for p, b := range want {
		switch g, is := got[p]; {
		case !is:
			t.Errorf("%s is not there", p)
		case len(g) != len(b):
			t.Errorf("%s has %d bytes and not %d", p, len(g), len(b))
		case !bytes.Equal(g, b):
			t.Errorf("%s differs at byte %d", p, differs(g, b))
		}
	}
}

func differs(a, b []byte) int {
	for i := range a {
		if a[i] != b[i] {
			return i
		}
	}
	return -1
}
