package clone

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"runner/pkg/clone/internal/fake"
)

// persona is what a server that cannot be had as a program answers: its own version, variables and refusals, and for the rest
// what a MySQL 8.0 says.
type persona struct {
	version, comment string
	variables        map[string]string // besides those that every server has; an empty value takes one away
	rules            []fake.Rule       // before the usual ones
}

func (p persona) start(t *testing.T) *Server {
	t.Helper()
	variables := map[string]string{
		"version": p.version, "version_comment": p.comment, "performance_schema": "ON", "datadir": "/nowhere/", "hostname": "db1", "port": "3306",
		"server_uuid": "99c786c9-e663-11f1-b00c-02fc00000001", "log_bin": "ON", "read_only": "OFF", "super_read_only": "OFF", "innodb_page_size": "16384",
		"innodb_redo_log_capacity": "104857600", "clone_max_data_bandwidth": "0", "clone_max_concurrency": "16", "clone_block_ddl": "OFF", "clone_ddl_timeout": "300",
	}
	maps.Copy(variables, p.variables)
	maps.DeleteFunc(variables, func(_, value string) bool { return value == "" })
	rules := slices.Concat(p.rules, []fake.Rule{
		{Match: "SET "},
		{Match: "SHOW GLOBAL VARIABLES", Result: fake.Pairs(variables)},
		{Match: "Ssl_cipher", Result: fake.Pairs(map[string]string{"Ssl_cipher": ""})},
		{Match: "CURRENT_USER()", Result: fake.Row("backup@%")},
		{Match: "CURRENT_ROLE()", Result: fake.Row("NONE")},
		{Match: "SHOW GRANTS", Result: fake.Table([][]any{
			{"GRANT SELECT, PROCESS, SHOW VIEW ON *.* TO `backup`@`%`"}, {"GRANT BACKUP_ADMIN,SYSTEM_VARIABLES_ADMIN ON *.* TO `backup`@`%`"},
		}, 1)},
		{Match: "information_schema.user_privileges", Result: fake.Row("USAGE")},
		{Match: "information_schema.plugins", Result: fake.Row("clone", "1.0", "ACTIVE", "CLONE", "mysql_clone.so")},
		{Match: "mysql.component", Result: fake.Table(nil, 1)},
		{Match: "performance_schema.clone_status", Result: fake.Table(nil, 8)},
		{Match: "performance_schema.threads", Result: fake.Table(nil, 3)},
		{Match: "performance_schema.log_status", Result: fake.Row("99c786c9-e663-11f1-b00c-02fc00000001",
			`{"gtid_executed": "", "binary_log_file": "b.000001", "binary_log_position": 4}`, `{"InnoDB": {"LSN": 2, "LSN_checkpoint": 1}}`)},
		{Match: "Innodb_redo_log_enabled", Result: fake.Pairs(map[string]string{"Innodb_redo_log_enabled": "ON"})},
		{Match: "Innodb_redo_log_capacity_resized", Result: fake.Pairs(map[string]string{"Innodb_redo_log_capacity_resized": "104857600"})},
		{Match: "information_schema.innodb_datafiles", Result: fake.Row("2", "./a/t.ibd")},
		{Match: "information_schema.innodb_tablespaces", Result: fake.Row("2", "a/t", "Single", 16384, 0, 1<<20, 1<<20, "N", "normal")},
		{Match: "information_schema.files", Result: fake.Row(12 << 20)},
		{Match: "information_schema.tables", Result: fake.Table(nil, 4)},
	})
	server := fake.Start(t, fake.Script{Version: p.version, Rules: rules})
	return open(t, Config{Host: "127.0.0.1", Port: server.Port(), User: "backup", TLSMode: TLSDisabled})
}

// absent is the answer of a server that does not have the table.
func absent(match string) fake.Rule {
	return fake.Rule{Match: match, Result: fake.Result{Err: &fake.Error{Number: 1109, State: "42S02", Message: "Unknown table '" + match + "' in information_schema"}}}
}

// severities reads the facts and checks them.
func (p persona) severities(t *testing.T, target Target) (*Facts, map[string]Finding) {
	t.Helper()
	s := p.start(t)
	f, err := s.Facts(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]Finding{}
	for _, finding := range s.Check(t.Context(), f, target) {
		found[finding.Code] = finding
	}
	return f, found
}

func TestMariaDBIsConnectedToAndRefusedByName(t *testing.T) {
	p := persona{
		version: "10.11.6-MariaDB-1:10.11.6+maria~deb12", comment: "mariadb.org binary distribution",
		variables: map[string]string{"server_uuid": "", "clone_block_ddl": "", "performance_schema": "OFF", "super_read_only": "", "innodb_redo_log_capacity": ""},
		rules: []fake.Rule{
			{Match: "SET ROLE ALL", Result: fake.Result{Err: &fake.Error{Number: 1959, Message: "Invalid role specification `ALL`"}}},
			{Match: "information_schema_stats_expiry", Result: fake.Result{Err: &fake.Error{Number: 1193, Message: "Unknown system variable"}}},
			{Match: "CURRENT_ROLE()", Result: fake.Row(nil)},
			{Match: "Innodb_redo_log_enabled", Result: fake.Table(nil, 2)},
			absent("innodb_datafiles"), absent("innodb_tablespaces"), absent("mysql.component"),
		},
	}
	f, found := p.severities(t, Target{})
	if f.Flavour != MariaDB {
		t.Errorf("got %s", f.Flavour)
	}
	if finding := found[CodeVersion]; finding.Severity != SeverityError || !strings.Contains(finding.Summary, "MariaDB") {
		t.Errorf("got %+v", finding)
	}
}

func TestVersionsThatCannotBeHad(t *testing.T) {
	old := map[string]string{"innodb_redo_log_capacity": "", "innodb_log_file_size": "50331648", "innodb_log_files_in_group": "2"}
	before27 := maps.Clone(old)
	before27["clone_block_ddl"] = ""
	for name, c := range map[string]struct {
		persona persona
		want    map[string]Severity
		redo    int64
	}{
		"8.0.16": {persona{version: "8.0.16", comment: "MySQL Community Server - GPL", variables: before27, rules: []fake.Rule{
			{Match: "Innodb_redo_log_enabled", Result: fake.Table(nil, 2)},
		}}, map[string]Severity{CodeVersion: SeverityError, CodeRedoLogging: SeverityUnknown, CodeDDL: SeverityError}, 96 << 20},
		// Redo logging cannot be turned off there, and no status says that it is on.
		"8.0.17":       {persona{version: "8.0.17", variables: before27}, map[string]Severity{CodeVersion: SeverityOK, CodeRedoLogging: SeverityOK, CodeDDL: SeverityError}, 96 << 20},
		"8.0.26":       {persona{version: "8.0.26", variables: before27}, map[string]Severity{CodeVersion: SeverityOK, CodeDDL: SeverityError}, 96 << 20},
		"8.0.27":       {persona{version: "8.0.27", variables: old}, map[string]Severity{CodeVersion: SeverityOK, CodeDDL: SeverityOK}, 96 << 20},
		"Percona":      {persona{version: "8.0.36-28", comment: "Percona Server (GPL), Release 28"}, map[string]Severity{CodeVersion: SeverityOK, CodeDDL: SeverityOK}, 100 << 20},
		"8.4 LTS":      {persona{version: "8.4.5"}, map[string]Severity{CodeVersion: SeverityOK}, 100 << 20},
		"the calendar": {persona{version: "26.7.0", comment: "MySQL Community Server - GPL"}, map[string]Severity{CodeVersion: SeverityInfo, CodeDDL: SeverityOK}, 100 << 20},
	} {
		f, found := c.persona.severities(t, Target{DDL: "block", Bandwidth: 1 << 20, DDLTimeout: time.Minute})
		for code, want := range c.want {
			if found[code].Severity != want {
				t.Errorf("%s: want %s: %+v", name, want, found[code])
			}
		}
		if f.Source.RedoLogCapacity != c.redo || f.EstimateBytes != 13<<20 || f.DiskBytes != 13<<20+c.redo {
			t.Errorf("%s: got a redo capacity of %d, %d bytes, %d on disk", name, f.Source.RedoLogCapacity, f.EstimateBytes, f.DiskBytes)
		}
	}
}

func TestKeyringAndEncryptionAreFound(t *testing.T) {
	p := persona{version: "8.4.5", rules: []fake.Rule{
		{Match: "information_schema.innodb_tablespaces", Result: fake.Row("2", "a/secret", "Single", 16384, 0, 1<<20, 1<<20, "Y", "normal")},
		{Match: "keyring_component_status", Result: fake.Table([][]any{
			{"Component_name", "component_keyring_file"}, {"Component_status", "Active"}, {"Data_file", "/var/lib/mysql-keyring/keyring"},
		}, 2)},
	}}
	f, found := p.severities(t, Target{})
	if f.Keyring != (Keyring{Name: "component_keyring_file", Status: "Active"}) || f.Source.Keyring != "component_keyring_file" {
		t.Errorf("got %+v", f.Keyring)
	}
	if !strings.Contains(f.Source.RestoreCNF, "keyring component_keyring_file") {
		t.Errorf("restore.cnf is\n%s", f.Source.RestoreCNF)
	}
	if finding := found[CodeEncryption]; finding.Severity != SeverityWarning || !strings.Contains(finding.Detail, "a/secret") {
		t.Errorf("got %+v", finding)
	}
	p.rules[1] = fake.Rule{Match: "information_schema.plugins", Result: fake.Table([][]any{
		{"clone", "1.0", "ACTIVE", "CLONE", "mysql_clone.so"}, {"keyring_okv", "1.0", "ACTIVE", "KEYRING", "keyring_okv.so"}, {"keyring_udf", "1.0", "ACTIVE", "DAEMON", "keyring_udf.so"},
	}, 5)}
	if f, _ := p.severities(t, Target{}); f.Keyring.Name != "keyring_okv" {
		t.Errorf("got %+v", f.Keyring)
	}
}

func TestACloneThatIsUnderWayWithTimesThatAreNull(t *testing.T) {
	begin := time.Date(2026, 11, 22, 10, 3, 29, 123000000, time.UTC)
	p := persona{version: "8.0.36", rules: []fake.Rule{
		{Match: "performance_schema.clone_status", Result: fake.Row(12, "In Progress", begin, nil, "LOCAL INSTANCE", "/x/", 0, "")},
	}}
	f, found := p.severities(t, Target{})
	if f.Clone == nil || f.Clone.Begin == nil || !f.Clone.Begin.Equal(begin) || f.Clone.End != nil {
		t.Errorf("got %+v", f.Clone)
	}
	if found[CodeBusy].Severity != SeverityError {
		t.Errorf("got %+v", found[CodeBusy])
	}
}
