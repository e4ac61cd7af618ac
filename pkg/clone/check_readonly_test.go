package clone

import (
	"strings"
	"testing"
)

func TestAReplicaCanBeBackedUp(t *testing.T) {
	on := true
	s := healthy(t)
	s.facts.Source.ReadOnly = &on
	if f := s.check(t, CodeReadOnly); f.Severity != SeverityInfo || !strings.HasPrefix(f.Detail, "read_only") {
		t.Errorf("got %+v", f)
	}
	s.facts.Source.SuperReadOnly = &on
	if f := s.check(t, CodeReadOnly); f.Severity != SeverityInfo || !strings.HasPrefix(f.Detail, "super_read_only") {
		t.Errorf("got %+v", f)
	}
	s.facts.Source.ReadOnly = nil
	if f := s.check(t, CodeReadOnly); f.Severity != SeverityUnknown {
		t.Errorf("got %+v", f)
	}
}
