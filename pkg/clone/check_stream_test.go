package clone

import (
	"strings"
	"testing"
)

func TestWhatAStreamNeedsOfTheServer(t *testing.T) {
	compressed := func(algorithms string) func(*subject) {
		return func(s *subject) {
			s.target.WireCompressed = true
			s.facts.Variables["protocol_compression_algorithms"] = algorithms
		}
	}
	packet := func(size string) func(*subject) {
		return func(s *subject) { s.facts.Variables["max_allowed_packet"] = size }
	}
	for _, c := range []struct {
		name, code string
		change     func(*subject)
		severity   Severity
		says       string
	}{
		{"least packet", CodePacket, packet("2097152"), SeverityOK, ""},
		{"smaller packet", CodePacket, packet("2097151"), SeverityError, "SET GLOBAL max_allowed_packet = 2097152;"},
		{"packet unknown", CodePacket, packet("big"), SeverityUnknown, `"big"`},
		{"no lost table", CodeArchiveTables, func(*subject) {}, SeverityOK, ""},
		{"another lost table", CodeArchiveTables, func(s *subject) { s.facts.Lost = []LostTable{{Schema: "d", Table: "m", Engine: "MyISAM"}} }, SeverityOK, ""},
		{"an ARCHIVE table", CodeArchiveTables, func(s *subject) { s.facts.Lost = []LostTable{{Schema: "d", Table: "old", Engine: "ARCHIVE"}} }, SeverityWarning, "d.old"},
		{"lost tables unknown", CodeArchiveTables, func(s *subject) { s.facts.Unknown[FactLost] = "denied" }, SeverityUnknown, "denied"},
		{"not compressed", CodeWireCompression, func(*subject) {}, SeverityOK, ""},
		{"compressed", CodeWireCompression, compressed("zlib,zstd,uncompressed"), SeverityOK, "zstd"},
		{"another algorithm", CodeWireCompression, compressed("zlib,uncompressed"), SeverityError, "SET GLOBAL protocol_compression_algorithms = 'zlib,uncompressed,zstd';"},
		{"no algorithm", CodeWireCompression, compressed(""), SeverityError, "= 'zstd';"},
		{"an old server", CodeWireCompression, func(s *subject) { s.target.WireCompressed = true }, SeverityError, "8.0.18"},
	} {
		s := healthy(t)
		s.target.Mode = ModeStream
		c.change(&s)
		f := s.check(t, c.code)
		if f.Severity != c.severity || !strings.Contains(f.Summary+" "+f.Detail+" "+f.Hint, c.says) {
			t.Errorf("%s: %+v", c.name, f)
		}
	}
}
