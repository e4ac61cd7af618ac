package wire

import (
	"testing"

	"go.uber.org/goleak"
)

// No test may leave a goroutine behind, above all none that watches a context.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
