package clone_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"runner/pkg/clone"
	"runner/pkg/mysqld/mysqldtest"
)

// slow is a bandwidth at which a server that startBig started takes a minute and more.
const slow = 1 << 20

// startBig starts a server that is large enough for its clone to be slowed down: the server keeps no
// limit in the first tenth of a second. The space is allocated, not written.
func startBig(t *testing.T, options ...mysqldtest.Option) *mysqldtest.Server {
	t.Helper()
	my := mysqldtest.Start(t, options...)
	my.Exec(t, "CREATE DATABASE big", "CREATE TABLE big.big (n INT PRIMARY KEY) AUTOEXTEND_SIZE = 768M")
	return my
}

// behaviour is a subtest that shares its server with others: to start one takes longer than most of them.
type behaviour struct {
	name string
	test func(*testing.T, *mysqldtest.Server)
}

// runAll runs the subtests, and wants each to leave the clone's settings as it found them.
func runAll(t *testing.T, my *mysqldtest.Server, all []behaviour) {
	t.Helper()
	for _, b := range all {
		t.Run(b.name, func(t *testing.T) {
			before := settings(t, my)
			b.test(t, my)
			if after := settings(t, my); !maps.Equal(before, after) {
				t.Errorf("settings were %v, are %v", before, after)
			}
		})
	}
}

// target is a path below which nothing is yet, and nothing will be after the test.
func target(t *testing.T) string {
	t.Helper()
	return filepath.Join(t.TempDir(), "copy")
}

// connect opens the test server as root over its socket.
func connect(t *testing.T, my *mysqldtest.Server) *clone.Server {
	t.Helper()
	return open(t, clone.Config{Socket: my.Socket(), User: "root"})
}

func open(t *testing.T, config clone.Config) *clone.Server {
	t.Helper()
	s, err := clone.Open(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Logf("%v", err) // a connection that the test broke cannot say goodbye
		}
	})
	return s
}

// recorder keeps what a clone tells, as a journal would.
type recorder struct {
	mu       sync.Mutex
	effects  []clone.Effect
	open     map[int]clone.Effect
	notes    []string
	progress []clone.Progress

	onIntend   func(clone.Effect) error // after it was recorded
	onProgress func(clone.Progress)
}

func (r *recorder) hooks() clone.Hooks {
	return clone.Hooks{
		Intend: func(_ context.Context, e clone.Effect) (func(context.Context) error, error) {
			r.mu.Lock()
			n := len(r.effects)
			r.effects = append(r.effects, e)
			if r.open == nil {
				r.open = map[int]clone.Effect{}
			}
			r.open[n] = e
			r.mu.Unlock()
			settle := func(context.Context) error {
				r.mu.Lock()
				defer r.mu.Unlock()
				if _, there := r.open[n]; !there {
					return fmt.Errorf("settled twice: %s", e.Summary)
				}
				delete(r.open, n)
				return nil
			}
			if r.onIntend != nil {
				return settle, r.onIntend(e)
			}
			return settle, nil
		},
		Progress: func(p clone.Progress) {
			r.mu.Lock()
			r.progress = append(r.progress, p)
			r.mu.Unlock()
			if r.onProgress != nil {
				r.onProgress(p)
			}
		},
		Note: func(text string) { r.notes = append(r.notes, text) },
	}
}

// reports counts the reports of progress so far.
func (r *recorder) reports() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.progress)
}

// kinds are those of the effects that were intended, in order.
func (r *recorder) kinds() []string {
	var kinds []string
	for _, e := range r.effects {
		kinds = append(kinds, e.Kind)
	}
	return kinds
}

// left are the kinds of the effects that were not settled, in order.
func (r *recorder) left() []string {
	var kinds []string
	for n := range r.effects {
		if e, there := r.open[n]; there {
			kinds = append(kinds, e.Kind)
		}
	}
	return kinds
}

// slowClone runs a clone at a crawl in a goroutine; started is closed once it copies.
type slowClone struct {
	*recorder
	directory string
	started   chan struct{}
	done      chan struct{}
	result    *clone.Result
	err       error
}

func startSlow(ctx context.Context, s *clone.Server, o clone.LocalOptions) *slowClone {
	c := &slowClone{recorder: &recorder{}, directory: o.Directory, started: make(chan struct{}), done: make(chan struct{})}
	var once sync.Once
	c.onProgress = func(clone.Progress) { once.Do(func() { close(c.started) }) }
	if o.Bandwidth == 0 {
		o.Bandwidth = slow
	}
	go func() {
		defer close(c.done)
		c.result, c.err = s.CloneLocal(ctx, o, c.hooks())
	}()
	return c
}

// awaitStart waits until the clone copies.
func (c *slowClone) awaitStart(t *testing.T) {
	t.Helper()
	select {
	case <-c.started:
	case <-c.done:
		t.Fatalf("the clone ended before it copied: %v", c.err)
	}
}

func settings(t *testing.T, my *mysqldtest.Server) map[string]string {
	t.Helper()
	values := map[string]string{}
	for _, row := range my.Query(t, "SELECT variable_name, variable_value FROM performance_schema.global_variables WHERE variable_name LIKE 'clone%'") {
		values[row[0]] = row[1]
	}
	return values
}

func wantDirectory(t *testing.T, path string, want clone.DirState) {
	t.Helper()
	if got, err := clone.InspectDirectory(path); err != nil || got != want {
		t.Errorf("%s is %q (%v), want %q", filepath.Base(path), got, err, want)
	}
}

func wantClass(t *testing.T, err error, class clone.Class, number uint16) {
	t.Helper()
	var typed *clone.Error
	if !errors.As(err, &typed) {
		t.Fatalf("got %v, want an *Error", err)
	}
	if typed.Class != class || typed.Number != number {
		t.Errorf("got class %s, number %d (%v), want class %s, number %d", typed.Class, typed.Number, err, class, number)
	}
	if number != 0 && typed.Hint() == "" {
		t.Errorf("number %d has no hint", number)
	}
}

func wantKinds(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s effects: got %v, want %v", what, got, want)
	}
}

func decode[T any](t *testing.T, e clone.Effect) T {
	t.Helper()
	var data T
	if err := json.Unmarshal(e.Data, &data); err != nil {
		t.Fatalf("%s: %v", e.Kind, err)
	}
	return data
}
