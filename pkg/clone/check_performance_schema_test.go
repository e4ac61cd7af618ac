package clone

import "testing"

func TestPerformanceSchemaMustBeOn(t *testing.T) {
	s := healthy(t)
	s.facts.PerformanceSchema = false
	if f := s.check(t, CodePerformanceSchema); f.Severity != SeverityError || f.Hint == "" {
		t.Errorf("got %+v", f)
	}
}
