package clone

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"runner/pkg/mysqld/mysqldtest"
)

func TestGrantsAreTakenApart(t *testing.T) {
	for line, want := range map[string][]Grant{
		"GRANT SELECT, LOCK TABLES ON *.* TO `b`@`localhost` WITH GRANT OPTION": {{Privilege: "SELECT"}, {Privilege: "LOCK TABLES"}},
		"GRANT BACKUP_ADMIN,CLONE_ADMIN ON *.* TO `b`@`%`":                      {{Privilege: "BACKUP_ADMIN"}, {Privilege: "CLONE_ADMIN"}},
		"GRANT BACKUP_ADMIN, FIREWALL_EXEMPT2 ON *.* TO `b`@`%`":                {{Privilege: "BACKUP_ADMIN"}, {Privilege: "FIREWALL_EXEMPT2"}},
		"GRANT SELECT ON `performance\\_schema`.* TO `b`@`%`":                   {{Privilege: "SELECT", Schema: `performance\_schema`}},
		"GRANT SELECT (`a``,)b`, `c`), INSERT ON `mysql`.`plugin` TO `b`@`%`":   {{Privilege: "INSERT", Schema: "mysql", Table: "plugin"}},
		"GRANT SELECT ON `a`` ON *.*`.`t` TO `b`@`%`":                           {{Privilege: "SELECT", Schema: "a` ON *.*", Table: "t"}},
		"GRANT SELECT ON mysql.plugin TO b@localhost":                           {{Privilege: "SELECT", Schema: "mysql", Table: "plugin"}},
		`GRANT SELECT ON "mysql"."plugin" TO "b"@"%"`:                           {{Privilege: "SELECT", Schema: "mysql", Table: "plugin"}},
		"GRANT USAGE ON *.* TO `b`@`%`":                                         {{Privilege: "USAGE"}},
		"GRANT `r1`@`%`,`r2`@`%` TO `b`@`%`":                                    nil,
		"GRANT EXECUTE ON PROCEDURE `a`.`p` TO `b`@`%`":                         nil,
		"GRANT PROXY ON ``@`` TO `root`@`localhost` WITH GRANT OPTION":          nil,
		"REVOKE SELECT ON `a`.* FROM `b`@`%`":                                   nil,
		"GRANT SELECT ON *.* FROM `b`@`%`":                                      nil,
		"":                                                                      nil,
	} {
		got, ok := parseGrant(line)
		if ok != (want != nil) || ok && !slices.Equal(got, want) {
			t.Errorf("%s\ngot  %v, %t\nwant %v", line, got, ok, want)
		}
	}
}

func TestAllPrivilegesOfOneSchemaAreNoGlobalOnes(t *testing.T) {
	a := Account{}
	a.add("GRANT ALL PRIVILEGES ON `mysql`.* TO `b`@`%`")
	for _, name := range []string{"SELECT", "BACKUP_ADMIN", "PROCESS", "SYSTEM_VARIABLES_ADMIN"} {
		if a.Has(name, "", "") {
			t.Errorf("the account has %s on everything", name)
		}
	}
	if !a.Has("INSERT", "mysql", "plugin") || a.Has("INSERT", "performance_schema", "threads") || a.seesAllTables() {
		t.Error("ALL PRIVILEGES on mysql is not taken for what it is")
	}
}

func TestSchemasMatchPatterns(t *testing.T) {
	for _, c := range []struct {
		pattern, name string
		want          bool
	}{
		{"mysql", "mysql", true},
		{"mysql", "mysql2", false},
		{`performance\_schema`, "performance_schema", true},
		{`performance\_schema`, "performanceXschema", false},
		{"performance_schema", "performance_schema", true},
		{"per%", "performance_schema", true},
		{"%", "", true},
		{"_", "", false},
		{`\`, `\`, true},
		{"", "a", false},
		{"%a%b", "xaxxb", true},
		{"%a%b", "xaxxbc", false},
		{`a\%`, "a%", true},
		{`a\%`, "ab", false},
		{"a%%", "a", true},
		{"a_", "a", false},
		// A pattern that would take a naive matcher for ever.
		{strings.Repeat("%_", 30) + "x", "performance_schema", false},
	} {
		if got := likeMatch(c.pattern, c.name); got != c.want {
			t.Errorf("%q matches %q: %t", c.pattern, c.name, got)
		}
	}
}

func FuzzParseGrant(f *testing.F) {
	for _, line := range []string{"GRANT SELECT (`a`), INSERT ON `m`.`p` TO `b`@`%`", "GRANT X ON *.* TO y", "GRANT ( ON", "GRANT A (`", "GRANT  ON"} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		grants, ok := parseGrant(line)
		for _, g := range grants {
			if !ok || g.Privilege == "" || g.Schema == "" && g.Table != "" {
				t.Errorf("%q gives %v", line, grants)
			}
			if g.Privilege != "" && g.Privilege != "SELECT" && !strings.Contains(line, "ALL PRIVILEGES") && !strings.Contains(line, g.Privilege) {
				t.Errorf("%q gives %v out of nothing", line, grants)
			}
		}
	})
}

// information_schema.user_privileges does not show what comes through roles, not even active ones.
func TestPrivilegesThroughRolesOfRolesCount(t *testing.T) {
	server := mysqldtest.Start(t)
	server.Exec(t,
		"CREATE ROLE clones, statuses",
		"GRANT BACKUP_ADMIN, SYSTEM_VARIABLES_ADMIN, CLONE_ADMIN, PROCESS ON *.* TO clones", "GRANT SELECT ON performance_schema.* TO statuses", "GRANT INSERT, DELETE ON mysql.plugin TO statuses",
		"GRANT statuses TO clones", "CREATE USER through@localhost", "GRANT clones TO through@localhost")
	f := facts(t, Config{Socket: server.Socket(), User: "through"})
	for _, want := range []Grant{
		{Privilege: "BACKUP_ADMIN"},
		{Privilege: "PROCESS"},
		{Privilege: "SYSTEM_VARIABLES_ADMIN"},
		{Privilege: "SELECT", Schema: "performance_schema", Table: "clone_status"},
		{Privilege: "INSERT", Schema: "mysql", Table: "plugin"},
	} {
		if !f.Account.Has(want.Privilege, want.Schema, want.Table) {
			t.Errorf("%v is missing in %v", want, f.Account.Grants)
		}
	}
	if f.Account.Has("SUPER", "", "") || f.Account.User != "through@localhost" {
		t.Errorf("got %+v", f.Account)
	}
	if f.LogStatus == nil || f.Unknown[FactSpaces] != "" {
		t.Errorf("the privileges do not work: %v", f.Unknown)
	}
}

func TestPartialRevokesHideTables(t *testing.T) {
	server := mysqldtest.Start(t, mysqldtest.WithArgs("--partial-revokes=ON"))
	server.Exec(t, "CREATE DATABASE hidden", "CREATE TABLE hidden.old (id INT) ENGINE = MyISAM",
		"CREATE USER part@localhost", "GRANT SELECT, SHOW VIEW ON *.* TO part@localhost", "REVOKE SELECT, SHOW VIEW ON hidden.* FROM part@localhost")
	f := facts(t, Config{Socket: server.Socket(), User: "part"})
	if !f.Account.Restricted || f.Unknown[FactLost] == "" || !f.PartialRevokes {
		t.Errorf("what is hidden is taken for absent: %+v, %v", f.Account, f.Unknown)
	}
}

// Which privileges show an account the tables of others is not in the manual; the list is what the server does.
func TestTheLeastThatShowsAllTablesShowsThem(t *testing.T) {
	server := mysqldtest.Start(t)
	server.Exec(t, "CREATE DATABASE a", "CREATE TABLE a.old (id INT) ENGINE = MyISAM")
	for _, name := range []string{"SELECT", "SHOW VIEW", "REFERENCES", "TRIGGER", "INSERT", "SHOW DATABASES", "LOCK TABLES", "PROCESS", "BACKUP_ADMIN", "EXECUTE"} {
		server.Exec(t, "CREATE USER one@localhost", "GRANT "+name+" ON *.* TO one@localhost")
		f := facts(t, Config{Socket: server.Socket(), User: "one"})
		sees := slices.ContainsFunc(f.Lost, func(l LostTable) bool { return l.Table == "old" })
		if knows := f.Unknown[FactLost] == ""; sees != knows {
			t.Errorf("%s: sees %t, says that it sees %t", name, sees, knows)
		}
		server.Exec(t, "DROP USER one@localhost")
	}
}

func TestAnAccountWithNothingKnowsWhatItDoesNotKnow(t *testing.T) {
	server := mysqldtest.Start(t)
	server.Exec(t, "CREATE DATABASE a", "CREATE TABLE a.old (id INT) ENGINE = MyISAM", "CREATE USER bare@localhost")
	f := facts(t, Config{Socket: server.Socket(), User: "bare"})
	got := []string{}
	for fact, why := range f.Unknown {
		if why == "" {
			t.Errorf("no reason for %s", fact)
		}
		got = append(got, fact)
	}
	slices.Sort(got)
	want := []string{FactCloneStatus, FactComponents, FactDonations, FactKeyring, FactLogStatus, FactLost, FactMissing, FactSpaces}
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if f.Source.ServerUUID == "" || f.Source.DataDir == "" || len(f.Plugins) == 0 || !f.RedoLogging {
		t.Errorf("what everybody may see is missing: %+v", f)
	}
}

// root's grants are the longest list that a server writes; every one of them must be read.
func TestEveryPrivilegeOfRootIsRead(t *testing.T) {
	server := mysqldtest.Start(t)
	var a Account
	for _, row := range server.Query(t, "SHOW GRANTS FOR root@localhost") {
		a.add(row[0])
	}
	for _, row := range server.Query(t, "SELECT PRIVILEGE_TYPE FROM information_schema.user_privileges WHERE GRANTEE = \"'root'@'localhost'\"") {
		if !a.Has(row[0], "", "") {
			t.Errorf("%s is missing", row[0])
		}
	}
	if len(a.Grants) < 50 {
		t.Errorf("got %v", a.Grants)
	}
}
