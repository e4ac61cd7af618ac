package clone

import (
	"database/sql/driver"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-sql-driver/mysql"
)

func TestTheStatementOfARemoteCloneAlwaysHasADirectory(t *testing.T) {
	o := origin{host: "db1", port: 3306, user: "o'b", password: `p'"\w`, encrypted: true}
	sent, shown, err := o.cloneInstance("/var/tmp/it's")
	if err != nil {
		t.Fatal(err)
	}
	if want := `CLONE INSTANCE FROM 'o''b'@'db1':3306 IDENTIFIED BY 'p''"\w' DATA DIRECTORY = '/var/tmp/it''s' REQUIRE SSL`; sent != want {
		t.Errorf("sent  %s\nwant  %s", sent, want)
	}
	if want := `CLONE INSTANCE FROM 'o''b'@'db1':3306 IDENTIFIED BY <secret> DATA DIRECTORY = '/var/tmp/it''s' REQUIRE SSL`; shown != want {
		t.Errorf("shown %s\nwant  %s", shown, want)
	}
	o.encrypted = false
	if sent, _, _ := o.cloneInstance("/a"); !strings.HasSuffix(sent, " DATA DIRECTORY = '/a' REQUIRE NO SSL") {
		t.Errorf("got %s", sent)
	}
	for _, directory := range []string{"", "a", "./a", `/a\b`, "/a\x00b", "/\xff"} {
		if sent, shown, err := o.cloneInstance(directory); err == nil || sent != "" || shown != "" {
			t.Errorf("%q: got %q, %q, %v", directory, sent, shown, err)
		}
	}
}

// Nowhere else is such a statement made.
func TestOneFunctionMakesTheStatementOfARemoteClone(t *testing.T) {
	var places []string
	root := filepath.Join("..", "..")
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && strings.HasPrefix(entry.Name(), ".") && path != root:
			return filepath.SkipDir
		case !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go"):
			return nil
		}
		text, err := os.ReadFile(path)
		for range strings.Count(strings.ToUpper(string(text)), `"CLONE INSTANCE`) {
			places = append(places, path)
		}
		return err
	})
	if err != nil || len(places) != 1 || filepath.Base(places[0]) != "origin.go" {
		t.Errorf("%v, %v", places, err)
	}
}

func FuzzAPasswordIsInNothingThatIsShown(f *testing.F) {
	f.Add("s3cr3t", "/copy", "Access denied for s3cr3t")
	f.Add("it's", "/copy", "near ''it''s' DATA'")
	f.Fuzz(func(t *testing.T, password, directory, said string) {
		// What is in the rest of the statement, or in the mark that stands for it, is no secret.
		if len(password) < 4 {
			return
		}
		o := origin{host: "db1", port: 3306, user: "backup", password: password, encrypted: true}
		sent, shown, err := o.cloneInstance(directory)
		if err != nil {
			return
		}
		if !strings.Contains(sent, " IDENTIFIED BY "+quote(password)+" DATA DIRECTORY = "+quote(directory)+" ") {
			t.Errorf("sent %q", sent)
		}
		if want := strings.Replace(sent, quote(password), redacted, 1); shown != want {
			t.Errorf("shown %q, want %q", shown, want)
		}
		if strings.Contains(redacted, password) || strings.Contains(password, redacted) {
			return
		}
		err = o.withoutSecret(&mysql.MySQLError{Number: erCloneDonor, Message: said + password + quote(password)})
		if strings.Contains(strings.ReplaceAll(err.Error(), redacted, "\x00"), password) && !strings.Contains(password, "\x00") {
			t.Errorf("%q is in %q", password, err)
		}
	})
}

func TestASyntaxErrorShowsNothingOfTheStatement(t *testing.T) {
	o := origin{password: "very-long-and-secret"}
	err := o.withoutSecret(&mysql.MySQLError{Number: erParse, Message: "right syntax to use near ''very-long-and' at line 1"})
	if strings.Contains(err.Error(), "very") || !IsNumber(err, erParse) {
		t.Errorf("got %v", err)
	}
	other := errors.New("not the server's")
	if got := o.withoutSecret(other); !errors.Is(got, other) {
		t.Errorf("got %v", got)
	}
}

func TestWhatTheDonorSaysIsClassifiedByTheDonorsNumber(t *testing.T) {
	c := &localClone{pull: &pull{from: origin{password: "p4ss"}}}
	for message, want := range map[string]struct {
		number uint16
		class  Class
	}{
		"Clone Donor Error: 3634 : Too many concurrent clone operations. Maximum allowed - 1..":                                 {3634, Busy},
		"Clone Donor Error: Connect failed: 1045 : Access denied for user 'pull'@'localhost' (using password: YES).":            {1045, UserMustFix},
		"Clone Donor Error: Connect failed: 2003 : Can't connect to MySQL server on '127.0.0.1:1' (111).":                       {2003, UserMustFix},
		"Clone Donor Error: 1227 : Access denied; you need (at least one of) the BACKUP_ADMIN privilege(s) for this operation.": {1227, UserMustFix},
		"Clone Donor Error: 2013 : Lost connection to MySQL server during query.":                                               {2013, Retry},
		"Clone Donor Error: 1205 : Lock wait timeout exceeded; try restarting transaction.":                                     {1205, Retry},
		"Clone Donor Error: 1815 : Internal error: Innodb Clone Restart could not find existing clone.":                         {1815, Retry},
		"Clone Donor Error: 4711 : Something that nobody has heard of.":                                                         {erCloneDonor, UserMustFix},
		"Fehler des Spenders": {erCloneDonor, UserMustFix},
	} {
		err := wrap("clone", c.explained(&mysql.MySQLError{Number: erCloneDonor, Message: message}))
		var typed *Error
		if !errors.As(err, &typed) || typed.Number != want.number || typed.Class != want.class || ClassOf(err) != want.class {
			t.Errorf("%s: got %+v", message, err)
		}
		if !strings.Contains(fmt.Sprint(err), message) {
			t.Errorf("%q is not said: %v", message, err)
		}
	}
	lost := c.explained(&mysql.MySQLError{Number: 1158, Message: "Got an error reading communication packets"})
	if ClassOf(lost) != Retry || !IsNumber(lost, 1158) {
		t.Errorf("a recipient that has lost its donor is uncertain: %v", lost)
	}
	if down := c.explained(&mysql.MySQLError{Number: 1053, Message: "Server shutdown in progress"}); ClassOf(down) != Uncertain {
		t.Errorf("a recipient that shuts down is not uncertain: %v", down)
	}
	if broken := c.explained(driver.ErrBadConn); ClassOf(broken) != Uncertain {
		t.Errorf("our own connection's loss is not uncertain: %v", broken)
	}
	if err := (&localClone{}).explained(&mysql.MySQLError{Number: 1317}); !IsNumber(err, 1317) {
		t.Errorf("got %v", err)
	}
}

func TestAListOfDonorsHasADonorOrNot(t *testing.T) {
	o := origin{host: "db1", port: 3306}
	for list, want := range map[string]bool{
		"": false, "db1:3306": true, "DB1:3306": true, "a:1,db1:3306": true, "db1:3306,a:1": true,
		"db1:33060": false, "xdb1:3306": false, "db1": false, "db1:3307": false,
	} {
		if got := o.listed(list); got != want {
			t.Errorf("%q: got %v", list, got)
		}
	}
}
