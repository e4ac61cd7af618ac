package clone

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"strings"
	"syscall"
	"testing"

	"github.com/go-sql-driver/mysql"

	"runner/pkg/mysqld/mysqldtest"
)

func TestErrorsAreClassified(t *testing.T) {
	server := func(n uint16) error { return &mysql.MySQLError{Number: n, Message: "said the server"} }
	for _, c := range []struct {
		err  error
		want Class
	}{
		{nil, ""},
		{server(3634), Busy},
		{server(1205), Retry},
		{server(3983), Retry},
		{server(1227), UserMustFix},
		{server(1086), UserMustFix},
		{server(3873), UserMustFix},
		{server(1317), Cancelled},
		{server(3707), SuccessInDisguise},
		{server(1053), Uncertain},
		{server(9999), Other},
		{errors.New("anything"), Other},
		{driver.ErrBadConn, Uncertain},
		{mysql.ErrInvalidConn, Uncertain},
		{fmt.Errorf("read packet: %w", io.ErrUnexpectedEOF), Uncertain},
		{syscall.ECONNRESET, Uncertain},
		{syscall.ECONNREFUSED, Uncertain},
		{context.Canceled, Cancelled},
		{context.DeadlineExceeded, Cancelled},
		// The loss is what has to be acted on: the statement may be running still.
		{errors.Join(context.Canceled, mysql.ErrInvalidConn), Uncertain},
	} {
		if got := ClassOf(c.err); got != c.want {
			t.Errorf("%v is of class %q, want %q", c.err, got, c.want)
		}
	}
}

func TestWrappingSaysWhatWasDoneAndKeepsTheRest(t *testing.T) {
	err := wrap("start clone", wrap("send statement", &mysql.MySQLError{Number: 3634, Message: "Too many"}))
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("%v is no *Error", err)
	}
	if e.Number != 3634 || e.Name != "ER_CLONE_TOO_MANY_CONCURRENT_CLONES" || e.Class != Busy || e.Hint() == "" {
		t.Errorf("got %+v with the hint %q", e, e.Hint())
	}
	if got, want := err.Error(), "start clone: send statement: Error 3634: Too many"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if !IsNumber(err, 3634) || IsNumber(err, 0) || IsNumber(io.EOF, 0) {
		t.Error("IsNumber does not tell numbers")
	}
	if wrap("anything", nil) != nil {
		t.Error("no error became one")
	}
	if err := wrap("wait", context.Canceled); !errors.Is(err, context.Canceled) || ClassOf(err) != Cancelled {
		t.Errorf("the end of the context is hidden in %v", err)
	}
	if !errors.As(wrap("read clone status", io.EOF), &e) || !strings.Contains(e.Hint(), "clone_status") {
		t.Errorf("a lost connection has the hint %q", e.Hint())
	}
}

func TestEveryKnownErrorIsNamedAsTheServerNamesIt(t *testing.T) {
	server := mysqldtest.Start(t)
	names := map[string]string{}
	for _, row := range server.Query(t, "SELECT ERROR_NUMBER, ERROR_NAME FROM performance_schema.events_errors_summary_global_by_error WHERE ERROR_NUMBER IS NOT NULL") {
		names[row[0]] = row[1]
	}
	seen := map[uint16]bool{}
	for _, k := range knownErrors {
		if seen[k.number] {
			t.Errorf("%d is in the table twice", k.number)
		}
		seen[k.number] = true
		if k.hint == "" || k.class == "" {
			t.Errorf("%d has no hint or no class", k.number)
		}
		// The server does not count the client's errors.
		if got := names[fmt.Sprint(k.number)]; got != k.name && !strings.HasPrefix(k.name, "CR_") {
			t.Errorf("%d is %s in the table, and %q on the server", k.number, k.name, got)
		}
	}
}
