package clone

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"github.com/go-sql-driver/mysql"
)

// origin is what a recipient is told of its donor.
type origin struct {
	host      string // as the server compares it, in lower case
	port      int
	user      string
	password  string
	encrypted bool // the recipient must use TLS
}

// originError is an address at which no recipient can reach a donor.
type originError struct{ what, hint string }

func (e *originError) Error() string { return e.what }

// Hint says how the source in the plan has to name the server.
func (e *originError) Hint() string { return e.hint }

// origin is the server of a resolved Config as a recipient can be told of it; the error is an *originError. CLONE takes a name or
// an IPv4 address, and a port ("Cloning Remote Data" in the manual).
func (c Config) origin() (origin, error) {
	const named = "give the source a host that is a name, which both this host and the recipient's can resolve"
	host := strings.ToLower(c.Host)
	address, err := netip.ParseAddr(host)
	switch {
	case c.Socket != "":
		return origin{}, &originError{fmt.Sprintf("the source is reached by the socket %s, and a recipient connects by TCP", c.Socket), "give the source host and port in place of the socket"}
	case err == nil && address.Is6():
		return origin{}, &originError{fmt.Sprintf("the source's host %s is an IPv6 address, which CLONE does not take", host), named}
	case host == "" || strings.ContainsFunc(host, notOfHost):
		return origin{}, &originError{fmt.Sprintf("the source's host %q is none that clone_valid_donor_list can hold", host), named}
	}
	return origin{host: host, port: c.Port, user: c.User, password: c.Password, encrypted: c.TLSMode != TLSDisabled}, nil
}

// notOfHost finds what stands for something else in a list of donors.
func notOfHost(r rune) bool {
	return (r < 'a' || r > 'z') && (r < '0' || r > '9') && !strings.ContainsRune("._-", r)
}

// address is the donor as clone_valid_donor_list and clone_status name it.
func (o origin) address() string { return fmt.Sprintf("%s:%d", o.host, o.port) }

// listed reports whether a list of donors has this one.
func (o origin) listed(list string) bool {
	for entry := range strings.SplitSeq(list, ",") {
		if strings.EqualFold(strings.TrimSpace(entry), o.address()) {
			return true
		}
	}
	return false
}

// redacted stands for a password in what is shown, as it does in the server's own logs.
const redacted = "<secret>"

// cloneInstance makes the statement, for the server and as it may be shown. It is the one place where such a statement is made, and
// it has a DATA DIRECTORY or is an error: without one, the recipient drops its own data before it copies.
func (o origin) cloneInstance(directory string) (sent, shown string, err error) {
	if err := checkPath(directory); err != nil {
		return "", "", refusal(erWrongValue, err)
	}
	protection := "REQUIRE NO SSL"
	if o.encrypted {
		protection = "REQUIRE SSL"
	}
	with := func(password string) string {
		return fmt.Sprintf("CLONE INSTANCE FROM %s@%s:%d IDENTIFIED BY %s DATA DIRECTORY = %s %s",
			quote(o.user), quote(o.host), o.port, password, quote(directory), protection)
	}
	return with(quote(o.password)), with(redacted), nil
}

// erParse is a statement that the server does not understand.
const erParse = 1064

// withoutSecret takes the password out of what a server says: a syntax error quotes the statement from where it was not understood,
// and cuts it off anywhere.
func (o origin) withoutSecret(err error) error {
	var said *mysql.MySQLError
	if !errors.As(err, &said) {
		return err
	}
	text := said.Message
	switch {
	case said.Number == erParse:
		text = "the server does not understand the statement; what it quotes of it may hold the password and is not shown"
	case o.password != "":
		text = strings.NewReplacer(quote(o.password), redacted, o.password, redacted).Replace(text)
	}
	if text == said.Message {
		return err
	}
	return &mysql.MySQLError{Number: said.Number, SQLState: said.SQLState, Message: text}
}
