package plan

import "fmt"

// networkUncompressed is network_compression where a server sends its data as it is.
const networkUncompressed = "none"

// streamSettings refuses what a stream has no use for. What a job takes from defaults beside a mode of its own is not meant
// for that mode, and is left out.
func (l *loader) streamSettings(s *settings, c *Clone) {
	switch {
	case s.values["mode"].bad, c.Mode == modeAuto:
		return
	case c.Mode != modeStream:
		l.uncompressed(s, c)
		return
	}
	for _, name := range []string{"directory", "mounted_at", "bandwidth", "keep"} {
		if s.besideMode(name) {
			l.fail(s.place(name), "Conflicting attributes", name+" has no effect with mode \"stream\": there is no staging directory, and network_bandwidth limits what is sent.",
				"leave "+name+" out, or set mode to \"local\"")
		}
	}
	c.Directory, c.MountedAt, c.Bandwidth, c.Keep = "", "", 0, false
}

// uncompressed refuses network_compression where no data comes over the clone protocol to us.
func (l *loader) uncompressed(s *settings, c *Clone) {
	if c.NetworkCompression != networkUncompressed && s.besideMode("network_compression") {
		l.fail(s.place("network_compression"), "Conflicting attributes", fmt.Sprintf("network_compression has no effect with mode %q: only what the runner pulls itself, in mode \"stream\", is compressed on the way.", c.Mode),
			"leave network_compression out, or set mode to \"stream\"")
	}
	c.NetworkCompression = networkUncompressed
}
