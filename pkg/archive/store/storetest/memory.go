// Package storetest has a store in memory and the test suite that every store passes.
package storetest

import (
	"bytes"
	"context"
	"io/fs"
	"sort"
	"sync"
	"time"

	"runner/pkg/archive/store"
)

// Memory is a store in memory. Files can be read and replaced behind its back, as damage does.
type Memory struct {
	mu    sync.Mutex
	files map[string][]byte
}

// NewMemory gives an empty one.
func NewMemory() *Memory { return &Memory{files: map[string][]byte{}} }

// Clone gives a copy that shares the bytes.
func (m *Memory) Clone() *Memory {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := NewMemory()
	for name, b := range m.files {
		c.files[name] = b
	}
	return c
}

// Bytes of a file; nil if it is absent.
func (m *Memory) Bytes(name string) []byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.files[name]
}

// Set makes or replaces a file.
func (m *Memory) Set(name string, b []byte) { m.put(name, b) }

// Create implements [store.Store].
func (m *Memory) Create(_ context.Context, name string) (store.Writer, error) {
	if bad(name) {
		return nil, &store.NameError{Name: name}
	}
	w := &memoryWriter{m: m, name: name}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.files[name+store.PartialSuffix] = nil
	return w, nil
}

// Resume implements [store.Store].
func (m *Memory) Resume(_ context.Context, name string, size int64) (store.Writer, error) {
	if bad(name) {
		return nil, &store.NameError{Name: name}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	b, ok := m.files[name+store.PartialSuffix]
	if !ok {
		return nil, &fs.PathError{Op: "resume", Path: name, Err: fs.ErrNotExist}
	}
	if int64(len(b)) < size {
		return nil, &store.ShortError{Name: name, Size: int64(len(b)), Want: size}
	}
	b = bytes.Clone(b[:size])
	m.files[name+store.PartialSuffix] = b
	return &memoryWriter{m: m, name: name, b: b[:size:size]}, nil
}

func (m *Memory) put(name string, b []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.files[name] = b[:len(b):len(b)]
}

func (m *Memory) drop(name string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.files, name)
}

func bad(name string) bool {
	return name == "" || name == "." || name == ".." || bytes.ContainsAny([]byte(name), "/\x00")
}

// Open implements [store.Store].
func (m *Memory) Open(_ context.Context, name string) (store.Reader, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	b, ok := m.files[name]
	if !ok {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return memoryReader{bytes.NewReader(b)}, nil
}

// List implements [store.Store].
func (m *Memory) List(context.Context) ([]store.Info, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	infos := make([]store.Info, 0, len(m.files))
	for name, b := range m.files {
		infos = append(infos, store.Info{Name: name, Size: int64(len(b)), Modified: time.Unix(0, 0)})
	}
	sort.Slice(infos, func(i, j int) bool { return infos[i].Name < infos[j].Name })
	return infos, nil
}

// Remove implements [store.Store].
func (m *Memory) Remove(_ context.Context, name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.files[name]; !ok {
		return &fs.PathError{Op: "remove", Path: name, Err: fs.ErrNotExist}
	}
	delete(m.files, name)
	return nil
}

type memoryReader struct{ *bytes.Reader }

func (memoryReader) Close() error { return nil }

// memoryWriter keeps to itself what was not made durable, as a disk may.
type memoryWriter struct {
	m    *Memory
	name string

	mu    sync.Mutex
	b     []byte
	ended bool
}

func (w *memoryWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ended {
		return 0, store.ErrEnded
	}
	w.b = append(w.b, p...)
	return len(p), nil
}

func (w *memoryWriter) Sync() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ended {
		return store.ErrEnded
	}
	w.m.put(w.name+store.PartialSuffix, w.b)
	return nil
}

func (w *memoryWriter) end() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ended {
		return store.ErrEnded
	}
	w.ended = true
	return nil
}

func (w *memoryWriter) Commit() error {
	if err := w.end(); err != nil {
		return err
	}
	w.m.drop(w.name + store.PartialSuffix)
	w.m.put(w.name, w.b)
	return nil
}

func (w *memoryWriter) Abort() error {
	if err := w.end(); err != nil {
		return err
	}
	w.m.drop(w.name + store.PartialSuffix)
	return nil
}

func (w *memoryWriter) Keep() error { return w.end() }
