package plan

// streamSettings refuses what a stream has no use for. What a job takes from defaults beside a mode of its own is not meant
// for that mode, and is left out.
func (l *loader) streamSettings(s *settings, c *Clone) {
	if c.Mode != modeStream || s.values["mode"].bad {
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
