package clone_test

import (
	"context"
	"errors"
	"os"
	"testing"
	"time"

	"runner/pkg/clone"
	"runner/pkg/mysqld/mysqldtest"
)

func TestAStreamBootsWithEveryKindOfTableAndTheSameRows(t *testing.T) {
	t.Parallel()
	outside := t.TempDir()
	my := mysqldtest.Start(t, mysqldtest.WithArgs("--innodb-directories="+outside))
	fill(t, my)
	my.Exec(t, "CREATE TABLE shop.outside (id INT PRIMARY KEY, s VARCHAR(100)) DATA DIRECTORY = '"+outside+"'",
		"INSERT INTO shop.outside SELECT * FROM (SELECT 1 AS id, 'a' AS s) x",
		"CREATE UNDO TABLESPACE more ADD DATAFILE 'more.ibu'")
	for _, threads := range []int{1, 16} {
		copied, result := streamed(t, my, clone.StreamOptions{Threads: threads, DDL: clone.DDLBlock})
		if want, got := checksums(t, my), checksums(t, copied); want != got {
			t.Errorf("%d connections: want %s, got %s", threads, want, got)
		}
		mysqldtest.CheckTables(t, copied)
		copied.Query(t, "SELECT * FROM shop.gone")
		if len(result.Stream.External) != 1 || result.Stream.Connections < 1 || result.Stream.Connections > threads || result.Bytes == 0 {
			t.Errorf("%d connections: %+v", threads, result.Stream)
		}
		if result.Coordinates.From != clone.FromQuietWindow || copied.Value(t, "SELECT BINLOG_FILE FROM performance_schema.clone_status") != *result.Coordinates.BinlogFile {
			t.Errorf("coordinates %+v", result.Coordinates)
		}
		if _, err := os.Stat(copied.DataDir() + "/mysql"); err != nil {
			t.Error(err)
		}
	}
}

func TestACompressedStreamSendsLessAndIsTheSame(t *testing.T) {
	t.Parallel()
	my := mysqldtest.Start(t)
	fill(t, my)
	_, plain := streamed(t, my, clone.StreamOptions{})
	copied, result := streamed(t, my, clone.StreamOptions{Compressed: true})
	if want, got := checksums(t, my), checksums(t, copied); want != got {
		t.Errorf("want %s, got %s", want, got)
	}
	if result.Stream.Network > plain.Stream.Network/2 {
		t.Errorf("%d bytes came compressed, %d as they are", result.Stream.Network, plain.Stream.Network)
	}
}

// What the check asks for is enough, to clean up as well.
func TestAStreamTakesNoMoreThanThePrivilegesOfTheCheck(t *testing.T) {
	my := mysqldtest.Start(t)
	my.Exec(t, "CREATE DATABASE shop", "CREATE TABLE shop.t (id INT PRIMARY KEY) AUTOEXTEND_SIZE = 64M")
	my.Exec(t, "CREATE USER sparse@localhost", "GRANT BACKUP_ADMIN, PROCESS, SHOW VIEW ON *.* TO sparse@localhost")
	for _, table := range []string{"clone_status", "clone_progress", "log_status", "threads"} {
		my.Exec(t, "GRANT SELECT ON performance_schema."+table+" TO sparse@localhost")
	}
	server := open(t, clone.Config{Socket: my.Socket(), User: "sparse"})
	h := hooks(t)
	h.Note = func(text string) { t.Errorf("note: %s", text) }
	if _, err := server.CloneStream(t.Context(), clone.StreamOptions{Threads: 1}, newFolder(t), h); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	h.Progress = func(clone.Progress) { cancel() }
	if _, err := server.CloneStream(ctx, clone.StreamOptions{Threads: 1, NetworkBandwidth: 1 << 20, Interval: time.Nanosecond}, newFolder(t), h); !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v", err)
	}
}
