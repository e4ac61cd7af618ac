// Command demo runs the main job of runner on a real MySQL in front of the reader: it starts a private server, loads it,
// keeps a writer busy, backs the server up with examples/demo.hcl, verifies and restores the backup, boots servers on what was
// restored, and compares them with the source. Everything happens in a folder of its own, which is removed at the end.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"runner/pkg/mysqld"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintf(os.Stderr, "\ndemo: error: %v\n", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) (err error) {
	program := flag.String("runner", "bin/runner", "the runner to show")
	cache := flag.String("cache", ".cache/mysql", "where make mysql puts MySQL")
	megabytes := flag.Int("size", 256, "data to load, in MB")
	keep := flag.Bool("keep", false, "keep the folder of the demo")
	flag.Parse()

	server, err := mysqld.Find(*cache)
	if err != nil {
		return err
	}
	runner, err := filepath.Abs(*program)
	if err != nil {
		return err
	}
	plan, err := filepath.Abs("examples/demo.hcl")
	if err != nil {
		return err
	}
	folder, err := os.MkdirTemp("", "runner-demo-")
	if err != nil {
		return err
	}
	defer func() {
		if *keep {
			fmt.Printf("\nEverything is kept in %s\n", folder)
			return
		}
		err = errors.Join(err, os.RemoveAll(folder))
	}()
	d := &demo{folder: folder, mysqld: server, runner: runner, plan: plan, megabytes: *megabytes, story: newStory(os.Stdout)}
	return d.play(ctx)
}
