package clone

import (
	"testing"

	"go.uber.org/goleak"
)

// No test may leave a goroutine behind: a poller, a killer, or the driver's watcher of a connection.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
