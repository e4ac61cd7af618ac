package main

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
)

// accounts is how many accounts the ledger moves money between; each begins with openingBalance.
const (
	accounts       = 500
	openingBalance = 1000
)

// words make text that reads and compresses as text does.
const words = "'the','quiet','harbour','order','blue','parcel','was','sent','to','a','small','street','near','station','with','two','boxes','of','green','tea','and','one','letter','for','owner','please','ring','twice','leave','at','door','thanks'"

func shopTables() []string {
	return []string{
		`CREATE DATABASE shop`,
		`CREATE TABLE shop.customers (id INT PRIMARY KEY AUTO_INCREMENT, name VARCHAR(80) NOT NULL, email VARCHAR(120) NOT NULL,
			joined DATE NOT NULL, note TEXT, KEY (email))`,
		`CREATE TABLE shop.orders (id BIGINT PRIMARY KEY AUTO_INCREMENT, customer INT NOT NULL, placed DATETIME NOT NULL, amount DECIMAL(10,2) NOT NULL,
			address VARCHAR(255) NOT NULL, detail JSON, KEY (customer), KEY (placed))`,
		`CREATE TABLE shop.images (id BIGINT PRIMARY KEY AUTO_INCREMENT, customer INT NOT NULL, picture MEDIUMBLOB NOT NULL)`,
		`CREATE TABLE shop.archive_orders LIKE shop.orders`,
		`ALTER TABLE shop.archive_orders ROW_FORMAT=COMPRESSED KEY_BLOCK_SIZE=8`,
		`CREATE TABLE shop.visits (id BIGINT NOT NULL AUTO_INCREMENT, day DATE NOT NULL, page VARCHAR(100) NOT NULL, PRIMARY KEY (id, day))
			PARTITION BY HASH (TO_DAYS(day)) PARTITIONS 6`,
		`CREATE TABLE shop.ledger (account INT PRIMARY KEY, balance BIGINT NOT NULL)`,
		`CREATE TABLE shop.journal (seq BIGINT PRIMARY KEY, debit INT NOT NULL, credit INT NOT NULL, amount INT NOT NULL, at DATETIME(6) NOT NULL)`,
	}
}

// sentence is an SQL expression of n words that depend on the row.
func sentence(n int) string {
	parts := make([]string, n)
	for i := range parts {
		parts[i] = fmt.Sprintf("ELT(1+FLOOR(RAND()*32),%s)", words)
	}
	return "CONCAT_WS(' '," + strings.Join(parts, ",") + ")"
}

// loadShop fills the shop's tables with about the given number of megabytes and returns the size of its tablespaces in bytes.
func loadShop(ctx context.Context, db *sql.DB, megabytes int) (int64, error) {
	// One connection: the settings are a session's.
	c, err := db.Conn(ctx)
	if err != nil {
		return 0, err
	}
	defer c.Close() //nolint:errcheck // what failed was said already
	statements := append([]string{
		"SET SESSION cte_max_recursion_depth = 1000000",
		// Filling is not what is being shown; the binary log would only double the writing.
		"SET SESSION sql_log_bin = 0",
	}, shopTables()...)
	for _, statement := range append(statements, fill(megabytes)...) {
		if _, err := c.ExecContext(ctx, statement); err != nil {
			return 0, fmt.Errorf("load data (%.60s…): %w", statement, err)
		}
	}
	// The connection goes back to the pool, and the writer is to be replicated.
	if _, err := c.ExecContext(ctx, "SET SESSION sql_log_bin = 1"); err != nil {
		return 0, err
	}
	var bytes int64
	err = c.QueryRowContext(ctx, "SELECT SUM(file_size) FROM information_schema.innodb_tablespaces WHERE name LIKE 'shop/%'").Scan(&bytes)
	return bytes, err
}

func fill(megabytes int) []string {
	series := func(n int) string {
		return fmt.Sprintf("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < %d)", n)
	}
	return []string{
		fmt.Sprintf(`INSERT INTO shop.customers (name, email, joined, note) %s SELECT CONCAT('customer ', i), CONCAT('c', i, '@example.org'),
			DATE('2020-01-01') + INTERVAL i%%2000 DAY, %s FROM n`, series(100*megabytes), sentence(8)),
		fmt.Sprintf(`INSERT INTO shop.orders (customer, placed, amount, address, detail) %s SELECT 1+FLOOR(RAND()*1000), TIMESTAMP('2024-01-01') + INTERVAL i*37 SECOND,
			RAND()*500, %s, JSON_OBJECT('items', i%%9, 'coupon', SHA2(i, 224)) FROM n`, series(900*megabytes), sentence(12)),
		fmt.Sprintf(`INSERT INTO shop.images (customer, picture) %s SELECT i, CONCAT(RANDOM_BYTES(1024),RANDOM_BYTES(1024),RANDOM_BYTES(1024),RANDOM_BYTES(1024),
			RANDOM_BYTES(1024),RANDOM_BYTES(1024),RANDOM_BYTES(1024),RANDOM_BYTES(1024)) FROM n`, series(50*megabytes)),
		fmt.Sprintf(`INSERT INTO shop.archive_orders SELECT * FROM shop.orders WHERE id <= %d`, 40*megabytes),
		fmt.Sprintf(`INSERT INTO shop.visits (day, page) %s SELECT DATE('2025-01-01') + INTERVAL i%%365 DAY, CONCAT('/', SHA2(i, 224)) FROM n`, series(400*megabytes)),
		fmt.Sprintf(`INSERT INTO shop.ledger %s SELECT i, %d FROM n`, series(accounts), openingBalance),
	}
}
