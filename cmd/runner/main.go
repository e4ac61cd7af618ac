// Command runner takes physical backups of MySQL with the server's own CLONE, as a plan file declares them, and proves
// that they restore.
package main

import (
	"context"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"runner/cmd/runner/internal/cli"
)

// version is set by the linker; a build without it says so.
var version = "devel"

// garbagePercent is how much garbage there may be beside what is in use, in percent of that. Most of it are buffers and lists that live
// long: with Go's own 100, packing a hundred thousand tables takes 230 MB instead of 140.
const garbagePercent = 50

func main() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(garbagePercent)
	}
	ctx, cancel := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, ending()...)
	// Whoever reads the output may leave: a backup goes on all the same.
	signal.Ignore(syscall.SIGPIPE)
	go func() {
		<-signals
		cancel()
		// The second one leaves at once; the journal makes that safe.
		<-signals
		os.Exit(cli.ExitInterrupted)
	}()
	os.Exit(cli.Run(ctx, os.Args[1:], cli.Environment{
		Stdout: os.Stdout, Stderr: os.Stderr, Getenv: os.Getenv, Version: version,
	}))
}

// ending are the signals that end a run in order. A terminal that is closed is one, unless it was said at the start, as nohup does, that
// it is none.
func ending() []os.Signal {
	signals := []os.Signal{syscall.SIGINT, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) {
		signals = append(signals, syscall.SIGHUP)
	}
	return signals
}
