package clone_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"runner/pkg/clone"
	"runner/pkg/mysqld/mysqldtest"
)

// through connects by TCP, by way of a proxy that can cut.
func through(t *testing.T, my *mysqldtest.Server, tlsMode string) (*clone.Server, *proxy) {
	t.Helper()
	my.Exec(t, "CREATE USER IF NOT EXISTS backup@'%' IDENTIFIED BY 'secret'", "GRANT BACKUP_ADMIN, PROCESS, SHOW VIEW ON *.* TO backup@'%'",
		"GRANT SELECT ON performance_schema.* TO backup@'%'")
	p := newProxy(t, my.Port())
	return open(t, clone.Config{Host: "127.0.0.1", Port: p.port(), User: "backup", Password: "secret", TLSMode: tlsMode}), p
}

// cutter cuts connections, once in each stage, after some blocks of it have come.
type cutter struct {
	mu     sync.Mutex
	cut    func() (done bool)
	after  map[string]int // stage → blocks until then
	cuts   map[string]int
	stages map[string]int
}

func (c *cutter) progress(p clone.Progress) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stages[p.Stage]++
	if n, wanted := c.after[p.Stage]; wanted && c.stages[p.Stage] >= n && c.cuts[p.Stage] == 0 && c.cut() {
		c.cuts[p.Stage]++
	}
}

// cutInEachStage makes a copy of a server under load that is cut in each stage, and wants it to be whole all the same, and to
// have been resumed so often at least.
func cutInEachStage(t *testing.T, server *clone.Server, threads, resumed int, cut func() bool) {
	t.Helper()
	c := &cutter{
		cut: cut, cuts: map[string]int{}, stages: map[string]int{},
		after: map[string]int{"FILE COPY": 1 + rand.IntN(60), "PAGE COPY": 1 + rand.IntN(20), "REDO COPY": 1 + rand.IntN(2)},
	}
	sink := newFolder(t)
	h := hooks(t)
	h.Progress = c.progress
	result, err := server.CloneStream(t.Context(), clone.StreamOptions{
		Threads: threads, NetworkBandwidth: 16 << 20, Interval: time.Nanosecond, CheckPages: true,
	}, sink, h)
	if err != nil {
		t.Fatalf("%d connections: %v (cut %v of %v)", threads, err, c.cuts, c.stages)
	}
	if len(c.cuts) < resumed || result.Stream.Resumed < resumed {
		t.Errorf("cut in %v, resumed %d times", c.cuts, result.Stream.Resumed)
	}
	mysqldtest.CheckLoad(t, sink.boot(t))
}

func TestAStreamWhoseConnectionsAreCutGoesOnAndIsOfOneInstant(t *testing.T) {
	t.Parallel()
	my := mysqldtest.Start(t, mysqldtest.WithTCP())
	mysqldtest.StartLoad(t, my, 40, 7)
	all := []int{3}
	if rounds(t) > 1 {
		all = []int{1, 3}
	}
	for range rounds(t) {
		for _, threads := range all {
			t.Run(strconv.Itoa(threads), func(t *testing.T) {
				server, p := through(t, my, "")
				cutInEachStage(t, server, threads, 3, func() bool { p.cut(); return true })
			})
		}
	}
}

func TestAStreamGoesOnAfterACutOfOneConnectionAlone(t *testing.T) {
	t.Parallel()
	my := mysqldtest.Start(t, mysqldtest.WithTCP())
	mysqldtest.StartLoad(t, my, 40, 7)
	for range rounds(t) {
		// The redo log is short: it may be here before a worker is, and before the loss of one is noticed.
		for r, resumed := range map[role]int{mainConnection: 3, ackConnection: 3, workerConnection: 2} {
			t.Run(string(r), func(t *testing.T) {
				server, p := through(t, my, clone.TLSDisabled)
				cutInEachStage(t, server, 3, resumed, func() bool { return p.cutOne(r) })
			})
		}
	}
}

// A firewall that has forgotten a connection does not tell the server, which then asks for patience.
func TestAStreamGoesOnWhereTheServerHasNotNoticedTheLoss(t *testing.T) {
	t.Parallel()
	my := mysqldtest.Start(t, mysqldtest.WithTCP())
	my.Exec(t, "CREATE DATABASE shop", "CREATE TABLE shop.t (id INT PRIMARY KEY AUTO_INCREMENT, b LONGBLOB)")
	for range 40 {
		my.Exec(t, "INSERT INTO shop.t (b) SELECT CONCAT(RANDOM_BYTES(1024), REPEAT('filling ', 131000))")
	}
	server, p := through(t, my, clone.TLSDisabled)
	sink, h, lost := newFolder(t), hooks(t), false
	h.Progress = func(clone.Progress) { lost = lost || p.forgetOne(mainConnection) }
	result, err := server.CloneStream(t.Context(), clone.StreamOptions{Threads: 2, NetworkBandwidth: 16 << 20, Interval: time.Nanosecond}, sink, h)
	if err != nil {
		t.Fatal(err)
	}
	if !lost || result.Stream.Resumed == 0 {
		t.Errorf("lost: %v, resumed %d times", lost, result.Stream.Resumed)
	}
	copied := sink.boot(t)
	const sums = "CHECKSUM TABLE shop.t EXTENDED"
	if want, got := my.Query(t, sums)[0][1], copied.Query(t, sums)[0][1]; want != got {
		t.Errorf("checksum %s, want %s", got, want)
	}
}

// dropping leaves out what is sent of pages that were changed while files were copied.
type dropping struct {
	folder
	mu      sync.Mutex
	stage   string
	dropped int
}

func (d *dropping) progress(p clone.Progress) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.stage = p.Stage
}

func (d *dropping) WriteAt(p string, data []byte, off int64) error {
	d.mu.Lock()
	drop := d.stage == "PAGE COPY" && strings.HasPrefix(p, "bank/") && len(data) <= 16<<10
	if drop {
		d.dropped++
	}
	d.mu.Unlock()
	if drop {
		return nil
	}
	return d.folder.WriteAt(p, data, off)
}

// Without the pages the copy must not pass: else the tests above would prove nothing.
func TestACopyWithoutTheChangedPagesDoesNotPass(t *testing.T) {
	t.Parallel()
	if os.Getenv(negative) != "" {
		withoutPages(t)
		return
	}
	out, err := rerun(t, "TestACopyWithoutTheChangedPagesDoesNotPass", negative)
	if err == nil {
		t.Errorf("it passed: %s", out)
	}
	if !strings.Contains(string(out), "pages were left out") {
		t.Errorf("the pages were not left out: %s", out)
	}
}

const negative = "RUNNER_TEST_WITHOUT_PAGES"

func withoutPages(t *testing.T) {
	my := mysqldtest.Start(t)
	mysqldtest.StartLoad(t, my, 40, 7)
	sink := &dropping{folder: newFolder(t)}
	h := hooks(t)
	h.Progress = sink.progress
	if _, err := connect(t, my).CloneStream(t.Context(), clone.StreamOptions{NetworkBandwidth: 16 << 20, Interval: time.Nanosecond}, sink, h); err != nil {
		t.Fatal(err)
	}
	if sink.dropped == 0 {
		t.Fatal("no page was changed")
	}
	t.Logf("%d pages were left out", sink.dropped)
	mysqldtest.CheckLoad(t, sink.boot(t))
}

func TestACancelledStreamLeavesTheServerReadyForTheNextClone(t *testing.T) {
	my := mysqldtest.Start(t)
	fill(t, my)
	for _, threads := range []int{1, 4} {
		ctx, cancel := context.WithCancel(t.Context())
		h := hooks(t)
		h.Progress = func(clone.Progress) { cancel() }
		_, err := connect(t, my).CloneStream(ctx, clone.StreamOptions{Threads: threads, NetworkBandwidth: 1 << 20, Interval: time.Nanosecond}, newFolder(t), h)
		cancel()
		if !errors.Is(err, context.Canceled) {
			t.Fatalf("error is %v", err)
		}
		if _, err := connect(t, my).CloneStream(t.Context(), clone.StreamOptions{Threads: threads}, newFolder(t), hooks(t)); err != nil {
			t.Errorf("the next clone: %v", err)
		}
	}
}

// brokenSink is a sink that fails after some writes.
type brokenSink struct {
	folder
	left int
}

var errDisk = errors.New("the disk is full")

func (b *brokenSink) WriteAt(p string, data []byte, off int64) error {
	if b.left--; b.left < 0 {
		return errDisk
	}
	return b.folder.WriteAt(p, data, off)
}

func TestAFailingSinkEndsTheStreamWithItsError(t *testing.T) {
	my := mysqldtest.Start(t)
	fill(t, my)
	_, err := connect(t, my).CloneStream(t.Context(), clone.StreamOptions{}, &brokenSink{newFolder(t), 5}, hooks(t))
	if !errors.Is(err, errDisk) {
		t.Errorf("error is %v", err)
	}
	if _, err := connect(t, my).CloneStream(t.Context(), clone.StreamOptions{}, newFolder(t), hooks(t)); err != nil {
		t.Errorf("the next clone: %v", err)
	}
}
