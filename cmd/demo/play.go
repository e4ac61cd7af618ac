package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"runner/pkg/mysqld"
)

const backupPassword = "correct horse battery staple"

// demo is one run of the story.
type demo struct {
	*story
	folder, mysqld, runner, plan string
	megabytes                    int

	source *mysqld.Server
	db     *sql.DB
}

func (d *demo) path(names ...string) string {
	return filepath.Join(append([]string{d.folder}, names...)...)
}

func (d *demo) play(ctx context.Context) (err error) {
	if err := d.startSource(ctx); err != nil {
		return err
	}
	defer func() {
		err = errors.Join(err, d.db.Close(), d.source.Stop(context.WithoutCancel(ctx)))
	}()
	for _, part := range []func(context.Context) error{d.load, d.backUpUnderLoad, d.backUpAtRest, d.restoreWithoutUs} {
		if err := part(ctx); err != nil {
			return err
		}
	}
	d.say("\nDone: two backups taken, verified, restored, booted and compared.")
	return nil
}

func (d *demo) startSource(ctx context.Context) error {
	d.chapter("A MySQL server to back up")
	version, err := mysqld.Version(d.mysqld)
	if err != nil {
		return err
	}
	d.say("%s", version)
	d.source, err = mysqld.Start(ctx, mysqld.Options{
		Program: d.mysqld, Folder: d.path("source"), DieWithParent: true,
		Args: []string{
			"--innodb-buffer-pool-size=256M", "--innodb-flush-log-at-trx-commit=2", "--sync-binlog=0",
			"--gtid-mode=ON", "--enforce-gtid-consistency=ON", "--server-id=1", "--mysqlx=OFF",
		},
	})
	if err != nil {
		return err
	}
	if err := d.source.InstallClone(ctx); err != nil {
		return errors.Join(err, d.source.Stop(ctx))
	}
	if d.db, err = d.source.DB(ctx); err != nil {
		return errors.Join(err, d.source.Stop(ctx))
	}
	return nil
}

func (d *demo) load(ctx context.Context) error {
	d.say("The data: a shop with customers, orders, a ledger, compressed and partitioned tables.")
	bytes, err := loadShop(ctx, d.db, d.megabytes)
	if err != nil {
		return err
	}
	d.say("%d MB are in its tables. The backup account, with the privileges that the README lists:", bytes>>20)
	for _, statement := range accountStatements() {
		d.say("  %s", strings.ReplaceAll(statement, backupPassword, "…"))
		if _, err := d.db.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("create backup account: %w", err)
		}
	}
	for _, name := range []string{"staging", "repository", "state", "restored"} {
		if err := os.Mkdir(d.path(name), 0o755); err != nil {
			return err
		}
	}
	return nil
}

// accountStatements make the account that the README describes.
func accountStatements() []string {
	return []string{
		"CREATE USER 'backup'@'localhost' IDENTIFIED BY '" + backupPassword + "'",
		"GRANT BACKUP_ADMIN, PROCESS, SHOW VIEW, SYSTEM_VARIABLES_ADMIN ON *.* TO 'backup'@'localhost'",
		"GRANT SELECT ON performance_schema.* TO 'backup'@'localhost'",
	}
}

func (d *demo) backUpUnderLoad(ctx context.Context) (err error) {
	d.chapter("A backup while a writer is at work")
	w, err := startWriter(ctx, d.db)
	if err != nil {
		return err
	}
	stopped := false
	defer func() {
		if !stopped {
			err = errors.Join(err, w.stop())
		}
	}()
	for _, args := range [][]string{{"validate", d.plan}, {"plan", d.plan}, {"apply", d.plan}} {
		if err := d.run(ctx, args...); err != nil {
			return err
		}
	}
	stopped = true
	if err := w.stop(); err != nil {
		return err
	}
	d.say("\nMeanwhile the writer committed %d transactions.", w.committed())

	d.chapter("Verify it, restore it, boot a server on it")
	if err := d.run(ctx, "verify", "demo@latest", "--plan", d.plan); err != nil {
		return err
	}
	if err := d.run(ctx, "restore", "demo@latest", "--plan", d.plan, "--to", d.path("restored", "under-load")); err != nil {
		return err
	}
	return d.boot(ctx, d.path("restored", "under-load"), func(db *sql.DB) error { return checkInvariants(ctx, d.story, db) })
}

func (d *demo) backUpAtRest(ctx context.Context) error {
	d.chapter("A second backup at a quiet moment, compared table by table")
	if err := d.run(ctx, "apply", d.plan, "--log-level", "warn"); err != nil {
		return err
	}
	if err := d.run(ctx, "list", "--repository", d.path("repository")); err != nil {
		return err
	}
	if err := d.run(ctx, "restore", "demo@latest", "--plan", d.plan, "--to", d.path("restored", "at-rest")); err != nil {
		return err
	}
	return d.boot(ctx, d.path("restored", "at-rest"), func(db *sql.DB) error { return compare(ctx, d.story, d.db, db) })
}

func (d *demo) restoreWithoutUs(ctx context.Context) error {
	d.chapter("The same backup without runner: sha256sum, tar, mysqld")
	backups, err := filepath.Glob(d.path("repository", "demo", "*"))
	if err != nil || len(backups) == 0 {
		return errors.Join(errors.New("no backup is in the repository"), err)
	}
	newest := backups[len(backups)-1]
	target := d.path("restored", "by-tar")
	for _, line := range []string{
		"cd " + newest + " && sha256sum -c SHA256SUMS",
		"mkdir " + target + " && tar --zstd -xf " + filepath.Join(newest, "data.tar.zst") + " -C " + target,
	} {
		if err := d.shell(ctx, line); err != nil {
			return err
		}
	}
	return d.boot(ctx, target, func(db *sql.DB) error { return compare(ctx, d.story, d.db, db) })
}

// boot starts a server on a restored data directory, looks at it and stops it.
func (d *demo) boot(ctx context.Context, dataDir string, look func(*sql.DB) error) (err error) {
	d.say("\nA second mysqld is started on %s", filepath.Base(dataDir))
	server, err := mysqld.Start(ctx, mysqld.Options{
		Program: d.mysqld, Folder: d.path("boot-" + filepath.Base(dataDir)), DataDir: dataDir,
		Quiet: true, DieWithParent: true, Args: []string{"--innodb-buffer-pool-size=256M"},
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.Stop(context.WithoutCancel(ctx))) }()
	db, err := server.DB(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	return look(db)
}

// run runs runner before the reader's eyes.
func (d *demo) run(ctx context.Context, args ...string) error {
	d.say("\n$ runner %s\n", strings.ReplaceAll(strings.Join(args, " "), filepath.Dir(filepath.Dir(d.plan))+"/", ""))
	return d.command(ctx, d.runner, args...)
}

// shell runs a line of shell before the reader's eyes.
func (d *demo) shell(ctx context.Context, line string) error {
	d.say("\n$ %s", strings.ReplaceAll(line, d.folder+"/", ""))
	return d.command(ctx, "sh", "-c", line)
}

func (d *demo) command(ctx context.Context, name string, args ...string) error {
	c := exec.CommandContext(ctx, name, args...)
	c.Cancel = func() error { return c.Process.Signal(os.Interrupt) }
	c.Stdout, c.Stderr = os.Stdout, os.Stderr
	c.Env = append(os.Environ(),
		"RUNNER_STATE_DIR="+d.path("state"),
		"RUNNER_VAR_socket="+d.source.Socket(),
		"RUNNER_VAR_staging="+d.path("staging"),
		"RUNNER_VAR_repository="+d.path("repository"),
		"RUNNER_DEMO_PASSWORD="+backupPassword,
	)
	if err := c.Run(); err != nil {
		return fmt.Errorf("%s %s: %w", filepath.Base(name), strings.Join(args, " "), err)
	}
	return nil
}
