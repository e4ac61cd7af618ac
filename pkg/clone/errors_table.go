package clone

// knownError is what is known of one of the server's error numbers.
type knownError struct {
	number uint16
	name   string
	class  Class
	hint   string
}

const hintUncertain = "look whether the server still clones: SELECT STATE, PID, DESTINATION FROM performance_schema.clone_status;"

// known looks a number up; 0 is never known.
func known(number uint16) (knownError, bool) {
	for _, k := range knownErrors {
		if k.number == number {
			return k, true
		}
	}
	return knownError{}, false
}

// knownErrors maps MySQL's numbers to what they mean for a backup. Numbers and symbols: "Server Error
// Message Reference" and "Client Error Message Reference" of the MySQL Error Reference; a test compares them with
// performance_schema.events_errors_summary_global_by_error of a running server. When each is met:
// "Cloning Data Locally", "Clone Plugin Limitations" and "Troubleshooting Cloning" in the Reference Manual's chapter on the plugin.
var knownErrors = []knownError{
	// Passes by itself.
	{1040, "ER_CON_COUNT_ERROR", Retry, "wait for connections to end, or raise max_connections"},
	{1203, "ER_TOO_MANY_USER_CONNECTIONS", Retry, "wait for the account's other connections to end, or raise max_user_connections"},
	{1205, "ER_LOCK_WAIT_TIMEOUT", Retry, "wait for the DDL that is running to end (SHOW PROCESSLIST;), or raise ddl_timeout in the plan"},
	{1226, "ER_USER_LIMIT_REACHED", Retry, "wait an hour, or raise the account's limit: ALTER USER … WITH MAX_QUERIES_PER_HOUR 0;"},
	// "Log Archiver failed": the redo log was overwritten before it was copied.
	{1815, "ER_INTERNAL_ERROR", Retry, "read the server's error log; where the log archiver has failed, raise innodb_redo_log_capacity, or allow the clone more bandwidth"},
	{3633, "ER_CLONE_DDL_IN_PROGRESS", Retry, "wait for the DDL that is running to end: SHOW PROCESSLIST;"},
	{3983, "ER_INNODB_REDO_DISABLED", Retry, "wait for the bulk load to end, or: ALTER INSTANCE ENABLE INNODB REDO_LOG;"},

	// One clone at a time on a server.
	{3634, "ER_CLONE_TOO_MANY_CONCURRENT_CLONES", Busy, "wait for the other clone: SELECT STATE, PID, SOURCE, DESTINATION, BEGIN_TIME FROM performance_schema.clone_status;"},
	{3874, "ER_CLONE_IN_PROGRESS", Busy, "wait for the other clone: SELECT STATE, PID, SOURCE, DESTINATION, BEGIN_TIME FROM performance_schema.clone_status;"},

	// Stays until somebody does something.
	{1007, "ER_DB_CREATE_EXISTS", UserMustFix, "remove what is at the staging path, or choose another clone.directory in the plan"},
	{1044, "ER_DBACCESS_DENIED_ERROR", UserMustFix, "grant the account what the finding about privileges names"},
	{1045, "ER_ACCESS_DENIED_ERROR", UserMustFix, "check user and password of the source in the plan"},
	{1086, "ER_FILE_EXISTS_ERROR", UserMustFix, "move the tables that lie outside the data directory into it: runner plan names them, and how"},
	{1129, "ER_HOST_IS_BLOCKED", UserMustFix, "TRUNCATE TABLE performance_schema.host_cache;"},
	{1130, "ER_HOST_NOT_PRIVILEGED", UserMustFix, "create the account for the host that the runner connects from"},
	{1142, "ER_TABLEACCESS_DENIED_ERROR", UserMustFix, "GRANT SELECT ON performance_schema.* TO the backup account;"},
	{1193, "ER_UNKNOWN_SYSTEM_VARIABLE", UserMustFix, "this server does not have the variable: take the setting out of the plan"},
	{1227, "ER_SPECIFIC_ACCESS_DENIED_ERROR", UserMustFix, "grant the privilege that the message names; a privilege of a role counts only when the role is active"},
	{1290, "ER_OPTION_PREVENTS_STATEMENT", UserMustFix, "the server runs with an option that forbids it; the message names the option"},
	{1524, "ER_PLUGIN_IS_NOT_LOADED", UserMustFix, "INSTALL PLUGIN clone SONAME 'mysql_clone.so';"},
	{1525, "ER_WRONG_VALUE", UserMustFix, "give an absolute path as clone.directory in the plan"},
	{1820, "ER_MUST_CHANGE_PASSWORD", UserMustFix, "ALTER USER USER() IDENTIFIED BY '…';"},
	{3118, "ER_ACCOUNT_HAS_BEEN_LOCKED", UserMustFix, "ALTER USER … ACCOUNT UNLOCK;"},
	{3632, "ER_PATH_IN_DATADIR", UserMustFix, "choose a clone.directory outside the server's data directory"},
	{2003, "CR_CONN_HOST_ERROR", UserMustFix, "have the donor listen where the source in the plan says, as seen from the recipient's host"},
	{2005, "CR_UNKNOWN_HOST", UserMustFix, "set the host of the source to a name that the recipient's host can resolve"},
	{3862, "ER_CLONE_DONOR", UserMustFix, "read the donor's error log"},
	{3864, "ER_CLONE_DONOR_VERSION", UserMustFix, "use a recipient of the donor's release series"},
	{3865, "ER_CLONE_OS", UserMustFix, "use a recipient on the donor's operating system"},
	{3866, "ER_CLONE_PLATFORM", UserMustFix, "use a recipient on the donor's platform"},
	{3867, "ER_CLONE_CHARSET", UserMustFix, "use a recipient that knows the donor's collations"},
	{3868, "ER_CLONE_CONFIG", UserMustFix, "give the recipient the donor's setting, which the message names"},
	{3869, "ER_CLONE_SYS_CONFIG", UserMustFix, "SET GLOBAL clone_valid_donor_list = 'HOST:PORT'; exactly as the statement names the donor"},
	{3870, "ER_CLONE_PLUGIN_MATCH", UserMustFix, "install on the recipient the plugin that the message names"},
	{3871, "ER_CLONE_LOOPBACK", UserMustFix, "donor and recipient are one server: use mode local"},
	{3872, "ER_CLONE_ENCRYPTION", UserMustFix, "use TLS: encrypted tablespaces are not sent in clear"},
	{3873, "ER_CLONE_DISK_SPACE", UserMustFix, "free space on the staging file system, or choose another clone.directory in the plan"},
	{3957, "ER_CLONE_NETWORK_PACKET", UserMustFix, "SET GLOBAL max_allowed_packet = 2097152; or more, on both servers"},

	{1317, "ER_QUERY_INTERRUPTED", Cancelled, "start the run again, or resume it"},
	{3707, "ER_RESTART_SERVER_FAILED", SuccessInDisguise, "the copy is there: start mysqld by hand, nothing supervises it"},

	// The server said goodbye in the middle: what it did before is not known.
	{1053, "ER_SERVER_SHUTDOWN", Uncertain, hintUncertain},
	{1152, "ER_ABORTING_CONNECTION", Uncertain, hintUncertain},
	{1158, "ER_NET_READ_ERROR", Uncertain, hintUncertain},
	{1159, "ER_NET_READ_INTERRUPTED", Uncertain, hintUncertain},
	{1160, "ER_NET_ERROR_ON_WRITE", Uncertain, hintUncertain},
	{1161, "ER_NET_WRITE_INTERRUPTED", Uncertain, hintUncertain},
	{2006, "CR_SERVER_GONE_ERROR", Uncertain, hintUncertain},
	{2013, "CR_SERVER_LOST", Uncertain, hintUncertain},
	{4031, "ER_CLIENT_INTERACTION_TIMEOUT", Uncertain, hintUncertain},
}
