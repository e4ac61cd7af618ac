package clone

import (
	"context"
	"database/sql"
)

// DryServer does what a Server does, except that no statement that changes anything is ever sent: it
// is told to Hooks.Intend and then dropped. Reads pass through. It has no method of Server's that it does not name.
type DryServer struct{ s *Server }

// DryRun wraps a server; the caller closes one of the two.
func DryRun(s *Server) *DryServer { return &DryServer{s} }

// Name is the server's name in messages.
func (d *DryServer) Name() string { return d.s.Name() }

// Address is the socket's path, or host:port.
func (d *DryServer) Address() string { return d.s.Address() }

// Close closes the server below.
func (d *DryServer) Close() error { return d.s.Close() }

// Facts is Server.Facts, which only reads.
func (d *DryServer) Facts(ctx context.Context) (*Facts, error) { return d.s.Facts(ctx) }

// Check is Server.Check, which only reads.
func (d *DryServer) Check(ctx context.Context, f *Facts, t Target) []Finding {
	return d.s.Check(ctx, f, t)
}

// State is Server.State, which only reads.
func (d *DryServer) State(ctx context.Context, directory string) (CloneState, error) {
	return d.s.State(ctx, directory)
}

// CloneLocal goes the whole way of Server.CloneLocal without a clone at its end: the Result names the
// statement and the settings that it would run with, and no directory. A server that is cloning, a directory that exists,
// a missing plugin and a setting that the server does not know are the errors that they would be.
func (d *DryServer) CloneLocal(ctx context.Context, o LocalOptions, h Hooks) (*Result, error) {
	return cloneLocal(ctx, d.s, withholding{}, o, h)
}

// Undo looks at what Server.Undo would do, and does not do it.
func (d *DryServer) Undo(ctx context.Context, e Effect) error {
	return undo(ctx, d.s, withholding{}, e)
}

// withholding is the outlet that sends nothing.
type withholding struct{}

func (withholding) exec(context.Context, string) error { return nil }

func (withholding) reserve(context.Context, *sql.Conn) (func(), error) { return func() {}, nil }

func (withholding) clone(context.Context, *sql.Conn, string) error { return nil }

func (withholding) stop(context.Context, string) error { return nil }

func (withholding) landed(context.Context, LocalOptions) (string, string, error) { return "", "", nil }
