package clone

// checkBinaryLog: a server without a binary log can be backed up, but nothing can be replayed after the backup.
func checkBinaryLog(s subject) Finding {
	on := s.facts.Source.LogBin
	switch {
	case on == nil:
		return unknown("whether the server writes a binary log", s.facts.Source.Unknown["log_bin"], "SELECT @@log_bin;")
	case !*on:
		return found(SeverityInfo, "the server writes no binary log", "The backup will have no binary log coordinates: point-in-time recovery and new replicas from it are not possible.", "")
	}
	return okay("the server writes a binary log", "The backup can be followed by what the binary log holds after it.")
}
