package clone

// checkPerformanceSchema: a clone's state, progress and log positions can be read nowhere else.
func checkPerformanceSchema(s subject) Finding {
	if !s.facts.PerformanceSchema {
		return found(SeverityError, "performance_schema is off",
			"A clone can neither be followed nor told apart from somebody else's without performance_schema. It can only be turned on when the server starts.",
			"add performance_schema = ON below [mysqld] in the server's option file, and restart it")
	}
	return okay("performance_schema is on", "The clone's state and progress can be read.")
}
