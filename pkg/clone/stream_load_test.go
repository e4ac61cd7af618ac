package clone_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"runner/pkg/clone"
	"runner/pkg/mysqld/mysqldtest"
)

const (
	accounts = 200
	writers  = 4
	changers = 2
	each     = 1000 // in every account at the beginning
)

// load writes into a server, and changes its tables, while it is copied. Any copy of one instant holds what verify wants.
type load struct {
	my   *mysqldtest.Server
	quit context.CancelFunc
	work sync.WaitGroup

	mu       sync.Mutex
	failures []string
	changes  int
}

// rounds is how often tests under load repeat themselves: RUNNER_ROUNDS, or once.
func rounds(t *testing.T) int {
	n, err := strconv.Atoi(os.Getenv("RUNNER_ROUNDS"))
	if err != nil || n < 1 {
		return 1
	}
	t.Logf("%d rounds", n)
	return n
}

// startLoad makes the tables, of which one is large enough for a copy to take a while, and begins.
func startLoad(t *testing.T, my *mysqldtest.Server, megabytes int) *load {
	t.Helper()
	my.Exec(
		t,
		"SET GLOBAL innodb_redo_log_capacity = 268435456", // a clone fails whose log is overwritten before it is copied
		"SET GLOBAL max_binlog_size = 67108864", "SET GLOBAL binlog_expire_logs_seconds = 300",
		"CREATE DATABASE bank", "CREATE DATABASE ddl", "USE bank",
		"CREATE TABLE account (id INT PRIMARY KEY, balance BIGINT NOT NULL, note VARCHAR(400))",
		"CREATE TABLE ballast (id INT PRIMARY KEY AUTO_INCREMENT, b LONGBLOB)",
	)
	for id := range accounts {
		my.Exec(t, fmt.Sprintf("INSERT INTO bank.account VALUES (%d, %d, REPEAT('x', 300))", id, each))
	}
	for range megabytes {
		my.Exec(t, "INSERT INTO bank.ballast (b) SELECT CONCAT(RANDOM_BYTES(1024), REPEAT('filling ', 131000))")
	}
	for w := range writers {
		my.Exec(t, fmt.Sprintf("CREATE TABLE bank.log%d (seq BIGINT PRIMARY KEY, giver INT, taker INT, amount INT, KEY (giver), KEY (taker))", w))
	}
	ctx, quit := context.WithCancel(context.WithoutCancel(t.Context()))
	l := &load{my: my, quit: quit}
	for w := range writers {
		l.work.Add(1)
		go l.write(ctx, w)
	}
	for c := range changers {
		l.work.Add(1)
		go l.change(ctx, c)
	}
	t.Cleanup(func() { l.stop(t) })
	return l
}

func (l *load) stop(t testing.TB) {
	l.quit()
	l.work.Wait()
	for _, f := range l.failures {
		t.Error(f)
	}
	l.failures = nil
}

func (l *load) failed(err error) {
	if err == nil || errors.Is(err, context.Canceled) {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.failures = append(l.failures, err.Error())
}

// write moves money, and logs each move under a number without gaps, in one transaction.
func (l *load) write(ctx context.Context, w int) {
	defer l.work.Done()
	random := rand.New(rand.NewPCG(uint64(w), 7))
	for seq := 1; ctx.Err() == nil; {
		err := l.transfer(ctx, w, seq, random)
		var deadlock *mysql.MySQLError
		switch {
		case err == nil:
			seq++
		case errors.As(err, &deadlock) && (deadlock.Number == 1213 || deadlock.Number == 1205):
		case ctx.Err() != nil: // the load is over, and the transaction was rolled back
			return
		default:
			l.failed(err)
			return
		}
	}
}

func (l *load) transfer(ctx context.Context, w, seq int, random *rand.Rand) error {
	from, to, amount := random.IntN(accounts), random.IntN(accounts), random.IntN(50)
	tx, err := l.my.Pool().BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	statements := []string{
		fmt.Sprintf("UPDATE bank.account SET balance = balance - %d WHERE id = %d", amount, from),
		fmt.Sprintf("UPDATE bank.account SET balance = balance + %d WHERE id = %d", amount, to),
		fmt.Sprintf("INSERT INTO bank.log%d VALUES (%d, %d, %d, %d)", w, seq, from, to, amount),
	}
	if seq%200 == 0 { // a megabyte, which each time would be more than disks and redo log take for long
		statements = append(statements, fmt.Sprintf("UPDATE bank.ballast SET b = CONCAT(RANDOM_BYTES(8), SUBSTRING(b, 9)) WHERE id = %d", 1+random.IntN(8)))
	}
	for _, statement := range statements {
		if _, err := tx.ExecContext(ctx, statement); err != nil {
			return errors.Join(err, ignoreDone(tx.Rollback()))
		}
	}
	return tx.Commit()
}

func ignoreDone(err error) error {
	if errors.Is(err, sql.ErrTxDone) {
		return nil
	}
	return err
}

// change makes, fills, renames, swaps, rebuilds and drops tables and tablespaces, all under names of its own. Each table holds the
// rows 1 to 50 and their squares.
func (l *load) change(ctx context.Context, c int) {
	defer l.work.Done()
	for n := 0; ctx.Err() == nil; n++ {
		name := func(s string) string { return fmt.Sprintf("ddl.%s_%d_%d", s, c, n) }
		rows := " SELECT * FROM (WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50) SELECT i, i * i FROM n) x"
		statements := []string{
			"CREATE TABLE " + name("a") + " (id INT PRIMARY KEY, square INT)", "INSERT INTO " + name("a") + rows,
			"CREATE TABLE " + name("b") + " (id INT PRIMARY KEY, square INT) COMPRESSION = 'zlib'", "INSERT INTO " + name("b") + rows,
			"RENAME TABLE " + name("a") + " TO " + name("t") + ", " + name("b") + " TO " + name("a") + ", " + name("t") + " TO " + name("b"),
			"ALTER TABLE " + name("a") + " ADD KEY (square)", "ALTER TABLE " + name("b") + " ADD COLUMN more VARCHAR(30) DEFAULT 'm', ALGORITHM = INPLACE",
			"ALTER TABLE " + name("a") + " ENGINE = InnoDB", "OPTIMIZE TABLE " + name("b"),
			"ALTER TABLE " + name("b") + " COMPRESSION = 'zlib'", "OPTIMIZE TABLE " + name("b"),
			"RENAME TABLE " + name("a") + " TO " + name("kept"),
			"TRUNCATE TABLE " + name("b"), "INSERT INTO " + name("b") + " (id, square)" + rows,
			fmt.Sprintf("CREATE TABLESPACE ts_%d_%d ADD DATAFILE 'ts_%d_%d.ibd'", c, n, c, n),
			fmt.Sprintf("ALTER TABLE %s COMPRESSION = '', TABLESPACE = ts_%d_%d", name("b"), c, n),
			fmt.Sprintf("CREATE TABLE %s (id INT PRIMARY KEY, square INT) PARTITION BY HASH (id) PARTITIONS 2", name("p")), "INSERT INTO " + name("p") + rows,
			fmt.Sprintf("CREATE UNDO TABLESPACE undo_%d_%d ADD DATAFILE 'undo_%d_%d.ibu'", c, n, c, n),
			fmt.Sprintf("ALTER UNDO TABLESPACE undo_%d_%d SET INACTIVE", c, n),
		}
		if n > 2 { // a few stay for a while
			old := func(s string) string { return fmt.Sprintf("ddl.%s_%d_%d", s, c, n-2) }
			statements = append(statements, "DROP TABLE "+old("kept")+", "+old("b")+", "+old("p"), fmt.Sprintf("DROP TABLESPACE ts_%d_%d", c, n-2))
		}
		for _, s := range statements {
			if _, err := l.my.Pool().ExecContext(ctx, s); err != nil && ctx.Err() == nil {
				l.failed(fmt.Errorf("%s: %w", s, err))
				return
			}
			l.mu.Lock()
			l.changes++
			l.mu.Unlock()
			time.Sleep(20 * time.Millisecond)
		}
		l.dropUndo(ctx, fmt.Sprintf("undo_%d_%d", c, n))
	}
}

// dropUndo drops an undo tablespace once the server has emptied it.
func (l *load) dropUndo(ctx context.Context, name string) {
	for range 300 {
		_, err := l.my.Pool().ExecContext(ctx, "DROP UNDO TABLESPACE "+name)
		if err == nil || ctx.Err() != nil {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	l.failed(fmt.Errorf("%s never becomes empty", name))
}

// verify wants a copy to be of one instant, and every table of it to be sound.
func verify(t *testing.T, copied *mysqldtest.Server) {
	t.Helper()
	checkTables(t, copied)
	if sum := copied.Value(t, "SELECT SUM(balance) FROM bank.account"); sum != strconv.Itoa(accounts*each) {
		t.Errorf("the sum of all accounts is %s", sum)
	}
	var moves []string
	for w := range writers {
		row := copied.Query(t, fmt.Sprintf("SELECT COUNT(*), COALESCE(MAX(seq), 0) FROM bank.log%d", w))[0]
		if row[0] != row[1] {
			t.Errorf("writer %d has %s moves up to number %s", w, row[0], row[1])
		}
		moves = append(moves, fmt.Sprintf("SELECT giver AS id, -amount AS moved FROM bank.log%[1]d UNION ALL SELECT taker, amount FROM bank.log%[1]d", w))
	}
	wrong := copied.Query(t, fmt.Sprintf("SELECT a.id, a.balance, m.moved FROM bank.account a LEFT JOIN (SELECT id, SUM(moved) AS moved FROM (%s) x GROUP BY id) m "+
		"ON a.id = m.id WHERE a.balance <> %d + COALESCE(m.moved, 0)", strings.Join(moves, " UNION ALL "), each))
	if len(wrong) > 0 {
		t.Errorf("accounts that don't follow from their moves: %v", wrong)
	}
	verifyChanged(t, copied)
}

// verifyChanged looks at the tables that were made while the copy was.
func verifyChanged(t *testing.T, copied *mysqldtest.Server) {
	t.Helper()
	for _, name := range tables(t, copied) {
		if !strings.HasPrefix(name, "`ddl`") {
			continue
		}
		// Rows come in one transaction: all of them are there, or none.
		row := copied.Query(t, "SELECT COUNT(*), COALESCE(SUM(square = id * id), 0) FROM "+name)[0]
		if row[0] != row[1] || row[0] != "0" && row[0] != "50" {
			t.Errorf("%s has %s rows, of which %s are right", name, row[0], row[1])
		}
	}
	rows := copied.Query(t, "SELECT file_name FROM information_schema.files WHERE file_name LIKE '%clone_ddl%'")
	if len(rows) > 0 {
		t.Errorf("files with temporary names: %v", rows)
	}
}

func TestAStreamTakenUnderWritesAndDDLIsOfOneInstant(t *testing.T) {
	t.Parallel()
	my := mysqldtest.Start(t, mysqldtest.WithArgs("--gtid-mode=ON", "--enforce-gtid-consistency=ON"))
	l := startLoad(t, my, 60)
	connections := []int{4}
	if n := rounds(t); n > 1 {
		connections = slices.Repeat([]int{1, 2, 4, 16}, n)
	}
	for _, threads := range connections {
		t.Run(strconv.Itoa(threads), func(t *testing.T) {
			before := l.changed()
			copied, result := streamed(t, my, clone.StreamOptions{Threads: threads, NetworkBandwidth: 24 << 20})
			if l.changed() == before {
				t.Error("no table was changed meanwhile")
			}
			verify(t, copied)
			between(t, copied, result)
		})
	}
}

// between wants the instant that a copy is of to lie between what the logs said before and after it.
func between(t *testing.T, copied *mysqldtest.Server, result *clone.Result) {
	t.Helper()
	if result.Before == nil || result.After == nil {
		t.Fatalf("the window is %+v to %+v", result.Before, result.After)
	}
	at := copied.Value(t, "SELECT GTID_EXECUTED FROM performance_schema.clone_status")
	inside := copied.Value(t, "SELECT GTID_SUBSET(?, ?) AND GTID_SUBSET(?, ?)", *result.Before.GTIDExecuted, at, at, *result.After.GTIDExecuted)
	if inside != "1" || at == "" {
		t.Errorf("the copy is at %q, not between %q and %q", at, *result.Before.GTIDExecuted, *result.After.GTIDExecuted)
	}
	if result.Coordinates.From == clone.FromQuietWindow && at != *result.Coordinates.GTIDExecuted {
		t.Errorf("the copy is at %q and not at %q", at, *result.Coordinates.GTIDExecuted)
	}
}

func (l *load) changed() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.changes
}
