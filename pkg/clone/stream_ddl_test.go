package clone_test

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"runner/pkg/clone"
	"runner/pkg/mysqld/mysqldtest"
)

func TestAStreamBlocksDDLWhereThePlanSaysSoAndLetsItRunElse(t *testing.T) {
	t.Parallel()
	my := mysqldtest.Start(t)
	fill(t, my)
	for ddl, waits := range map[string]bool{clone.DDLBlock: true, clone.DDLAllow: false, "": false} {
		var made, last atomic.Int64 // when the table was made, and when the last block came
		var once sync.Once
		var work sync.WaitGroup
		h := hooks(t)
		h.Progress = func(clone.Progress) {
			last.Store(time.Now().UnixNano())
			once.Do(func() {
				work.Go(func() {
					my.Exec(t, "CREATE TABLE shop.meanwhile (id INT PRIMARY KEY)")
					made.Store(time.Now().UnixNano())
				})
			})
		}
		_, err := connect(t, my).CloneStream(t.Context(), clone.StreamOptions{DDL: ddl, DDLTimeout: 20 * time.Second, NetworkBandwidth: 40 << 20, Interval: time.Nanosecond}, newFolder(t), h)
		work.Wait()
		if waited := made.Load() > last.Load(); waited != waits {
			t.Errorf("ddl %q: it waited for the copy: %v", ddl, waited)
		}
		if err != nil {
			t.Fatal(err)
		}
		my.Exec(t, "DROP TABLE shop.meanwhile")
	}
}

func TestAStreamOfAServerThatIsCloningIsRefusedAsBusy(t *testing.T) {
	my := mysqldtest.Start(t)
	fill(t, my)
	var once sync.Once
	var second error
	h := hooks(t)
	other := connect(t, my)
	h.Progress = func(clone.Progress) {
		once.Do(func() {
			_, second = other.CloneStream(t.Context(), clone.StreamOptions{}, newFolder(t), hooks(t))
		})
	}
	if _, err := connect(t, my).CloneStream(t.Context(), clone.StreamOptions{NetworkBandwidth: 80 << 20, Interval: time.Nanosecond}, newFolder(t), h); err != nil {
		t.Fatal(err)
	}
	if clone.ClassOf(second) != clone.Busy {
		t.Errorf("the second one ends with %v", second)
	}
}

func TestATableOutsideThatAppearsWhileDDLRunsEndsTheStream(t *testing.T) {
	outside := t.TempDir()
	my := mysqldtest.Start(t, mysqldtest.WithArgs("--innodb-directories="+outside))
	fill(t, my)
	h := hooks(t)
	var once sync.Once
	var work sync.WaitGroup
	h.Progress = func(clone.Progress) {
		once.Do(func() {
			work.Go(func() { my.Exec(t, "CREATE TABLE shop.late (id INT PRIMARY KEY) DATA DIRECTORY = '"+outside+"'") })
		})
	}
	server := connect(t, my)
	_, err := server.CloneStream(t.Context(), clone.StreamOptions{Threads: 1, NetworkBandwidth: 3 << 20, Interval: time.Nanosecond}, newFolder(t), h)
	work.Wait()
	if !errors.Is(err, clone.ErrOutside) || clone.ClassOf(err) != clone.Retry {
		t.Fatalf("error is %v", err)
	}
	// Now it is there from the beginning on.
	_, err = server.CloneStream(t.Context(), clone.StreamOptions{Threads: 1}, newFolder(t), hooks(t))
	if !errors.Is(err, clone.ErrOutside) {
		t.Fatalf("error is %v", err)
	}
	copied, _ := streamed(t, my, clone.StreamOptions{DDL: clone.DDLBlock})
	copied.Query(t, "SELECT * FROM shop.late")
}
