package clone

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strings"
	"syscall"

	"github.com/go-sql-driver/mysql"

	"runner/pkg/clone/internal/wire"
)

// Hint returns what to do next, with a command or a statement where there is one; "" when nothing is known.
func (e *ConnectError) Hint() string {
	hint := connectHint(e.Err, e.Address)
	if hint == hintReset && e.certified {
		// A server that refuses a certificate of TLS 1.3 may have cut the connection before its alert is read.
		return hintReset + "; it may not take the client's certificate, which it can say no more: " + ownFiles
	}
	return hint
}

// connectHint returns the hint for an error of connecting to an address; "" where the address was not known yet.
func connectHint(err error, address string) string {
	var own interface {
		error
		Hint() string
	}
	switch {
	case errors.As(err, &own):
		return own.Hint()
	case errors.Is(err, mysql.ErrNoTLS), errors.Is(err, wire.ErrNoTLS):
		return hintNoTLS
	case number(err) != 0:
		return loginHint(err, address)
	}
	if hint := tlsHint(err, address); hint != "" {
		return hint
	}
	if strings.HasPrefix(address, "/") {
		return socketHint(err, shellQuote(address))
	}
	return networkHint(err, address)
}

// loginHint returns the hint for what the server says to a new connection. With a wrong password and with an account
// that is not made for this host a server says the same: 1045.
func loginHint(err error, address string) string {
	k, ok := known(number(err))
	if !ok {
		return ""
	}
	if k.number == erAccessDenied && thisHost(address) {
		return k.hint + "; the connection came by TCP, which an account for 'localhost' does not always allow (skip_name_resolve): " +
			"with socket in place of host it comes by the socket, see SELECT @@socket;"
	}
	return k.hintFor(err)
}

// thisHost reports whether host:port is this host, whose socket is another way to the same server.
func thisHost(address string) bool {
	host, _, err := net.SplitHostPort(address)
	return err == nil && loopback(host)
}

// socketHint returns the hint for a socket, whose path comes quoted.
func socketHint(err error, path string) string {
	switch {
	case errors.Is(err, syscall.ENOENT):
		return "is mysqld running? Its socket: SELECT @@socket;"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "no mysqld listens on that socket: is it running? On its host: ss -lx | grep -i mysql"
	case errors.Is(err, syscall.EACCES), errors.Is(err, syscall.EPERM):
		return "run as a user that may open it: namei -l " + path
	case errors.Is(err, syscall.ENOTDIR), errors.Is(err, syscall.ELOOP):
		return "the path leads nowhere, look at each of its folders: namei -l " + path
	case errors.Is(err, syscall.ENAMETOOLONG):
		return "the path is too long: a name has at most 255 bytes, a path 4095; name the socket by a shorter one: SELECT @@socket;"
	case errors.Is(err, syscall.EPROTOTYPE):
		return "that is not the socket of a MySQL server, but one for datagrams: SELECT @@socket;"
	case errors.Is(err, syscall.EAGAIN):
		return "mysqld does not accept connections as fast as they come: try again, or raise back_log"
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
		return hintOpenFiles
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return hintReset
	case notMySQL(err):
		return "what answers on that socket is no MySQL server, or one of another protocol, such as mysqlx: SELECT @@socket;"
	case timedOut(err):
		return "mysqld does not answer on its socket: read its error log; is it stopped, or starting up?"
	}
	return ""
}

// networkHint returns the hint for an address of TCP, host:port.
func networkHint(err error, address string) string {
	var name *net.DNSError
	switch {
	case errors.As(err, &name) && name.IsNotFound:
		return "no such host: correct host in the source, or have it resolved: getent hosts " + shellQuote(name.Name)
	case errors.As(err, &name):
		return "the name could not be looked up, look at /etc/resolv.conf: getent hosts " + shellQuote(name.Name)
	case errors.Is(err, syscall.ECONNREFUSED):
		return "nothing listens there. Is mysqld running, with that port, on that address (SELECT @@port, @@bind_address;)? On its host: ss -ltn"
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.ENETDOWN), errors.Is(err, syscall.EHOSTDOWN):
		host, _, _ := net.SplitHostPort(address)
		return "there is no route to it, or a firewall refuses it: ip route get " + shellQuote(host)
	case errors.Is(err, syscall.EACCES), errors.Is(err, syscall.EPERM):
		return "this host does not let the connection out: look at its firewall, and at AppArmor or SELinux"
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
		return hintOpenFiles
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return "this host has no address or port left to connect from: ss -s"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return hintReset
	case notMySQL(err):
		return "what answers there is no MySQL server, or one of another protocol, such as mysqlx (port 33060): check the port (SELECT @@port;)"
	case timedOut(err):
		return "nothing answers there: check host, port and firewall"
	}
	return ""
}

const (
	hintOpenFiles = "raise the limit of open files, and try again: ulimit -n"
	hintReset     = "the connection was cut: by mysqld, whose error log says why, or by a proxy or firewall in between"
)

// notMySQL reports whether the answer was none of MySQL's protocol, or ended before it was one. The driver gives its
// own value for a greeting that it cannot read.
func notMySQL(err error) bool {
	var protocol *wire.ProtocolError
	var record tls.RecordHeaderError
	for _, strange := range []error{mysql.ErrMalformPkt, mysql.ErrPktSync, mysql.ErrPktSyncMul, mysql.ErrPktTooLarge, mysql.ErrOldProtocol, io.EOF, io.ErrUnexpectedEOF} {
		if errors.Is(err, strange) {
			return true
		}
	}
	return errors.As(err, &protocol) || errors.As(err, &record) || strings.Contains(err.Error(), "unsupported protocol version")
}

func timedOut(err error) bool {
	var timeout net.Error
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, syscall.ETIMEDOUT) || errors.As(err, &timeout) && timeout.Timeout()
}
