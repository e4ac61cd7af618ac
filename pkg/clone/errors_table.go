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
	{1040, "ER_CON_COUNT_ERROR", Retry, "wait for connections to end, or allow more: SET GLOBAL max_connections = 200;"},
	{1203, "ER_TOO_MANY_USER_CONNECTIONS", Retry, "wait for the account's other connections to end, or: SET GLOBAL max_user_connections = 0;"},
	{1205, "ER_LOCK_WAIT_TIMEOUT", Retry, "wait for the DDL that is running to end (SHOW PROCESSLIST;), or raise ddl_timeout in the plan"},
	{1226, "ER_USER_LIMIT_REACHED", Retry, "raise the account's limit that the message names: ALTER USER … WITH …;"},
	// "Log Archiver failed": the redo log was overwritten before it was copied.
	{1815, "ER_INTERNAL_ERROR", Retry, "read the server's error log; where the log archiver has failed, raise innodb_redo_log_capacity, or allow the clone more bandwidth"},
	{3633, "ER_CLONE_DDL_IN_PROGRESS", Retry, "wait for the DDL that is running to end: SHOW PROCESSLIST;"},
	{3983, "ER_INNODB_REDO_DISABLED", Retry, "wait for the bulk load to end, or: ALTER INSTANCE ENABLE INNODB REDO_LOG;"},

	// One clone at a time on a server.
	{3634, "ER_CLONE_TOO_MANY_CONCURRENT_CLONES", Busy, "wait for the other clone: SELECT STATE, PID, SOURCE, DESTINATION, BEGIN_TIME FROM performance_schema.clone_status;"},
	{3874, "ER_CLONE_IN_PROGRESS", Busy, "a clone into the server's own data directory is under way; wait until it ends: SELECT STATE, SOURCE, BEGIN_TIME FROM performance_schema.clone_status;"},

	// Stays until somebody does something.
	{1007, "ER_DB_CREATE_EXISTS", UserMustFix, "remove what is at the staging path, or choose another clone.directory in the plan"},
	{1044, "ER_DBACCESS_DENIED_ERROR", UserMustFix, "grant the account what the finding about privileges names"},
	{1045, "ER_ACCESS_DENIED_ERROR", UserMustFix, "check user and password of the source in the plan, and what SHOW CREATE USER says of the account: its host, REQUIRE SSL (block tls), REQUIRE X509 (cert_file and key_file)"},
	{1086, "ER_FILE_EXISTS_ERROR", UserMustFix, "move the tables that lie outside the data directory into it: runner plan names them, and how"},
	{1104, "ER_TOO_BIG_SELECT", UserMustFix, "take the limit off the account's sessions, which init_connect may set: SET GLOBAL max_join_size = DEFAULT, sql_big_selects = ON;"},
	{1129, "ER_HOST_IS_BLOCKED", UserMustFix, "TRUNCATE TABLE performance_schema.host_cache; and look why this host's connections were cut: SELECT * FROM performance_schema.host_cache;"},
	{1130, "ER_HOST_NOT_PRIVILEGED", UserMustFix, "no account of the server is for this host: CREATE USER 'backup'@'HOST', with the host that the message names"},
	{1142, "ER_TABLEACCESS_DENIED_ERROR", UserMustFix, "GRANT SELECT ON performance_schema.* TO the backup account;"},
	{1184, "ER_NEW_ABORTING_CONNECTION", UserMustFix, "the server ended the session as it began: look at init_connect, of which a statement may fail, and at the error log: SELECT @@init_connect;"},
	{1193, "ER_UNKNOWN_SYSTEM_VARIABLE", UserMustFix, "this server does not have the variable: take the setting out of the plan"},
	{1227, "ER_SPECIFIC_ACCESS_DENIED_ERROR", UserMustFix, "grant the privilege that the message names; a privilege of a role counts only when the role is active"},
	{1251, "ER_NOT_SUPPORTED_AUTH_MODE", UserMustFix, "ALTER USER … IDENTIFIED WITH caching_sha2_password BY '…';"},
	{1290, "ER_OPTION_PREVENTS_STATEMENT", UserMustFix, "restart mysqld without the option that the message names, or back up another server"},
	{1419, "ER_BINLOG_CREATE_ROUTINE_NEED_SUPER", UserMustFix, "SET GLOBAL log_bin_trust_function_creators = ON; or have an administrator run the statement"},
	{1524, "ER_PLUGIN_IS_NOT_LOADED", UserMustFix, "INSTALL PLUGIN clone SONAME 'mysql_clone.so';"},
	{1525, "ER_WRONG_VALUE", UserMustFix, "give an absolute path as clone.directory in the plan"},
	{1698, "ER_ACCESS_DENIED_NO_PASSWORD_ERROR", UserMustFix, "the account logs in without a password, as auth_socket has it: connect by the socket, run as the operating system's user of that name, or use another account: SELECT user, host, plugin FROM mysql.user;"},
	{1792, "ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION", UserMustFix, "sessions of the server begin read-only: SET GLOBAL transaction_read_only = OFF; and look at init_connect"},
	{1819, "ER_NOT_VALID_PASSWORD", UserMustFix, "choose a password that the policy allows: SHOW VARIABLES LIKE 'validate_password%';"},
	{1820, "ER_MUST_CHANGE_PASSWORD", UserMustFix, "the account's password has expired, set a new one with the mysql client: ALTER USER USER() IDENTIFIED BY '…';"},
	{1862, "ER_MUST_CHANGE_PASSWORD_LOGIN", UserMustFix, "the account's password has expired, set a new one as an administrator: ALTER USER … IDENTIFIED BY '…' PASSWORD EXPIRE NEVER;"},
	{2026, "CR_SSL_CONNECTION_ERROR", UserMustFix, "the recipient and the donor agree on no TLS: compare tls_version of both, and look at clone_ssl_ca, clone_ssl_cert and clone_ssl_key of the recipient: SHOW VARIABLES LIKE 'clone_ssl%';"},
	{2061, "CR_AUTH_PLUGIN_ERR", UserMustFix, "let the recipient use TLS (tls in the source), or: ALTER USER … IDENTIFIED WITH caching_sha2_password BY '…';"},
	{3032, "ER_SERVER_OFFLINE_MODE", UserMustFix, "the server lets only administrators in: SET GLOBAL offline_mode = OFF; or GRANT CONNECTION_ADMIN ON *.* TO the backup account;"},
	{3118, "ER_ACCOUNT_HAS_BEEN_LOCKED", UserMustFix, "ALTER USER … ACCOUNT UNLOCK;"},
	{3159, "ER_SECURE_TRANSPORT_REQUIRED", UserMustFix, "the server takes TLS and sockets only: set mode of the block tls to \"required\", or connect by the socket"},
	{3955, "ER_USER_ACCESS_DENIED_FOR_USER_ACCOUNT_BLOCKED_BY_PASSWORD_LOCK", UserMustFix, "the account is blocked after wrong passwords: correct the password in the plan, then ALTER USER … ACCOUNT UNLOCK;"},
	{3632, "ER_PATH_IN_DATADIR", UserMustFix, "choose a clone.directory outside the server's data directory"},
	{2003, "CR_CONN_HOST_ERROR", UserMustFix, "have the donor listen where the source in the plan says, as seen from the recipient's host"},
	{2005, "CR_UNKNOWN_HOST", UserMustFix, "set the host of the source to a name that the recipient's host can resolve"},
	{3862, "ER_CLONE_DONOR", UserMustFix, "the message has the donor's own error; the donor's error log has more: SELECT DATA FROM performance_schema.error_log WHERE SUBSYSTEM = 'Clone' ORDER BY LOGGED DESC LIMIT 5;"},
	{3863, "ER_CLONE_PROTOCOL", UserMustFix, "use a recipient and a donor of one release; a proxy in between must let the clone protocol through"},
	{3864, "ER_CLONE_DONOR_VERSION", UserMustFix, "use a recipient of the donor's release series: SELECT VERSION();"},
	{3865, "ER_CLONE_OS", UserMustFix, "use a recipient on the donor's operating system: SELECT @@version_compile_os;"},
	{3866, "ER_CLONE_PLATFORM", UserMustFix, "use a recipient on the donor's platform: SELECT @@version_compile_machine;"},
	{3867, "ER_CLONE_CHARSET", UserMustFix, "use a recipient that knows the donor's collations: SHOW COLLATION;"},
	{3868, "ER_CLONE_CONFIG", UserMustFix, "give the recipient the donor's setting, which the message names"},
	{3869, "ER_CLONE_SYS_CONFIG", UserMustFix, "make recipient and donor agree in what the message names"},
	{3870, "ER_CLONE_PLUGIN_MATCH", UserMustFix, "install on the recipient the plugin that the message names: SHOW PLUGINS; on the donor says from which library"},
	{3871, "ER_CLONE_LOOPBACK", UserMustFix, "donor and recipient are one server: use mode local"},
	{3872, "ER_CLONE_ENCRYPTION", UserMustFix, "encrypted tablespaces are not sent in clear: set mode of the block tls to \"required\""},
	{3873, "ER_CLONE_DISK_SPACE", UserMustFix, "free space on the staging file system, or choose another clone.directory in the plan"},
	{3875, "ER_CLONE_DISALLOWED", UserMustFix, "end on the server what the message names, or use another"},
	{3876, "ER_CANNOT_GRANT_ROLES_TO_ANONYMOUS_USER", UserMustFix, "grant to an account with a name: an anonymous one takes no roles"},
	{3877, "ER_SECONDARY_ENGINE_PLUGIN", UserMustFix, "load the secondary engine's plugin, or: ALTER TABLE … SECONDARY_ENGINE NULL;"},
	{3878, "ER_SECOND_PASSWORD_CANNOT_BE_EMPTY", UserMustFix, "give the account a primary password that is not empty: ALTER USER … IDENTIFIED BY '…';"},
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
