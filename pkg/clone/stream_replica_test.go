package clone_test

import (
	"fmt"
	"testing"
	"time"

	"runner/pkg/clone"
	"runner/pkg/mysqld/mysqldtest"
)

func TestAReplicaMadeFromAStreamCatchesUpWithItsDonor(t *testing.T) {
	t.Parallel()
	gtid := mysqldtest.WithArgs("--gtid-mode=ON", "--enforce-gtid-consistency=ON", "--server-id=1")
	my := mysqldtest.Start(t, mysqldtest.WithTCP(), gtid)
	my.Exec(t, "CREATE USER copier@'%' IDENTIFIED BY 'secret'", "GRANT REPLICATION SLAVE ON *.* TO copier@'%'")
	l := mysqldtest.StartLoad(t, my, 12, 7)
	sink := newFolder(t)
	if _, err := connect(t, my).CloneStream(t.Context(), clone.StreamOptions{Threads: 3, NetworkBandwidth: 32 << 20}, sink, hooks(t)); err != nil {
		t.Fatal(err)
	}
	replica := sink.bootWith(t, mysqldtest.WithArgs("--gtid-mode=ON", "--enforce-gtid-consistency=ON", "--server-id=2", "--skip-replica-start"))
	time.Sleep(200 * time.Millisecond) // of further writes
	l.Stop(t)
	replica.Exec(t, fmt.Sprintf("CHANGE REPLICATION SOURCE TO SOURCE_HOST = '127.0.0.1', SOURCE_PORT = %d, SOURCE_USER = 'copier', SOURCE_PASSWORD = 'secret', "+
		"SOURCE_AUTO_POSITION = 1, GET_SOURCE_PUBLIC_KEY = 1", my.Port()), "START REPLICA")
	done := my.Value(t, "SELECT @@GLOBAL.gtid_executed")
	if caught := replica.Value(t, "SELECT WAIT_FOR_EXECUTED_GTID_SET(?, 120)", done); caught != "0" {
		t.Fatalf("the replica has not caught up: %v", replica.Query(t, "SELECT LAST_ERROR_MESSAGE FROM performance_schema.replication_applier_status_by_worker"))
	}
	replica.Exec(t, "STOP REPLICA")
	if want, got := checksums(t, my), checksums(t, replica); want != got {
		t.Errorf("the donor has %s, the replica %s", want, got)
	}
}
