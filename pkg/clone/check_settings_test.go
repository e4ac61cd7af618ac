package clone

import (
	"strings"
	"testing"
	"time"
)

func TestLimitsThatTheServerCannotBeSetToAreErrors(t *testing.T) {
	for name, c := range map[string]struct {
		target  Target
		without string
		want    Severity
		says    string
	}{
		"fine":              {Target{Bandwidth: 100 << 20, Threads: 4}, "", SeverityOK, ""},
		"not whole":         {Target{Bandwidth: 1<<20 + 1}, "", SeverityInfo, "becomes 2 MiB/s"},
		"less than one":     {Target{Bandwidth: 1}, "", SeverityInfo, "becomes 1 MiB/s"},
		"too much":          {Target{Bandwidth: 2 << 40}, "", SeverityError, "at most 1048576 MiB/s"},
		"too many threads":  {Target{Threads: 129}, "", SeverityError, "1 to 128"},
		"no bandwidth here": {Target{Bandwidth: 1 << 20}, varBandwidth, SeverityError, varBandwidth},
		"no threads here":   {Target{Threads: 2}, varThreads, SeverityError, varThreads},
		"nothing to set":    {Target{}, varBandwidth, SeverityOK, ""},
	} {
		s := healthy(t)
		delete(s.facts.Variables, c.without)
		s.target = c.target
		if f := s.check(t, CodeSettings); f.Severity != c.want || !strings.Contains(f.Detail, c.says) {
			t.Errorf("%s: got %+v", name, f)
		}
	}
}

func TestDDLIsAsTheVersionAllows(t *testing.T) {
	for name, c := range map[string]struct {
		target  Target
		without string
		want    Severity
	}{
		"allow":             {Target{DDL: "allow"}, "", SeverityOK},
		"block":             {Target{DDL: "block", DDLTimeout: time.Minute}, "", SeverityOK},
		"allow, before":     {Target{DDL: "allow"}, varBlockDDL, SeverityError},
		"block, before":     {Target{DDL: "block"}, varBlockDDL, SeverityError},
		"as it is, before":  {Target{}, varBlockDDL, SeverityOK},
		"no timeout":        {Target{DDLTimeout: time.Second}, varDDLTimeout, SeverityError},
		"half a second":     {Target{DDLTimeout: time.Second / 2}, "", SeverityInfo},
		"more than a month": {Target{DDLTimeout: 31 * 24 * time.Hour}, "", SeverityError},
	} {
		s := healthy(t)
		delete(s.facts.Variables, c.without)
		s.target = c.target
		if f := s.check(t, CodeDDL); f.Severity != c.want {
			t.Errorf("%s: got %+v", name, f)
		}
	}
}

func TestVariablesThatComeWithThePluginCountWhenItIsLoaded(t *testing.T) {
	s := healthy(t)
	s.facts.Plugins, s.facts.Variables = nil, map[string]string{}
	s.target = Target{Bandwidth: 1 << 20, Threads: 2, DDL: "block", Plugin: "install"}
	for _, code := range []string{CodeSettings, CodeDDL} {
		if f := s.check(t, code); f.Severity != SeverityOK {
			t.Errorf("got %+v", f)
		}
	}
	s.facts.Version.Major, s.facts.Version.Minor, s.facts.Version.Patch = 8, 0, 26
	if f := s.check(t, CodeDDL); f.Severity != SeverityError {
		t.Errorf("8.0.26 has no clone_block_ddl: %+v", f)
	}
	s.target.Plugin = "require"
	if f := s.check(t, CodeSettings); f.Severity != SeverityError {
		t.Errorf("got %+v", f)
	}
}
