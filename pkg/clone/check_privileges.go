package clone

import (
	"fmt"
	"strings"
)

// privilege is the finding about one privilege that is needed.
func privilege(s subject, has bool, name, why, grant string) Finding {
	account := s.facts.Account
	hint := grant + " TO " + quoteAccount(account.User) + ";"
	switch reason, bad := s.facts.Unknown[FactAccount]; {
	case has:
		return okay("the account has "+name, "%s has it, by itself or through a role.", account.User)
	case bad:
		return unknown("the privilege "+name, reason, hint)
	}
	return found(SeverityError, "the account lacks "+name,
		fmt.Sprintf("%s does not have it, neither by itself nor through a role that can be activated. %s", account.User, why), hint)
}

func checkBackupAdmin(s subject) Finding {
	// log_status cannot be read without it, so having read that proves it.
	has := s.facts.LogStatus != nil || s.facts.Account.Has("BACKUP_ADMIN", "", "")
	return privilege(s, has, "BACKUP_ADMIN", "A clone of the server takes it.", "GRANT BACKUP_ADMIN ON *.*")
}

// checkReadStatus: without these tables a clone is neither followed nor recognised after a lost connection.
func checkReadStatus(s subject) Finding {
	return readsStatus(s, "clone_status", "clone_progress", "log_status", "threads")
}

func readsStatus(s subject, tables ...string) Finding {
	missing := []string{}
	for _, table := range tables {
		if !s.facts.Account.Has("SELECT", "performance_schema", table) {
			missing = append(missing, table)
		}
	}
	why := "The state, the progress and the position of a clone are read there. Missing: " + strings.Join(missing, ", ") + "."
	return privilege(s, len(missing) == 0, "SELECT on performance_schema", why, "GRANT SELECT ON performance_schema.*")
}

func checkProcess(s subject) Finding {
	return privilege(s, s.facts.Account.Has("PROCESS", "", ""), "PROCESS",
		"The list of tablespaces takes it; without that list neither the size of the copy nor the files that stop it are known.", "GRANT PROCESS ON *.*")
}

// checkSetVariables asks only where the plan sets something. SUPER, though deprecated, may set global variables too.
func checkSetVariables(s subject) Finding {
	if !s.target.setsVariables() {
		return okay("no variable needs to be set", "The plan sets neither bandwidth nor threads nor ddl.")
	}
	account := s.facts.Account
	has := account.Has("SYSTEM_VARIABLES_ADMIN", "", "") || account.Has("SUPER", "", "")
	return privilege(s, has, "SYSTEM_VARIABLES_ADMIN",
		"The plan sets bandwidth, threads or ddl, which are global variables of the server.", "GRANT SYSTEM_VARIABLES_ADMIN ON *.*")
}
