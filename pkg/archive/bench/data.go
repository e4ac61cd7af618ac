package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"runner/pkg/mysqld"
)

// makeClone fills a server with text and random bytes, half of each, and clones it.
func makeClone(ctx context.Context, s settings) (err error) {
	program, err := mysqld.Find(s.cache)
	if err != nil {
		return err
	}
	folder := filepath.Join(s.work, "server")
	fmt.Printf("filling a server with %d MB …\n", s.megabytes)
	server, err := mysqld.Start(ctx, mysqld.Options{
		Program: program, Folder: folder, DieWithParent: true,
		Args: []string{
			"--disable-log-bin", "--innodb-buffer-pool-size=512M", "--innodb-redo-log-capacity=1G",
			"--innodb-flush-log-at-trx-commit=0", "--innodb-doublewrite=OFF", "--max-allowed-packet=64M",
		},
	})
	if err != nil {
		return err
	}
	defer func() {
		err = errors.Join(err, server.Stop(context.WithoutCancel(ctx)), os.RemoveAll(folder))
	}()
	if err := server.InstallClone(ctx); err != nil {
		return err
	}
	db, err := server.DB(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if err := fill(ctx, db, server.DataDir(), int64(s.megabytes)*1e6, s.tables); err != nil {
		return err
	}
	_, err = db.ExecContext(ctx, "CLONE LOCAL DATA DIRECTORY = '"+strings.ReplaceAll(s.source, "'", "''")+"'")
	return err
}

// fill makes tables as a shop has them, half of their bytes text and numbers, half of them pictures,
// and many small tables.
func fill(ctx context.Context, db *sql.DB, dataDir string, size int64, tables int) error {
	for _, statement := range []string{
		"CREATE DATABASE shop",
		`CREATE TABLE shop.orders (id BIGINT PRIMARY KEY AUTO_INCREMENT, customer INT NOT NULL, placed DATETIME(6) NOT NULL,
			state ENUM('open', 'paid', 'sent', 'closed') NOT NULL, amount DECIMAL(10, 2) NOT NULL, address VARCHAR(200) NOT NULL,
			detail JSON NOT NULL, KEY (customer, placed))`,
		`CREATE TABLE shop.visits (id BIGINT PRIMARY KEY AUTO_INCREMENT, at DATETIME(3) NOT NULL, line VARCHAR(500) NOT NULL)`,
		`CREATE TABLE shop.notes (id BIGINT PRIMARY KEY AUTO_INCREMENT, orderid BIGINT NOT NULL, body TEXT NOT NULL, KEY (orderid))`,
		`CREATE TABLE shop.movements (id BIGINT PRIMARY KEY AUTO_INCREMENT, item INT NOT NULL, warehouse SMALLINT NOT NULL, quantity INT NOT NULL,
			price INT NOT NULL, at DATETIME(3) NOT NULL, KEY (item, at), KEY (warehouse, at))`,
		`CREATE TABLE shop.images (id BIGINT PRIMARY KEY AUTO_INCREMENT, picture VARBINARY(8000) NOT NULL)`,
	} {
		if _, err := db.ExecContext(ctx, statement); err != nil {
			return err
		}
	}
	if err := fillSmall(ctx, db, tables); err != nil {
		return err
	}
	g := newGenerator()
	for have := int64(0); have < size; {
		for _, batch := range []func() (string, []any){g.orders, g.visits, g.notes, g.movements, g.images} {
			statement, args := batch()
			if _, err := db.ExecContext(ctx, statement, args...); err != nil {
				return err
			}
		}
		var err error
		if have, err = spaces(dataDir); err != nil {
			return err
		}
	}
	return nil
}

// fillSmall makes tables of a few rows, as every tenant or month has them.
func fillSmall(ctx context.Context, db *sql.DB, tables int) error {
	for i := range tables {
		table := fmt.Sprintf("shop.small%04d", i)
		if _, err := db.ExecContext(ctx, "CREATE TABLE "+table+" (id INT PRIMARY KEY, name VARCHAR(40) NOT NULL)"); err != nil {
			return err
		}
		if _, err := db.ExecContext(ctx, "INSERT INTO "+table+" VALUES (?, 'one'), (?, 'two')", i, i+1); err != nil {
			return err
		}
	}
	return nil
}

// spaces gives the size of the tablespaces that a clone will have.
func spaces(dataDir string) (total int64, err error) {
	err = filepath.WalkDir(dataDir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".ibd" {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		total += info.Size()
		return nil
	})
	return total, err
}
