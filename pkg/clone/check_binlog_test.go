package clone

import "testing"

func TestAServerWithoutBinaryLogCanBeBackedUp(t *testing.T) {
	s, off := healthy(t), false
	s.facts.Source.LogBin = &off
	if f := s.check(t, CodeBinaryLog); f.Severity != SeverityInfo {
		t.Errorf("got %+v", f)
	}
	s.facts.Source.LogBin = nil
	if f := s.check(t, CodeBinaryLog); f.Severity != SeverityUnknown {
		t.Errorf("got %+v", f)
	}
}
