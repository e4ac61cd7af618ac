package clone_test

import (
	"os"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"runner/pkg/clone"
	"runner/pkg/mysqld/mysqldtest"
)

// number is a setting of the environment, for longer runs than those of every day.
func number(t *testing.T, variable string, usual int) int {
	t.Helper()
	n, err := strconv.Atoi(os.Getenv(variable))
	if err != nil {
		return usual
	}
	t.Logf("%s is %d", variable, n)
	return n
}

func TestADonorThatStallsIsWaitedFor(t *testing.T) {
	t.Parallel()
	stall := time.Duration(number(t, "RUNNER_STALL_SECONDS", 3)) * time.Second
	my := mysqldtest.Start(t)
	fill(t, my)
	var once sync.Once
	var woken sync.WaitGroup
	h := hooks(t)
	h.Progress = func(p clone.Progress) {
		once.Do(func() {
			if err := syscall.Kill(my.PID(), syscall.SIGSTOP); err != nil {
				t.Error(err)
			}
			woken.Go(func() {
				time.Sleep(stall)
				if err := syscall.Kill(my.PID(), syscall.SIGCONT); err != nil {
					t.Error(err)
				}
			})
		})
	}
	sink := newFolder(t)
	result, err := connect(t, my).CloneStream(t.Context(), clone.StreamOptions{NetworkBandwidth: 32 << 20, Interval: time.Nanosecond}, sink, h)
	woken.Wait()
	if err != nil {
		t.Fatal(err)
	}
	if result.Stream.Resumed != 0 || result.End.Sub(result.Begin) < stall {
		t.Errorf("resumed %d times, in %v", result.Stream.Resumed, result.End.Sub(result.Begin))
	}
	if want, got := checksums(t, my), checksums(t, sink.boot(t)); want != got {
		t.Errorf("want %s, got %s", want, got)
	}
}

// slowSink stops once for a while.
type slowSink struct {
	folder
	once  sync.Once
	stall time.Duration
	after int
}

func (s *slowSink) WriteAt(p string, data []byte, off int64) error {
	if s.after--; s.after < 0 {
		s.once.Do(func() { time.Sleep(s.stall) })
	}
	return s.folder.WriteAt(p, data, off)
}

func TestARepositoryThatStallsCostsNoConnection(t *testing.T) {
	t.Parallel()
	seconds := number(t, "RUNNER_STALL_SECONDS", 18)
	my := mysqldtest.Start(t)
	mysqldtest.StartLoad(t, my, 120, 7)
	sink := &slowSink{folder: newFolder(t), stall: time.Duration(seconds) * time.Second, after: 30}
	result, err := connect(t, my).CloneStream(t.Context(), clone.StreamOptions{Threads: 2, CheckPages: true}, sink, hooks(t))
	if err != nil {
		t.Fatal(err)
	}
	if result.Stream.Resumed != 0 || result.Stream.Spilled == 0 || result.Stream.Stalled < 14*time.Second {
		t.Errorf("resumed %d times, spilled %d bytes, stalled %v", result.Stream.Resumed, result.Stream.Spilled, result.Stream.Stalled)
	}
	mysqldtest.CheckLoad(t, sink.boot(t))
}

// counted counts what is written.
type counted struct {
	folder
	bytes int64
}

func (c *counted) WriteAt(p string, data []byte, off int64) error {
	c.bytes += int64(len(data))
	return c.folder.WriteAt(p, data, off)
}

func TestHolesOfALargeTablespaceAreNotWritten(t *testing.T) {
	t.Parallel()
	gigabytes := int64(number(t, "RUNNER_SPARSE_GIGABYTES", 1))
	my := mysqldtest.Start(t)
	my.Exec(t, "CREATE DATABASE shop", "CREATE TABLE shop.t (id INT PRIMARY KEY)", "INSERT INTO shop.t VALUES (1), (2)")
	dir := my.DataDir()
	if err := my.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	// A file may be larger than its header says: the server extends files so before it tells them.
	if err := os.Truncate(dir+"/shop/t.ibd", gigabytes<<30); err != nil {
		t.Fatal(err)
	}
	again := mysqldtest.Start(t, mysqldtest.WithDataDir(dir))
	sink := &counted{folder: newFolder(t)}
	result, err := connect(t, again).CloneStream(t.Context(), clone.StreamOptions{CheckPages: true}, sink, hooks(t))
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(sink.path("shop/t.ibd")); err != nil || info.Size() < gigabytes<<30 {
		t.Errorf("the copy is %v, %v", info, err)
	}
	if result.Bytes < gigabytes<<30 || sink.bytes > 256<<20 {
		t.Errorf("%d bytes came and %d were written", result.Bytes, sink.bytes)
	}
	t.Logf("%d bytes came in %v, %d were written", result.Bytes, result.End.Sub(result.Begin), sink.bytes)
	if n := sink.boot(t).Value(t, "SELECT COUNT(*) FROM shop.t"); n != "2" {
		t.Errorf("%s rows", n)
	}
}
