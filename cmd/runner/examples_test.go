package main

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"filippo.io/age"

	"runner/cmd/runner/internal/cli"
	"runner/pkg/mysqld/mysqldtest"
)

// TestEveryExampleBacksUpARealServer applies each plan of examples/, in both syntaxes, with the account of the README, and
// verifies every backup that it makes.
func TestEveryExampleBacksUpARealServer(t *testing.T) {
	examples, err := filepath.Glob("../../examples/*.*")
	if err != nil || len(examples) < 12 {
		t.Fatalf("there are %d examples (%v), want at least six plans in two syntaxes", len(examples), err)
	}
	server := mysqldtest.Start(t, mysqldtest.WithTCP())
	const password = "of the examples"
	server.Exec(t,
		"CREATE USER 'backup'@'%' IDENTIFIED BY '"+password+"'",
		"GRANT BACKUP_ADMIN, PROCESS, SHOW VIEW, SYSTEM_VARIABLES_ADMIN ON *.* TO 'backup'@'%'",
		"GRANT SELECT ON performance_schema.* TO 'backup'@'%'",
		"CREATE DATABASE shop", "CREATE TABLE shop.t (id INT PRIMARY KEY)", "INSERT INTO shop.t VALUES (1), (2)",
	)
	spare := mysqldtest.Start(t)
	spare.Exec(t,
		"CREATE USER 'puller'@'localhost' IDENTIFIED BY '"+password+"'",
		"GRANT BACKUP_ADMIN, SYSTEM_VARIABLES_ADMIN ON *.* TO 'puller'@'localhost'",
		"GRANT SELECT ON performance_schema.* TO 'puller'@'localhost'",
	)
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	for _, example := range examples {
		t.Run(filepath.Base(example), func(t *testing.T) {
			folder := t.TempDir()
			env := map[string]string{
				"HOME": folder, "RUNNER_STATE_DIR": filepath.Join(folder, "state"),
				"RUNNER_SOCKET": server.Socket(), "RUNNER_HOST": "127.0.0.1", "RUNNER_PORT": strconv.Itoa(server.Port()),
				"RUNNER_PASSWORD": password, "RUNNER_DEMO_PASSWORD": password,
				"RUNNER_SPARE_SOCKET": spare.Socket(), "RUNNER_SPARE_PASSWORD": password,
				"RUNNER_PASSWORD_FILE": write(t, folder, "password", password+"\n"),
				"RUNNER_DEFAULTS_FILE": write(t, folder, "my.cnf", "[client]\nuser=backup\npassword=\""+password+"\"\nsocket="+server.Socket()+"\n"),
				"RUNNER_RECIPIENT":     identity.Recipient().String(), "RUNNER_IDENTITY_FILE": write(t, folder, "identity", identity.String()+"\n"),
				"RUNNER_VAR_staging": folder, "RUNNER_VAR_repository": filepath.Join(folder, "repository"), "RUNNER_VAR_archive": filepath.Join(folder, "archive"),
			}
			run(t, env, "validate", example)
			run(t, env, "plan", example)
			run(t, env, "apply", example)
			backups, err := filepath.Glob(filepath.Join(folder, "*", "*", "*", "manifest.json"))
			if err != nil || len(backups) == 0 {
				t.Fatalf("no backup was made (%v)", err)
			}
			for _, manifest := range backups {
				run(t, env, "verify", filepath.Dir(manifest))
			}
			text, err := os.ReadFile(example)
			if err != nil {
				t.Fatal(err)
			}
			if keeps := strings.Contains(string(text), "keep"); keeps {
				return
			}
			if left, _ := filepath.Glob(filepath.Join(folder, "runner-*")); len(left) > 0 {
				t.Errorf("staging directories are left: %v", left)
			}
		})
	}
}

// run runs a command in this process and wants it to succeed.
func run(t *testing.T, env map[string]string, args ...string) {
	t.Helper()
	var stdout, stderr strings.Builder
	code := cli.Run(context.Background(), args, cli.Environment{
		Stdout: &stdout, Stderr: &stderr, Version: "test", Getenv: func(name string) string { return env[name] },
	})
	if code != 0 {
		t.Fatalf("runner %s exits with %d\n%s%s", strings.Join(args, " "), code, stdout.String(), stderr.String())
	}
}

func write(t *testing.T, folder, name, text string) string {
	t.Helper()
	path := filepath.Join(folder, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
