package clone_test

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"sync"
	"testing"

	"runner/pkg/clone"
	"runner/pkg/mysqld/mysqldtest"
)

// Nothing before or after the clone shows that the checksums were off while it was made; only the redo log does.
func TestARedoLogWithoutChecksumsIsSeenInTheCopy(t *testing.T) {
	for _, encrypt := range []string{"OFF", "ON"} {
		for _, mode := range []string{clone.ModeStream, clone.ModeLocal} {
			t.Run(mode+", encrypted "+encrypt, func(t *testing.T) { bareRedo(t, mode, encrypt) })
		}
	}
}

func bareRedo(t *testing.T, mode, encrypt string) {
	my := mysqldtest.Start(t, mysqldtest.WithKeyring(), mysqldtest.WithTCP())
	fill(t, my)
	my.Exec(t, "SET GLOBAL innodb_redo_log_encrypt = "+encrypt)
	server := connect(t, my)
	before, err := server.Reading(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if n := cloneUnder(t, my, mode, false); n != 0 {
		t.Fatalf("%d blocks have no checksum while checksums are on", n)
	}
	my.Exec(t, "SET GLOBAL innodb_log_checksums = OFF")
	unchecked := cloneUnder(t, my, mode, true)
	my.Exec(t, "SET GLOBAL innodb_log_checksums = ON")
	after, err := server.Reading(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if n := before.Reread(*after, unchecked); unchecked == 0 || n.Settings["innodb_log_checksums"] != "OFF" || len(n.Changes) != 1 {
		t.Errorf("%d blocks, %+v", unchecked, n)
	}
}

// cloneUnder clones a server that is written to, and returns how many blocks of the copy's redo log have no checksum. A server
// with the setting reads the copy.
func cloneUnder(t *testing.T, my *mysqldtest.Server, mode string, bare bool) (unchecked int64) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	var work sync.WaitGroup
	work.Go(func() {
		for ctx.Err() == nil {
			_, _ = my.Pool().ExecContext(ctx, "UPDATE shop.plain SET s = CONCAT(RAND(), id) WHERE id < 1000")
		}
	})
	defer work.Wait()
	defer stop()
	sink := newFolder(t)
	if mode == clone.ModeLocal {
		sink.dir = filepath.Join(my.Folder(), t.Name(), "copy")
		if err := os.MkdirAll(filepath.Dir(sink.dir), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.RemoveAll(sink.dir); err != nil {
			t.Fatal(err)
		}
		if _, err := connect(t, my).CloneLocal(t.Context(), clone.LocalOptions{Directory: sink.dir}, hooks(t)); err != nil {
			t.Fatal(err)
		}
		unchecked, err := clone.UncheckedRedo(sink.dir)
		if err != nil {
			t.Fatal(err)
		}
		return unchecked
	}
	result, err := connect(t, my).CloneStream(t.Context(), clone.StreamOptions{RequireTLS: true}, sink, hooks(t))
	if err != nil {
		t.Fatal(err)
	}
	seen, err := clone.UncheckedRedo(sink.dir)
	if err != nil || seen != result.Stream.BareRedo {
		t.Errorf("%d blocks are in the copy, and %d came (%v)", seen, result.Stream.BareRedo, err)
	}
	if bare {
		copied := sink.boot(t, mysqldtest.WithKeyring(), mysqldtest.WithArgs("--innodb-log-checksums=OFF"))
		mysqldtest.CheckTables(t, copied)
		if log, err := os.ReadFile(copied.ErrorLog()); err != nil || regexp.MustCompile(`in the future`).Match(log) {
			t.Errorf("the redo log is not read (%v):\n%s", err, log)
		}
	}
	return result.Stream.BareRedo
}
