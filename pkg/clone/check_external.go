package clone

import (
	"fmt"
	"strings"
)

// checkExternal: a local clone would have to write such a file over itself (1086).
func checkExternal(s subject) Finding {
	f := s.facts
	if why, bad := f.Unknown[FactSpaces]; bad {
		return unknown("whether tables lie outside the data directory", why, "GRANT PROCESS ON *.* TO "+quoteAccount(f.Account.User)+";")
	}
	if len(f.External) == 0 {
		return okay("no table lies outside the data directory", "%d tablespaces were looked at.", len(f.Spaces))
	}
	if s.target.streams() && s.target.DDL == DDLAllow {
		return found(SeverityError, "DDL cannot run while tables outside the data directory are copied",
			fmt.Sprintf("DDL that is under way at the instant of the copy would have the copy's server delete the source's file. Outside of %s: %s.", f.Source.DataDir, most(externalNames(f))),
			"take ddl = \"allow\" out of the block clone of the plan: DDL then waits for the clone")
	}
	if s.target.streams() {
		return found(SeverityInfo, "tables lie outside the data directory",
			fmt.Sprintf("The copy has the files of these %d tablespaces in its own directory: a table's in its schema's folder, a general tablespace's at the top. A server that starts on the copy finds them there. DDL waits for the clone.", len(f.External)), "")
	}
	return found(SeverityError, "tables lie outside the data directory",
		fmt.Sprintf("A local clone copies such a file to the very path where it is, and fails. These are not below %s, or were created with an absolute path: %s.", f.Source.DataDir, most(externalNames(f))),
		moveInside(f.External[0]))
}

// externalNames lists the tablespaces that lie outside, with their files.
func externalNames(f *Facts) (names []string) {
	for _, t := range f.External {
		names = append(names, t.Name+" at "+t.Path)
	}
	return names
}

// moveInside is how the table of one file, or what lies in a general tablespace, gets back into the data directory.
// ALTER TABLE alone keeps a table's DATA DIRECTORY; passing through a general tablespace drops it.
func moveInside(t Tablespace) string {
	schema, table, single := strings.Cut(t.Name, "/")
	if !single {
		return fmt.Sprintf("ALTER TABLE … TABLESPACE = innodb_file_per_table; for every table in it, then: DROP TABLESPACE %s;", quoteName(t.Name))
	}
	table, _, partitioned := strings.Cut(table, "#")
	name := quoteName(schema) + "." + quoteName(table)
	if partitioned {
		return fmt.Sprintf("SHOW CREATE TABLE %s; -- then ALTER TABLE … REORGANIZE PARTITION …, without DATA DIRECTORY", name)
	}
	return fmt.Sprintf("CREATE TABLESPACE runner_move ADD DATAFILE 'runner_move.ibd'; ALTER TABLE %[1]s TABLESPACE = runner_move; ALTER TABLE %[1]s TABLESPACE = innodb_file_per_table; DROP TABLESPACE runner_move;", name)
}
