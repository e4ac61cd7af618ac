package mysqldtest

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
)

const (
	loadAccounts = 200
	loadWriters  = 4
	loadChangers = 2
	loadBalance  = 1000 // of every account at the beginning
	loadRows     = 50   // of every table that DDL makes
)

// Load writes into a server and changes its tables while a test copies it. A copy of any one instant passes CheckLoad.
type Load struct {
	server *Server
	seed   uint64
	quit   context.CancelFunc
	work   sync.WaitGroup

	mu       sync.Mutex
	failures []string
	changes  int
}

// StartLoad creates the tables, megabytes of them ballast that slows a copy down, and starts four writers and two
// sessions of DDL. The seed decides what each of them does, but not when. The load ends with Stop, or with the test.
//
// It raises the capacity of the redo log: a clone fails when its redo log is overwritten before it is copied.
func StartLoad(t testing.TB, server *Server, megabytes int, seed uint64) *Load {
	t.Helper()
	server.Exec(
		t,
		"SET GLOBAL innodb_redo_log_capacity = 268435456",
		"SET GLOBAL max_binlog_size = 67108864", "SET GLOBAL binlog_expire_logs_seconds = 300",
		"CREATE DATABASE bank", "CREATE DATABASE ddl", "USE bank",
		"CREATE TABLE account (id INT PRIMARY KEY, balance BIGINT NOT NULL, note VARCHAR(400))",
		"CREATE TABLE ballast (id INT PRIMARY KEY AUTO_INCREMENT, b LONGBLOB)",
	)
	for id := range loadAccounts {
		server.Exec(t, fmt.Sprintf("INSERT INTO bank.account VALUES (%d, %d, REPEAT('x', 300))", id, loadBalance))
	}
	for range megabytes {
		server.Exec(t, "INSERT INTO bank.ballast (b) SELECT CONCAT(RANDOM_BYTES(1024), REPEAT('filling ', 131000))")
	}
	for w := range loadWriters {
		server.Exec(t, fmt.Sprintf("CREATE TABLE bank.log%d (seq BIGINT PRIMARY KEY, giver INT, taker INT, amount INT, KEY (giver), KEY (taker))", w))
	}
	ctx, quit := context.WithCancel(context.WithoutCancel(t.Context()))
	l := &Load{server: server, seed: seed, quit: quit}
	for w := range loadWriters {
		l.work.Add(1)
		go l.write(ctx, w)
	}
	for c := range loadChangers {
		l.work.Add(1)
		go l.change(ctx, c)
	}
	t.Cleanup(func() { l.Stop(t) })
	return l
}

// Stop ends the load and fails the test if a statement failed that should not have.
func (l *Load) Stop(t testing.TB) {
	t.Helper()
	l.quit()
	l.work.Wait()
	for _, f := range l.failures {
		t.Error(f)
	}
	l.failures = nil
}

// Changes returns the number of DDL statements executed so far.
func (l *Load) Changes() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.changes
}

func (l *Load) failed(err error) {
	if err == nil || errors.Is(err, context.Canceled) {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.failures = append(l.failures, err.Error())
}

// write moves money between accounts. Each transaction also logs the move under a number without gaps.
func (l *Load) write(ctx context.Context, w int) {
	defer l.work.Done()
	random := rand.New(rand.NewPCG(l.seed, uint64(w))) //nolint:gosec // choices, not secrets
	for seq := 1; ctx.Err() == nil; {
		err := l.transfer(ctx, w, seq, random)
		var deadlock *mysql.MySQLError
		switch {
		case err == nil:
			seq++
		case errors.As(err, &deadlock) && (deadlock.Number == 1213 || deadlock.Number == 1205):
		case ctx.Err() != nil: // the load was stopped, and the transaction rolled back
			return
		default:
			l.failed(err)
			return
		}
	}
}

func (l *Load) transfer(ctx context.Context, w, seq int, random *rand.Rand) error {
	from, to, amount := random.IntN(loadAccounts), random.IntN(loadAccounts), random.IntN(50)
	tx, err := l.server.Pool().BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	statements := []string{
		fmt.Sprintf("UPDATE bank.account SET balance = balance - %d WHERE id = %d", amount, from),
		fmt.Sprintf("UPDATE bank.account SET balance = balance + %d WHERE id = %d", amount, to),
		fmt.Sprintf("INSERT INTO bank.log%d VALUES (%d, %d, %d, %d)", w, seq, from, to, amount),
	}
	if seq%200 == 0 { // a megabyte; more often would fill the redo log faster than a slow disk takes it
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

// change creates, fills, renames, swaps, rebuilds and drops tables and tablespaces under names of its own. Each table
// holds the rows 1 to loadRows and their squares, or none.
func (l *Load) change(ctx context.Context, c int) {
	defer l.work.Done()
	random := rand.New(rand.NewPCG(l.seed, uint64(1000+c))) //nolint:gosec // choices, not secrets
	for n := 0; ctx.Err() == nil; n++ {
		for _, statement := range changes(c, n, random) {
			if _, err := l.server.Pool().ExecContext(ctx, statement); err != nil && ctx.Err() == nil {
				l.failed(fmt.Errorf("%s: %w", statement, err))
				return
			}
			l.mu.Lock()
			l.changes++
			l.mu.Unlock()
			pause(ctx, time.Duration(5+random.IntN(30))*time.Millisecond)
		}
		l.dropUndo(ctx, fmt.Sprintf("undo_%d_%d", c, n))
	}
}

// pause waits for d, or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// changes returns the DDL of one round of one session: c is the session, n its round.
func changes(c, n int, random *rand.Rand) []string {
	name := func(s string) string { return fmt.Sprintf("ddl.%s_%d_%d", s, c, n) }
	const rows = " SELECT * FROM (WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50) SELECT i, i * i FROM n) x"
	formats := []string{"COMPRESSION = 'zlib'", "ROW_FORMAT = COMPRESSED KEY_BLOCK_SIZE = 4", "ROW_FORMAT = COMPACT", "ROW_FORMAT = DYNAMIC"}
	statements := []string{
		"CREATE TABLE " + name("a") + " (id INT PRIMARY KEY, square INT)", "INSERT INTO " + name("a") + rows,
		"CREATE TABLE " + name("b") + " (id INT PRIMARY KEY, square INT) COMPRESSION = 'zlib'", "INSERT INTO " + name("b") + rows,
		"CREATE TABLE " + name("f") + " (id INT PRIMARY KEY, square INT) " + formats[random.IntN(len(formats))], "INSERT INTO " + name("f") + rows,
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
		statements = append(statements, "DROP TABLE "+old("kept")+", "+old("b")+", "+old("p")+", "+old("f"), fmt.Sprintf("DROP TABLESPACE ts_%d_%d", c, n-2))
	}
	return statements
}

// dropUndo drops an undo tablespace as soon as the server has emptied it.
func (l *Load) dropUndo(ctx context.Context, name string) {
	for range 300 {
		_, err := l.server.Pool().ExecContext(ctx, "DROP UNDO TABLESPACE "+name)
		if err == nil || ctx.Err() != nil {
			return
		}
		pause(ctx, 100*time.Millisecond)
	}
	l.failed(fmt.Errorf("%s never becomes empty", name))
}
