package mysqld

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// ErrNotFound says that no usable mysqld is on this machine.
var ErrNotFound = errors.New("no mysqld with CLONE was found: run `make mysql`, or set RUNNER_MYSQLD to the mysqld of a MySQL 8.0.17 or later")

// Environment is the variable that names the mysqld to use before any other.
const Environment = "RUNNER_MYSQLD"

// askTimeout bounds a question to a candidate program (`--version`, `--verbose --help`), which
// answers in well under a second when it works at all.
const askTimeout = 30 * time.Second

// Find returns the absolute path of a mysqld: the one that RUNNER_MYSQLD names, else one on PATH that
// is a MySQL of 8.0.17 or later with mysql_clone.so in its plugin directory, else cache/bin/mysqld,
// which fetch.sh puts there.
//
// A RUNNER_MYSQLD that names nothing executable is an error of its own rather than a reason to take
// another server than the one asked for. Without any candidate the error is ErrNotFound.
func Find(cache string) (string, error) {
	if named := os.Getenv(Environment); named != "" {
		path, err := exec.LookPath(named)
		if err != nil {
			return "", fmt.Errorf("%s: %w", Environment, err)
		}
		return filepath.Abs(path)
	}
	if path, err := exec.LookPath("mysqld"); err == nil && suitable(path) == nil {
		return filepath.Abs(path)
	}
	if path, err := exec.LookPath(filepath.Join(cache, "bin", "mysqld")); err == nil {
		return filepath.Abs(path)
	}
	return "", ErrNotFound
}

// Version returns what `program --version` says of itself, in one line.
func Version(program string) (string, error) {
	out, err := ask(program, "--version")
	if err != nil {
		return "", err
	}
	return strings.TrimSpace(out), nil
}

// suitable says why the program cannot serve here; nil when it can.
func suitable(program string) error {
	version, err := Version(program)
	if err != nil {
		return err
	}
	if err := hasClone(version); err != nil {
		return err
	}
	folder, err := PluginDir(program)
	if err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(folder, "mysql_clone.so")); err != nil {
		return fmt.Errorf("find the clone plugin: %w", err)
	}
	return nil
}

// PluginDir asks a server program where its plugins are.
func PluginDir(program string) (string, error) {
	help, err := ask(program, "--no-defaults", "--verbose", "--help")
	if err != nil {
		return "", err
	}
	folder := pluginDir(help)
	if folder == "" {
		return "", fmt.Errorf("%s does not say where its plugins are", program)
	}
	return folder, nil
}

var (
	versionPattern   = regexp.MustCompile(`\bVer (\d+)\.(\d+)\.(\d+)`)
	pluginDirPattern = regexp.MustCompile(`(?m)^plugin-dir\s+(\S.*?)\s*$`)
)

// hasClone judges the line that `mysqld --version` prints. The clone plugin came with 8.0.17;
// MariaDB, whose numbers are higher, has none.
func hasClone(version string) error {
	if strings.Contains(strings.ToLower(version), "mariadb") {
		return fmt.Errorf("%q is MariaDB, which has no CLONE", version)
	}
	match := versionPattern.FindStringSubmatch(version)
	if match == nil {
		return fmt.Errorf("%q names no version", version)
	}
	number := 0
	for _, part := range match[1:] {
		n, err := strconv.Atoi(part)
		if err != nil || n > 999 {
			return fmt.Errorf("%q names no version", version)
		}
		number = number*1000 + n
	}
	if number < 8_000_017 {
		return fmt.Errorf("%q is older than 8.0.17, the first with CLONE", version)
	}
	return nil
}

// pluginDir reads the plugin directory from the table of variables below `--verbose --help`.
func pluginDir(help string) string {
	match := pluginDirPattern.FindStringSubmatch(help)
	if match == nil {
		return ""
	}
	return match[1]
}

func ask(program string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), askTimeout)
	defer cancel()
	out, err := exec.CommandContext(ctx, program, args...).Output()
	if err != nil {
		return "", fmt.Errorf("ask %s %s: %w", program, strings.Join(args, " "), err)
	}
	return string(out), nil
}
