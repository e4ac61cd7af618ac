package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
)

// writer moves money between the accounts of the ledger, one transaction after the other: the sum over the ledger never
// changes, and the journal's sequence has no gap, in every state of the database that a transaction could see.
type writer struct {
	cancel context.CancelFunc
	done   chan struct{}
	count  atomic.Int64
	err    error // valid once done is closed
}

func startWriter(ctx context.Context, db *sql.DB) (*writer, error) {
	var next int64
	if err := db.QueryRowContext(ctx, "SELECT COALESCE(MAX(seq), 0) + 1 FROM shop.journal").Scan(&next); err != nil {
		return nil, fmt.Errorf("start writer: %w", err)
	}
	ctx, cancel := context.WithCancel(ctx)
	w := &writer{cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(w.done)
		for seq := next; ctx.Err() == nil; seq++ {
			if w.err = transfer(ctx, db, seq); w.err != nil {
				return
			}
			w.count.Add(1)
		}
	}()
	return w, nil
}

// stop ends the writer and waits for it.
func (w *writer) stop() error {
	w.cancel()
	<-w.done
	if w.err != nil && !errors.Is(w.err, context.Canceled) {
		return fmt.Errorf("writer: %w", w.err)
	}
	return nil
}

func (w *writer) committed() int64 { return w.count.Load() }

func transfer(ctx context.Context, db *sql.DB, seq int64) (err error) {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, ignoreDone(tx.Rollback()))
		}
	}()
	debit, amount := 1+rand.IntN(accounts), 1+rand.IntN(50)
	credit := 1 + debit%accounts
	if _, err := tx.ExecContext(ctx, "UPDATE shop.ledger SET balance = balance - ? WHERE account = ?", amount, debit); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, "UPDATE shop.ledger SET balance = balance + ? WHERE account = ?", amount, credit); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, "INSERT INTO shop.journal VALUES (?, ?, ?, ?, NOW(6))", seq, debit, credit, amount); err != nil {
		return err
	}
	return tx.Commit()
}

func ignoreDone(err error) error {
	if errors.Is(err, sql.ErrTxDone) {
		return nil
	}
	return err
}
