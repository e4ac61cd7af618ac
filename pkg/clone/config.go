package clone

import (
	"cmp"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/user"
	"strconv"
	"strings"

	"runner/pkg/files"
)

// The modes of TLS, as the mysql client's --ssl-mode names them.
const (
	TLSDisabled       = "disabled"        // never
	TLSPreferred      = "preferred"       // when the server offers it; nobody's identity is checked. Over a socket: never
	TLSRequired       = "required"        // always; nobody's identity is checked
	TLSVerifyCA       = "verify-ca"       // and the server's certificate comes from a CA that is trusted
	TLSVerifyIdentity = "verify-identity" // and it names the host that was connected to
)

// Config says how a server is reached. Of what is said twice, the fields win over DefaultsFile.
// A path that begins with ~ is as files.ExpandHome has it.
type Config struct {
	Name         string // for messages: "source.mysql.orders"; "": "the server"
	Host         string // "": 127.0.0.1
	Port         int    // 0: 3306
	Socket       string // wins over Host and Port; "": TCP
	User         string // "": the name of the operating system's user, as the mysql client does
	Password     string // "": PasswordFile, then DefaultsFile
	PasswordFile string // its first line is the password, without the line's end
	DefaultsFile string // an option file; its group [client] is read, with MySQL's own defaults; "": none
	TLSMode      string // one of the constants above; "": preferred
	CAFile       string // PEM; "": the system's trust store
	CertFile     string // PEM, the client's own certificate; needs KeyFile
	KeyFile      string // PEM

	// Run and Process are what every session says of itself to whoever looks at the server: the run that it is of, and the process of
	// that run. Letters, digits and . _ - only; "": nothing is said.
	Run, Process string
}

// defaultPort is MySQL's own: "port" in "Server System Variables".
const defaultPort = 3306

// String leaves the password out.
func (c Config) String() string { return c.describe() + " at " + c.address() }

// GoString leaves the password out.
func (c Config) GoString() string { return "clone.Config{" + c.String() + "}" }

// LogValue leaves the password out.
func (c Config) LogValue() slog.Value { return slog.StringValue(c.String()) }

// MarshalJSON leaves the password out: a Config is not for storing.
func (c Config) MarshalJSON() ([]byte, error) { return []byte(strconv.Quote(c.String())), nil }

func (c Config) describe() string {
	if c.Name == "" {
		return "the server"
	}
	return c.Name
}

func (c Config) address() string {
	if c.Socket != "" {
		return c.Socket
	}
	return net.JoinHostPort(c.Host, strconv.Itoa(c.Port))
}

// resolve fills in what the option file, the password file and the defaults say.
func (c Config) resolve() (Config, error) {
	if c.DefaultsFile != "" {
		path, err := files.ExpandHome(c.DefaultsFile, os.Getenv)
		if err != nil {
			return c, fmt.Errorf("find defaults file: %w", err)
		}
		options, err := readOptionFile(path)
		if err != nil {
			return c, fmt.Errorf("read defaults file: %w", err)
		}
		if c, err = c.mergeOptions(options); err != nil {
			return c, fmt.Errorf("read defaults file %s: %w", c.DefaultsFile, err)
		}
	}
	for _, path := range []*string{&c.CAFile, &c.CertFile, &c.KeyFile, &c.Socket} {
		var err error
		if *path, err = files.ExpandHome(*path, os.Getenv); err != nil {
			return c, err
		}
	}
	if c.Socket == "" && c.Host == "" {
		c.Host = "127.0.0.1"
	}
	if c.Port == 0 {
		c.Port = defaultPort
	}
	if c.Port < 0 || c.Port > 65535 {
		return c, fmt.Errorf("port %d is not between 1 and 65535", c.Port)
	}
	if c.User == "" {
		who, err := user.Current()
		if err != nil {
			return c, fmt.Errorf("find the name of the current user: %w", err)
		}
		c.User = who.Username
	}
	return c, nil
}

// readPassword reads the password file, if there is one and no password was given.
func (c Config) readPassword() (Config, error) {
	if c.PasswordFile == "" || c.Password != "" {
		return c, nil
	}
	const what = "password file"
	path, err := files.ExpandHome(c.PasswordFile, os.Getenv)
	if err != nil {
		return c, fmt.Errorf("find password file: %w", err)
	}
	text, err := readText(what, path)
	if err != nil {
		return c, fmt.Errorf("read password file: %w", err)
	}
	// Errors name the file and not the text: the text is the secret.
	line, _, _ := strings.Cut(text, "\n")
	line = strings.TrimSuffix(line, "\r")
	switch {
	case text == "":
		return c, &fileError{what: what, path: path, err: errEmpty}
	case line == "":
		return c, &fileError{what: what, path: path, err: errEmptyLine}
	case strings.ContainsAny(line, "\r\x00"):
		return c, &fileError{what: what, path: path, err: errNotText}
	}
	c.Password = line
	return c, nil
}

// mergeOptions takes over from the option file what the fields leave open.
func (c Config) mergeOptions(o map[string]string) (Config, error) {
	c, err := c.place(o)
	if err != nil {
		return c, err
	}
	for field, option := range map[*string]string{
		&c.User: "user", &c.TLSMode: "ssl-mode", &c.CAFile: "ssl-ca", &c.CertFile: "ssl-cert", &c.KeyFile: "ssl-key",
	} {
		if *field == "" {
			*field = o[option]
		}
	}
	if c.Password == "" && c.PasswordFile == "" {
		c.Password = cmp.Or(o["password"], o["password1"])
	}
	// The option file writes VERIFY_CA where a plan writes verify-ca.
	c.TLSMode = strings.ReplaceAll(strings.ToLower(c.TLSMode), "_", "-")
	for _, option := range []string{"ssl-capath", "ssl-crl", "ssl-crlpath"} {
		if _, there := o[option]; there {
			return c, fmt.Errorf("%s cannot be honoured: give one file of certificates as ssl-ca", option)
		}
	}
	return c, nil
}

// place decides how the server is reached, by the rules of "Connecting to the MySQL Server Using Command Options"
// in MySQL's manual: no host and the host localhost mean the socket, unless protocol says TCP. A host, a socket or
// a port in the plan says how by itself.
func (c Config) place(o map[string]string) (Config, error) {
	protocol, err := protocolOf(o["protocol"])
	if err != nil || c.Socket != "" {
		return c, err
	}
	byTCP := c.Host != "" || c.Port != 0 || protocol == protocolTCP
	if port := o["port"]; port != "" && c.Port == 0 {
		if c.Port, err = strconv.Atoi(port); err != nil {
			return c, fmt.Errorf("port %q is not a number", port)
		}
	}
	c.Host = cmp.Or(c.Host, o["host"])
	switch local := c.Host == "" || c.Host == "localhost"; {
	case byTCP:
	case local:
		c.Host, c.Socket = "", o["socket"]
		if c.Socket == "" {
			c.Socket, err = defaultSocket()
		}
	case protocol == protocolSocket:
		return c, &optionError{
			what: fmt.Sprintf("protocol=socket reaches a server of this host only, and host=%s is another", c.Host),
			hint: "take protocol or host out of the option file",
		}
	}
	return c, err
}
