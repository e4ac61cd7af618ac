package clone_test

import (
	"os"
	"testing"

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
		copied, result := streamed(t, my, clone.StreamOptions{Threads: threads})
		if want, got := checksums(t, my), checksums(t, copied); want != got {
			t.Errorf("%d connections: want %s, got %s", threads, want, got)
		}
		checkTables(t, copied)
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
