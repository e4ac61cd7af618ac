package plan

import (
	"fmt"
)

// source builds a source; what is wrong with it is reported, and it is there
// to be referred to all the same.
func (l *loader) source(o *object) *Source {
	s := l.settings(o.spec, []*object{o}, l.base, o.at)
	out := &Source{
		Name: o.name(), Host: get[string](s, "host"), Port: get[int](s, "port"), Socket: get[string](s, "socket"),
		User: get[string](s, "user"), Password: get[Secret](s, "password"), PasswordFile: get[string](s, "password_file"),
		DefaultsFile: get[string](s, "defaults_file"), Range: l.place(o.at),
	}
	if !s.given("port") && (out.Host == "" || out.DefaultsFile != "") {
		out.Port = 0 // a socket has none, and an option file may have another than the default
	}
	l.checkAddress(s)
	l.checkAccount(s)
	if t := s.blocks["tls"]; t.there {
		out.TLS = &TLS{
			Mode: get[string](t, "mode"), CAFile: get[string](t, "ca_file"),
			CertFile: get[string](t, "cert_file"), KeyFile: get[string](t, "key_file"),
		}
		l.checkTLS(s, t)
	}
	return out
}

func (l *loader) checkAddress(s *settings) {
	switch {
	case s.given("host") && s.given("socket"):
		l.fail(s.place("socket"), "Conflicting attributes", "A source is reached by host or by socket, not by both.", "")
	case s.given("port") && s.given("socket"):
		l.fail(s.place("port"), "Conflicting attributes", "A socket has no port; port goes with host.", "")
	case !s.given("host", "socket", "defaults_file"):
		l.fail(&s.at, "Missing attribute", "A source needs host, socket or defaults_file to be reached by.", "")
	}
}

func (l *loader) checkAccount(s *settings) {
	if !s.given("user", "defaults_file") {
		l.fail(&s.at, "Missing attribute", "A source needs user, unless defaults_file gives it.", "")
	}
	if password := get[Secret](s, "password"); !password.IsZero() && s.given("password_file") {
		l.fail(s.place("password_file"), "Conflicting attributes", "The password is given by password or by password_file, not by both.", "")
	}
}

// checkTLS refuses what would have no effect.
func (l *loader) checkTLS(s, t *settings) {
	mode := get[string](t, "mode")
	verifies := mode == "verify-ca" || mode == "verify-identity"
	if t.given("ca_file") && !verifies && mode != "" {
		l.fail(t.place("ca_file"), "Conflicting attributes", fmt.Sprintf("Nothing is verified in mode %q, so ca_file would have no effect; it goes with verify-ca and verify-identity.", mode), "")
	}
	if mode == "verify-identity" && s.given("socket") {
		l.fail(&t.at, "Conflicting attributes", "verify-identity compares the certificate with the host, and a socket has none; use verify-ca.", "")
	}
	for _, pair := range [][2]string{{"cert_file", "key_file"}, {"key_file", "cert_file"}} {
		switch {
		case t.given(pair[0]) && !t.given(pair[1]):
			l.fail(t.place(pair[0]), "Missing attribute", fmt.Sprintf("%s goes together with %s.", pair[0], pair[1]), "")
		case t.given(pair[0]) && mode == "disabled":
			l.fail(t.place(pair[0]), "Conflicting attributes", fmt.Sprintf("Without TLS %s would have no effect.", pair[0]), "")
		}
	}
}

// repository builds a repository, as source does.
func (l *loader) repository(o *object) *Repository {
	s := l.settings(o.spec, []*object{o}, l.base, o.at)
	return &Repository{Kind: o.labels[0], Name: o.name(), Path: get[string](s, "path"), Range: l.place(o.at)}
}

// levels are the scale of a format's compression level.
type levels struct{ min, max, preset int }

func levelsOf(format string) levels {
	switch format {
	case "zstd":
		return levels{1, 22, 1} // zstd(1): -1 to -22 with --ultra
	case "gzip":
		return levels{0, 9, 6} // gzip(1), and zlib's 0 for stored
	case "lz4":
		return levels{1, 12, 1} // lz4(1): -1 to -12
	}
	return levels{}
}

// compress fills in the level, whose scale is the format's.
func (l *loader) compress(s *settings) Compress {
	out := Compress{
		Format: get[string](s, "format"), Level: get[int](s, "level"),
		Threads: get[int](s, "threads"), Bandwidth: get[int64](s, "bandwidth"),
	}
	scale := levelsOf(out.Format)
	format, level := s.values["format"], s.values["level"]
	switch {
	case format.bad || level.bad:
	case !level.given, format.given && format.layer < level.layer: // a level of defaults is not for the job's own format
		out.Level = scale.preset
	case out.Format == "none":
		l.fail(s.place("level"), "Conflicting attributes", "Without compression there is no level.", "")
	case out.Level < scale.min || out.Level > scale.max:
		l.fail(s.place("level"), "Invalid value", fmt.Sprintf("level is %d; of %s it is from %d to %d.", out.Level, out.Format, scale.min, scale.max), "")
	}
	return out
}

// clone builds the clone block; s is its settings.
func (l *loader) clone(s *settings) Clone {
	out := Clone{
		Mode: get[string](s, "mode"), Directory: get[string](s, "directory"), MountedAt: get[string](s, "mounted_at"),
		Bandwidth: get[int64](s, "bandwidth"), NetworkBandwidth: get[int64](s, "network_bandwidth"),
		NetworkCompression: get[string](s, "network_compression"),
		Threads:            get[int](s, "threads"), DDL: get[string](s, "ddl"), DDLTimeout: duration(s, "ddl_timeout"),
		Recipient: get[*Source](s, "recipient"), Keep: get[bool](s, "keep"),
	}
	if !s.given("directory") && (out.Mode == "local" || out.Mode == "remote") {
		l.fail(&s.at, "Missing attribute", fmt.Sprintf("clone.directory is required with mode %q: the parent of the staging directory, as mysqld sees it.", out.Mode), "")
	}
	if s.given("mounted_at") && !s.given("directory") {
		l.fail(s.place("mounted_at"), "Missing attribute", "mounted_at goes together with directory.", "")
	}
	l.streamSettings(s, &out)
	l.remoteSettings(s, &out)
	if out.DDLTimeout%second != 0 {
		l.fail(s.place("ddl_timeout"), "Invalid value", "ddl_timeout is in whole seconds, since the server's clone_ddl_timeout is.", "")
	}
	return out
}
