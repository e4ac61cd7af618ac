package clone

// checkReadOnly: a server that may not be written to can be cloned, so backing up replicas is fine.
func checkReadOnly(s subject) Finding {
	src := s.facts.Source
	switch {
	case src.ReadOnly == nil:
		return unknown("whether the server is read-only", src.Unknown["read_only"], "SELECT @@read_only, @@super_read_only;")
	case src.SuperReadOnly != nil && *src.SuperReadOnly:
		return found(SeverityInfo, "the server is read-only", "super_read_only is ON, as on a replica. It can be cloned all the same.", "")
	case *src.ReadOnly:
		return found(SeverityInfo, "the server is read-only", "read_only is ON, as on a replica. It can be cloned all the same.", "")
	}
	return okay("the server may be written to", "read_only is OFF.")
}
