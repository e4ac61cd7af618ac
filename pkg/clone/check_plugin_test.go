package clone

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"runner/pkg/mysqld/mysqldtest"
)

func TestThePluginMustBeActiveOrMayBeLoaded(t *testing.T) {
	mayWrite := []Grant{{Privilege: "INSERT", Schema: "mysql", Table: "plugin"}, {Privilege: "DELETE", Schema: "mysql"}}
	for name, c := range map[string]struct {
		status, plan string
		grants       []Grant
		readOnly     bool
		want         Severity
		says         string
	}{
		"active":                 {"ACTIVE", "require", nil, false, SeverityOK, "active"},
		"disabled":               {"DISABLED", "install", mayWrite, false, SeverityError, "DISABLED"},
		"absent":                 {"", "require", mayWrite, false, SeverityError, "does not allow"},
		"absent, default":        {"", "", mayWrite, false, SeverityError, "does not allow"},
		"to be loaded":           {"", "install", mayWrite, false, SeverityInfo, "taken away again"},
		"to be loaded, no right": {"", "install", mayWrite[:1], false, SeverityError, "lacks DELETE on mysql.plugin"},
		"to be loaded, replica":  {"", "install", mayWrite, true, SeverityError, "super_read_only"},
	} {
		s := healthy(t)
		s.target.Plugin = c.plan
		s.facts.Source.SuperReadOnly = &c.readOnly
		s.facts.Account.Grants = append(s.facts.Account.Grants, c.grants...)
		s.facts.Plugins[0].Status = c.status
		if c.status == "" {
			s.facts.Plugins = nil
		}
		f := s.check(t, CodePlugin)
		if f.Severity != c.want || !strings.Contains(f.Summary+" "+f.Detail, c.says) || f.Severity == SeverityError && f.Hint == "" {
			t.Errorf("%s: got %+v", name, f)
		}
	}
	s := healthy(t)
	s.facts.Unknown[FactPlugins] = "nobody knows"
	if f := s.check(t, CodePlugin); f.Severity != SeverityUnknown {
		t.Errorf("got %+v", f)
	}
}

func TestAServerWithoutThePluginIsNotGivenOneByACheck(t *testing.T) {
	server := mysqldtest.Start(t, mysqldtest.WithoutClone())
	plan := target(t, server)
	before := footprint(t, server)
	expect(t, findings(t, asRoot(server), plan), map[string]Severity{CodePlugin: SeverityError})
	plan.Plugin, plan.Bandwidth, plan.Threads, plan.DDL = "install", 10<<20, 2, "block"
	found := findings(t, asRoot(server), plan)
	expect(t, found, map[string]Severity{CodePlugin: SeverityInfo})
	if diff := cmp.Diff(before, footprint(t, server)); diff != "" {
		t.Error(diff)
	}
	server.Exec(t, strings.TrimSuffix(installPlugin, ";"))
	expect(t, findings(t, asRoot(server), target(t, server)), map[string]Severity{CodePlugin: SeverityOK})
}
