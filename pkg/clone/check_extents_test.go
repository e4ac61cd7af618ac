package clone

import "testing"

func TestFilesOfTheSystemTablespaceThatACloneWouldMakeLongerAreRefused(t *testing.T) {
	for _, c := range []struct {
		page int
		path string
		want Severity
	}{
		{16 << 10, "ibdata1:13M;ibdata2:8M:autoextend", SeverityOK},
		{32 << 10, "ibdata1:13M;ibdata2:8M:autoextend", SeverityError},
		{32 << 10, "ibdata1:14M;ibdata2:9M:autoextend", SeverityOK},
		{64 << 10, "ibdata1:14M;ibdata2:8M:autoextend", SeverityError},
		{64 << 10, "ibdata1:16M;ibdata2:9M", SeverityError},
		{64 << 10, "ibdata1:12m:autoextend:max:1G", SeverityOK},
		{0, "", SeverityOK},
	} {
		s := healthy(t)
		s.facts.Source.InnodbPageSize, s.facts.Source.InnodbDataFilePath = c.page, c.path
		f := s.check(t, CodeSystemExtents)
		if f.Severity != c.want || f.Severity == SeverityError && f.Hint == "" {
			t.Errorf("pages of %d, %s: %+v", c.page, c.path, f)
		}
	}
}
