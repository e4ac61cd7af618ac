package clone_test

import (
	"os"
	"slices"
	"strconv"
	"testing"

	"runner/pkg/clone"
	"runner/pkg/mysqld/mysqldtest"
)

// rounds is how often tests under load repeat themselves: RUNNER_ROUNDS, or once.
func rounds(t *testing.T) int {
	n, err := strconv.Atoi(os.Getenv("RUNNER_ROUNDS"))
	if err != nil || n < 1 {
		return 1
	}
	t.Logf("%d rounds", n)
	return n
}

func TestAStreamTakenUnderWritesAndDDLIsOfOneInstant(t *testing.T) {
	t.Parallel()
	my := mysqldtest.Start(t, mysqldtest.WithArgs("--gtid-mode=ON", "--enforce-gtid-consistency=ON"))
	l := mysqldtest.StartLoad(t, my, 60, 7)
	connections := []int{4}
	if n := rounds(t); n > 1 {
		connections = slices.Repeat([]int{1, 2, 4, 16}, n)
	}
	for _, threads := range connections {
		t.Run(strconv.Itoa(threads), func(t *testing.T) {
			before := l.Changes()
			copied, result := streamed(t, my, clone.StreamOptions{Threads: threads, NetworkBandwidth: 24 << 20})
			if l.Changes() == before {
				t.Error("no table was changed meanwhile")
			}
			mysqldtest.CheckLoad(t, copied)
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
