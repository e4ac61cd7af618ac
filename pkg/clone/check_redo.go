package clone

// checkRedoLogging: a clone is made consistent by the redo log (3983).
func checkRedoLogging(s subject) Finding {
	if why, bad := s.facts.Unknown[FactRedoLogging]; bad {
		return unknown("whether redo logging is on", why, "SHOW GLOBAL STATUS LIKE 'Innodb_redo_log_enabled';")
	}
	if !s.facts.RedoLogging {
		return found(SeverityError, "redo logging is off", "Somebody disabled InnoDB's redo log, as is done for bulk loads. A clone is not possible meanwhile, and a crash loses the server.",
			"ALTER INSTANCE ENABLE INNODB REDO_LOG;")
	}
	return okay("redo logging is on", "InnoDB writes its redo log.")
}
