package clone

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-sql-driver/mysql"
)

var updateHints = flag.Bool("update-hints", false, "write testdata/hints.golden")

// The file lists every error of a server that is known, and every cause that its message can name, with the class and the hint.
func TestEveryErrorOfAServerHasItsOwnHint(t *testing.T) {
	var b strings.Builder
	hints := map[string]string{}
	note := func(what, class, hint string) {
		fmt.Fprintf(&b, "%s\n  %s: %s\n", what, class, hint)
		if other := hints[hint]; other != "" && class != string(Uncertain) {
			t.Errorf("%s and %s share a hint: %s", other, what, hint)
		}
		hints[hint] = what
	}
	for _, k := range knownErrors {
		note(fmt.Sprintf("%d %s", k.number, k.name), string(k.class), k.hint)
		for _, c := range causes(k.number) {
			err := wrap("test", &mysql.MySQLError{Number: k.number, Message: "said: " + c.text + " and more"})
			var e *Error
			if !errors.As(err, &e) || e.Hint() != c.hint {
				t.Errorf("%d with %q has another hint than its own", k.number, c.text)
			}
			if c.text != "max_questions" { // as the limit of queries is also called
				note(fmt.Sprintf("%d %s with %q", k.number, k.name, c.text), string(k.class), c.hint)
			}
		}
	}
	golden := filepath.Join("testdata", "hints.golden")
	if *updateHints {
		write(t, golden, b.String())
	}
	want, err := os.ReadFile(golden)
	if err != nil || b.String() != string(want) {
		t.Errorf("the hints are not those of %s (%v); go test ./pkg/clone -run TestEveryError -update-hints writes it", golden, err)
	}
}

func TestEveryErrorThatTheToolCanMeetIsKnown(t *testing.T) {
	for _, number := range []uint16{
		1040, 1045, 1104, 1129, 1130, 1184, 1203, 1226, 1227, 1290, 1419, 1698, 1792, 1819, 1820, 2026, 3032, 3118, 3159, 3634,
		3862, 3863, 3864, 3865, 3866, 3867, 3868, 3869, 3870, 3871, 3872, 3873, 3874, 3875, 3876, 3877, 3878,
	} {
		if k, ok := known(number); !ok || k.hint == "" {
			t.Errorf("%d has no hint", number)
		}
	}
}

func TestADeniedLoginByTCPOnThisHostSaysThatASocketIsAnotherWay(t *testing.T) {
	denied := &mysql.MySQLError{Number: erAccessDenied, Message: "Access denied for user 'b'@'127.0.0.1' (using password: YES)"}
	for address, want := range map[string]bool{"127.0.0.1:3306": true, "localhost:3306": true, "[::1]:3306": true, "10.0.0.1:3306": false, "/s.sock": false} {
		hint := (&ConnectError{Address: address, Err: denied}).Hint()
		if strings.Contains(hint, "came by TCP") != want || !strings.Contains(hint, "SHOW CREATE USER") {
			t.Errorf("%s: got the hint %q", address, hint)
		}
	}
}
