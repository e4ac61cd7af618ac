package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
)

// checkInvariants looks for what every consistent copy must hold, however busy the source was.
func checkInvariants(ctx context.Context, s *story, db *sql.DB) error {
	tables, err := shopTableNames(ctx, db)
	if err != nil {
		return err
	}
	for _, table := range tables {
		var name, op, kind, text string
		if err := db.QueryRowContext(ctx, "CHECK TABLE "+table+" EXTENDED").Scan(&name, &op, &kind, &text); err != nil {
			return fmt.Errorf("check table %s: %w", table, err)
		}
		if text != "OK" {
			return fmt.Errorf("check table %s: %s", table, text)
		}
	}
	s.say("CHECK TABLE … EXTENDED of %d tables: OK", len(tables))
	var sum, gaps, rows int64
	if err := db.QueryRowContext(ctx, "SELECT SUM(balance) FROM shop.ledger").Scan(&sum); err != nil {
		return err
	}
	if err := db.QueryRowContext(ctx, "SELECT COUNT(*), COALESCE(MAX(seq), 0) - COUNT(*) FROM shop.journal").Scan(&rows, &gaps); err != nil {
		return err
	}
	if sum != accounts*openingBalance || gaps != 0 {
		return fmt.Errorf("the restored copy is not consistent: the ledger's sum is %d and should be %d, the journal has %d gaps", sum, accounts*openingBalance, gaps)
	}
	s.say("the ledger's sum is %d, as it must be; %d journal entries, no gap: the copy is one moment of a busy server", sum, rows)
	return nil
}

// compare holds every table of the copy against the source: row counts and CHECKSUM TABLE.
func compare(ctx context.Context, s *story, source, restored *sql.DB) error {
	tables, err := shopTableNames(ctx, source)
	if err != nil {
		return err
	}
	s.say("%-22s %12s %12s %12s %12s", "table", "rows source", "rows copy", "sum source", "sum copy")
	different := 0
	for _, table := range tables {
		var figures []int64
		for _, db := range []*sql.DB{source, restored} {
			rows, sum, err := fingerprint(ctx, db, table)
			if err != nil {
				return err
			}
			figures = append(figures, rows, sum)
		}
		verdict := "equal"
		if figures[0] != figures[2] || figures[1] != figures[3] {
			verdict = "DIFFERENT"
			different++
		}
		s.say("%-22s %12d %12d %12d %12d  %s", table, figures[0], figures[2], figures[1], figures[3], verdict)
	}
	if different > 0 {
		return errors.New("the copy differs from the source in " + strconv.Itoa(different) + " tables")
	}
	return nil
}

func fingerprint(ctx context.Context, db *sql.DB, table string) (rows, sum int64, err error) {
	if err := db.QueryRowContext(ctx, "SELECT COUNT(*) FROM "+table).Scan(&rows); err != nil {
		return 0, 0, fmt.Errorf("count rows of %s: %w", table, err)
	}
	var name string
	if err := db.QueryRowContext(ctx, "CHECKSUM TABLE "+table).Scan(&name, &sum); err != nil {
		return 0, 0, fmt.Errorf("checksum table %s: %w", table, err)
	}
	return rows, sum, nil
}

func shopTableNames(ctx context.Context, db *sql.DB) (names []string, err error) {
	rows, err := db.QueryContext(ctx, "SELECT CONCAT(table_schema, '.', table_name) FROM information_schema.tables WHERE table_schema = 'shop' ORDER BY 1")
	if err != nil {
		return nil, fmt.Errorf("list tables: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, err
		}
		names = append(names, name)
	}
	return names, rows.Err()
}
