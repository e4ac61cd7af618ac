package clone

import (
	"fmt"
	"strings"
	"time"
)

// Severity is what a finding means for the run.
type Severity string

// The severities. One error stops the run before anything was changed.
const (
	SeverityOK      Severity = "ok"
	SeverityInfo    Severity = "info"    // good to know
	SeverityWarning Severity = "warning" // the run goes on, and somebody should look at it
	SeverityError   Severity = "error"   // the prerequisite is not met
	SeverityUnknown Severity = "unknown" // the account, or the user who runs this, may not see it
)

// Finding is what a check found. Summary is terse and the same every time; Detail has the names and numbers, in full
// sentences; Hint is a command or a statement to paste, "" when nothing needs to be done.
type Finding struct {
	Code     string   `json:"code"`
	Severity Severity `json:"severity"`
	Summary  string   `json:"summary"`
	Detail   string   `json:"detail"`
	Hint     string   `json:"hint"`
}

// Codes of the findings, in the order in which Check gives them. CHECKS.md says what each means; a code never
// gets another meaning, and one that is no longer used is not used again.
const (
	CodeVersion           = "RUN001"
	CodePerformanceSchema = "RUN002"
	CodePlugin            = "RUN003"
	CodeBackupAdmin       = "RUN004"
	CodeReadStatus        = "RUN005"
	CodeProcess           = "RUN006"
	CodeSetVariables      = "RUN007"
	CodeBusy              = "RUN008"
	CodeRedoLogging       = "RUN009"
	CodeLostTables        = "RUN010"
	CodeLogTables         = "RUN011"
	CodeExternal          = "RUN012"
	CodeEncryption        = "RUN013"
	CodeSameHost          = "RUN014"
	CodeStagingPath       = "RUN015"
	CodeStagingParent     = "RUN016"
	CodeStagingAbsent     = "RUN017"
	CodeStagingReadable   = "RUN018"
	CodeStagingWritable   = "RUN019"
	CodeStagingSpace      = "RUN020"
	CodeRepository        = "RUN021"
	CodeRepositorySpace   = "RUN022"
	CodeSettings          = "RUN023"
	CodeDDL               = "RUN024"
	CodeBinaryLog         = "RUN025"
	CodeReadOnly          = "RUN026"
	CodePacket            = "RUN061"
	CodeArchiveTables     = "RUN062"
	CodeWireCompression   = "RUN063"
	CodeSystemFiles       = "RUN064"
	CodeReading           = "RUN065"
	CodeReread            = "RUN066"
	CodeView              = "RUN070"
	CodeMissingTables     = "RUN074"

	CodeServerConnections  = "RUN080"
	CodeAccountConnections = "RUN081"
	CodeHourlyLimits       = "RUN082"
	CodeSystemExtents      = "RUN086"
)

// Codes of the findings that only a remote clone has, in their order.
const (
	CodeDonorAddress        = "RUN027"
	CodeTwoServers          = "RUN028"
	CodeVersions            = "RUN029"
	CodePlatform            = "RUN030"
	CodeCharacterSets       = "RUN031"
	CodePageSizes           = "RUN032"
	CodeRecipientSchema     = "RUN033"
	CodeRecipientPlugin     = "RUN034"
	CodeDonorPlugins        = "RUN035"
	CodeRecipientPrivilege  = "RUN036"
	CodeRecipientReadStatus = "RUN037"
	CodeDonorList           = "RUN038"
	CodePackets             = "RUN039"
	CodeEncryptedTransfer   = "RUN040"
	CodeNetworkTimeout      = "RUN041"
	CodeNetworkBandwidth    = "RUN042"
	CodeRemoteExternal      = "RUN043"
	CodeRemoteEncryption    = "RUN044"
	CodeRecipientBusy       = "RUN045"
)

// Target says what the copy is to be, and where it and the archive go.
type Target struct {
	Mode      string // ModeStream, or ModeLocal (also "")
	Directory string // parent of the staging directory, as mysqld sees it
	MountedAt string // the same directory as we see it; "": the same path
	Staging   string // full path of the staging directory, as mysqld sees it

	LostTables string // what tables left empty are: error (also ""), warn, ignore
	Plugin     string // require (also ""), or install: the run may load the plugin

	// MinFree is how many bytes stay free on a file system of that size; nil: none.
	MinFree func(total int64) int64
	// ArchivePath is the folder that the archive goes below; "": none is made. It need not exist yet.
	ArchivePath string
	// ArchiveNeed estimates the archive's size from that of the copy, and says on what basis; nil: the same size.
	ArchiveNeed func(raw int64) (need int64, basis string)

	Bandwidth  int64         // of the server's threads, bytes/s; 0: unlimited
	Threads    int           // 0: the server's choice
	DDL        string        // allow, block; "": as the server is set
	DDLTimeout time.Duration // 0: as the server is set
	Encrypted  bool          // the archive is encrypted

	NetworkBandwidth int64 // of a remote clone, bytes/s; 0: as the recipient is set

	WireCompressed bool // the server compresses what it sends, with zstd
}

// observed maps a path at or below Directory to where we see it.
func (t Target) observed(serverPath string) string {
	if t.MountedAt == "" || !within(t.Directory, serverPath) {
		return serverPath
	}
	rest := strings.TrimPrefix(strings.TrimPrefix(serverPath, t.Directory), "/")
	return strings.TrimSuffix(t.MountedAt+"/"+rest, "/")
}

// streams reports whether the copy comes over the clone protocol, and no server writes it anywhere.
func (t Target) streams() bool { return t.Mode == ModeStream }

// setsVariables reports whether the run has to set global variables. Whoever reads from the wire sets the pace itself, and
// says what becomes of DDL in the protocol.
func (t Target) setsVariables() bool {
	return !t.streams() && (t.Bandwidth > 0 || t.Threads > 0 || t.DDL != "" || t.DDLTimeout > 0 || t.NetworkBandwidth > 0)
}

// mayInstall reports whether the run may load the plugin.
func (t Target) mayInstall() bool { return t.Plugin == "install" }

func okay(summary, format string, args ...any) Finding {
	return found(SeverityOK, summary, fmt.Sprintf(format, args...), "")
}

func unknown(summary, why, hint string) Finding {
	return found(SeverityUnknown, summary, "It could not be found out: "+why+".", hint)
}

func found(severity Severity, summary, detail, hint string) Finding {
	return Finding{Severity: severity, Summary: summary, Detail: detail, Hint: hint}
}

// most names up to ten of many.
func most(names []string) string {
	const shown = 10
	if len(names) <= shown {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:shown], ", "), len(names)-shown)
}

// quoteAccount writes CURRENT_USER() as a statement takes it: 'backup'@'localhost'.
func quoteAccount(current string) string {
	if current == "" {
		return "'backup'@'localhost'"
	}
	name, host := current, "%"
	if at := strings.LastIndexByte(current, '@'); at >= 0 {
		name, host = current[:at], current[at+1:]
	}
	return quoteLiteral(name) + "@" + quoteLiteral(host)
}

// quoteLiteral quotes a string as SQL, for hints: whoever pastes one has a session with MySQL's default
// sql_mode, in which a backslash escapes.
func quoteLiteral(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `''`).Replace(s) + "'"
}

// quoteName quotes an identifier.
func quoteName(s string) string { return "`" + strings.ReplaceAll(s, "`", "``") + "`" }

// bytesText writes a number of bytes as people read it, in binary units.
func bytesText(n int64) string {
	const units = "KMGTPE"
	value, unit := float64(n), -1
	for value >= 1024 && unit < len(units)-1 {
		value, unit = value/1024, unit+1
	}
	if unit < 0 {
		return fmt.Sprintf("%d B", n)
	}
	return fmt.Sprintf("%.1f %ciB", value, units[unit])
}
