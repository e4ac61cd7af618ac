package clone

import (
	"fmt"
	"io/fs"
	"os"
	"strings"
)

// The protocols of an option file that runner speaks.
const (
	protocolTCP    = "tcp"
	protocolSocket = "socket"
)

// protocolOf reads the value of the option protocol; "": not given. As for MySQL's programs, the beginning of a name is enough.
func protocolOf(value string) (string, error) {
	if value == "" {
		return "", nil
	}
	const hint = "set protocol in the option file to tcp or socket, or take it out"
	for _, name := range []string{protocolTCP, protocolSocket, "pipe", "memory"} {
		switch {
		case !strings.HasPrefix(name, strings.ToLower(value)):
		case name == protocolTCP, name == protocolSocket:
			return name, nil
		default:
			return "", &optionError{what: fmt.Sprintf("protocol=%s is for Windows only", value), hint: hint}
		}
	}
	return "", &optionError{what: fmt.Sprintf("protocol %q is none of tcp, socket, pipe, memory", value), hint: hint}
}

// usualSockets lists the paths that MySQL's packages are built with: those for Debian and Ubuntu, those in RPM format, and
// the archives in tar format ("Installation Layouts" in MySQL's manual, and their my_config.h).
func usualSockets() []string {
	return []string{"/var/run/mysqld/mysqld.sock", "/var/lib/mysql/mysql.sock", "/tmp/mysql.sock"}
}

// defaultSocket returns the socket that MySQL's programs use when no option names one: MYSQL_UNIX_PORT of the environment,
// else the first of the usual paths at which there is a socket.
func defaultSocket() (string, error) {
	if path := os.Getenv("MYSQL_UNIX_PORT"); path != "" {
		return path, nil
	}
	for _, path := range usualSockets() {
		if info, err := os.Stat(path); err == nil && info.Mode().Type() == fs.ModeSocket {
			return path, nil
		}
	}
	return "", &optionError{
		what: "without a host, or with host=localhost, the server is reached by its socket, and there is none at " + strings.Join(usualSockets(), ", "),
		hint: "start mysqld, or name its socket (SELECT @@socket;) with socket=PATH in group [client]; for a connection by TCP: protocol=tcp, or host=127.0.0.1",
	}
}

// optionError is an option that cannot be followed, with the way to change it.
type optionError struct{ what, hint string }

func (e *optionError) Error() string { return e.what }

// Hint returns the change that the option file needs.
func (e *optionError) Hint() string { return e.hint }
