package clone

import (
	"errors"
	"strings"

	"github.com/go-sql-driver/mysql"
)

// Errors that have a hint of their own for each cause that the message names.
const (
	erTooMany         = 1040
	erAccessDenied    = 1045
	erTooManyUser     = 1203
	erUserLimit       = 1226
	erOption          = 1290
	erCloneSystem     = 3869
	erCloneDisallowed = 3875
)

// cause is a part of a message, and what to do where it is in there.
type cause struct{ text, hint string }

// hintFor returns the hint for an error of this number. Some numbers stand for several causes, which the message tells.
func (k knownError) hintFor(err error) string {
	var said *mysql.MySQLError
	if errors.As(err, &said) {
		for _, c := range causes(k.number) {
			if strings.Contains(said.Message, c.text) {
				return c.hint
			}
		}
	}
	return k.hint
}

// causes lists the causes of a number, by what MySQL 9.7 writes into its message: the names of the limits in sql_connect.cc and
// sql_parse.cc, those of options where ER_OPTION_PREVENTS_STATEMENT is raised, and the texts of the clone plugin.
func causes(number uint16) []cause {
	switch number {
	case erUserLimit:
		return []cause{
			{"max_user_connections", "raise the account's limit, or end its other connections: ALTER USER … WITH MAX_USER_CONNECTIONS 10;"},
			{"max_connections_per_hour", "wait for the hour to end, or raise the account's limit: ALTER USER … WITH MAX_CONNECTIONS_PER_HOUR 0;"},
			{"max_queries_per_hour", "wait for the hour to end, or raise the account's limit: ALTER USER … WITH MAX_QUERIES_PER_HOUR 0;"},
			{"max_questions", "wait for the hour to end, or raise the account's limit: ALTER USER … WITH MAX_QUERIES_PER_HOUR 0;"},
			{"max_updates", "wait for the hour to end, or raise the account's limit: ALTER USER … WITH MAX_UPDATES_PER_HOUR 0;"},
		}
	case erOption:
		return []cause{
			{"--super-read-only", "let another server give the backup, or: SET GLOBAL super_read_only = OFF;"},
			{"--read-only", "let another server give the backup, or: SET GLOBAL read_only = OFF;"},
			{"--skip-grant-tables", "restart mysqld without --skip-grant-tables"},
			{"--secure-file-priv", "choose a clone.directory below the one that the server allows: SELECT @@secure_file_priv;"},
		}
	case erCloneSystem:
		return []cause{
			{"clone_valid_donor_list", "SET GLOBAL clone_valid_donor_list = 'HOST:PORT'; on the recipient, exactly as the statement names the donor"},
			{"innodb_data_file_path", "start the recipient with the innodb_data_file_path of the donor: SELECT @@innodb_data_file_path;"},
			{"ndo", "give the donor's undo tablespaces files of different names: SELECT SPACE, FILE_NAME FROM information_schema.FILES WHERE FILE_TYPE = 'UNDO LOG';"},
		}
	case erCloneDisallowed:
		return []cause{
			{"Group Replication", "use a recipient that is no member of a group, or: STOP GROUP_REPLICATION; on the recipient"},
		}
	}
	return nil
}
