package clone

import (
	"context"
	"database/sql"
	"errors"
	"time"
)

// How long the source is asked again for its log positions before they are recorded as unknown, and how often.
const (
	askFor   = 30 * time.Second
	askEvery = time.Second
)

// askLogs runs ask on the pool, and while that fails, again on connections made for it: what the pool has may be lost without
// knowing it. It ends with the last error after most, or when ctx does.
func (s *Server) askLogs(ctx context.Context, most time.Duration, ask func(context.Context, rowQuerier) error) error {
	bounded, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	err := ask(bounded, s.db)
	for err != nil && pause(bounded, askEvery) == nil {
		if again := s.onFresh(bounded, ask); again == nil || bounded.Err() == nil {
			err = again
		}
	}
	return err
}

// onFresh runs ask on a connection of its own.
func (s *Server) onFresh(ctx context.Context, ask func(context.Context, rowQuerier) error) (err error) {
	connector, err := s.config.connector(s.identity)
	if err != nil {
		return err
	}
	db := sql.OpenDB(connector)
	defer func() { err = errors.Join(err, db.Close()) }()
	return ask(ctx, db)
}
