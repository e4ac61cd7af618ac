package clone

import (
	"testing"

	"runner/pkg/mysqld/mysqldtest"
)

func TestRedoLoggingMustBeOn(t *testing.T) {
	server := mysqldtest.Start(t)
	server.Exec(t, "ALTER INSTANCE DISABLE INNODB REDO_LOG")
	found := findings(t, asRoot(server), target(t, server))
	server.Exec(t, "ALTER INSTANCE ENABLE INNODB REDO_LOG")
	expect(t, found, map[string]Severity{CodeRedoLogging: SeverityError})
	if got := found[CodeRedoLogging].Hint; got != "ALTER INSTANCE ENABLE INNODB REDO_LOG;" {
		t.Errorf("got the hint %s", got)
	}
}

func TestRedoLoggingThatCannotBeReadIsUnknown(t *testing.T) {
	s := healthy(t)
	s.facts.Unknown[FactRedoLogging] = "denied"
	if f := s.check(t, CodeRedoLogging); f.Severity != SeverityUnknown {
		t.Errorf("got %+v", f)
	}
}
