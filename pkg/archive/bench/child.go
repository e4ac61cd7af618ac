package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"strconv"
	"time"

	"runner/pkg/archive"
	"runner/pkg/archive/codec"
	"runner/pkg/archive/manifest"
	"runner/pkg/archive/store"
	"runner/pkg/innodb"
)

// garbagePercent is that of runner.
const garbagePercent = 50

// runChild does one piece of work and prints a note.
func runChild(ctx context.Context, work string, args []string) error {
	debug.SetGCPercent(garbagePercent)
	var n note
	var err error
	switch {
	case work == "pack" && len(args) == 4:
		err = packChild(ctx, &n, args[0], args[1], args[2], args[3])
	case work == "usual" && len(args) == 2:
		err = usual(&n, args[0], args[1])
	case work == "floor" && len(args) == 3:
		err = floor(&n, args[0], args[1], args[2])
	case work == "verify" && len(args) == 1:
		err = verifyChild(ctx, args[0])
	case work == "restore" && len(args) >= 2:
		err = restoreChild(ctx, &n, args[0], args[1], args[2:])
	default:
		err = fmt.Errorf("unknown work %q", work)
	}
	return errors.Join(err, json.NewEncoder(os.Stdout).Encode(n))
}

func openBackup(ctx context.Context, dir string) (*archive.Backup, error) {
	s, err := store.OpenLocal(dir)
	if err != nil {
		return nil, err
	}
	return archive.Open(ctx, s)
}

func verifyChild(ctx context.Context, backup string) error {
	b, err := openBackup(ctx, backup)
	if err != nil {
		return err
	}
	_, err = b.Verify(ctx, archive.VerifyOptions{})
	return err
}

func restoreChild(ctx context.Context, n *note, backup, target string, paths []string) error {
	b, err := openBackup(ctx, backup)
	if err != nil {
		return err
	}
	_, err = b.Restore(ctx, target, archive.RestoreOptions{
		Paths: paths, Progress: func(int64, int64) { n.Written = time.Now().UnixNano() },
	})
	return err
}

// packChild makes a whole backup, as a run does from the end of the clone on.
func packChild(ctx context.Context, n *note, format, level, source, backup string) error {
	s, err := store.Local(backup)
	if err != nil {
		return err
	}
	l, err := strconv.Atoi(level)
	if err != nil {
		return err
	}
	bad := 0
	p, err := archive.Pack(ctx, archive.Dir(source), s, archive.PackOptions{
		Format: format, Level: l, Pages: true,
		OnBadPage: func(archive.BadPage) { bad++ },
		Progress:  func(int64) { n.Written = time.Now().UnixNano() },
	})
	if err != nil {
		return err
	}
	if bad > 0 {
		return errors.New("the clone has damaged pages")
	}
	index, err := archive.WriteIndex(ctx, s, p)
	if err != nil {
		return err
	}
	if err := archive.WriteSums(ctx, s, p.Data, index); err != nil {
		return err
	}
	return manifest.Write(ctx, s, &manifest.Manifest{
		State: manifest.StateComplete, Run: manifest.Run{ID: "bench", Job: "job.bench"},
		Coordinates: manifest.Coordinates{From: manifest.FromNone}, Archive: p.Manifest(index),
		Content: manifest.Content{Tablespaces: tablespaces(p.Index)},
	})
}

// encoded is a frame before and after the codec.
type encoded struct{ raw, stored []byte }

// encodeAll encodes frames on so many goroutines, each from the next one on.
func encodeAll(frames []*encoded, format codec.Format, level, threads int) error {
	next := make(chan *encoded, len(frames))
	for _, f := range frames {
		next <- f
	}
	close(next)
	done := make(chan error, threads)
	for range threads {
		go func() { done <- encodeEach(next, format, level) }()
	}
	var errs []error
	for range threads {
		errs = append(errs, <-done)
	}
	return errors.Join(errs...)
}

func encodeEach(next <-chan *encoded, format codec.Format, level int) error {
	e, err := codec.NewEncoder(format, level)
	if err != nil {
		return err
	}
	for f := range next {
		if f.stored, err = e.Encode(f.stored[:0], f.raw); err != nil {
			return err
		}
	}
	return nil
}

// tablespaces are those of an archive, as a run lists them.
func tablespaces(idx *archive.Index) (all []manifest.Tablespace) {
	for _, m := range idx.Files {
		if m.InnoDB == nil {
			continue
		}
		f := innodb.FileOf(m.Path)
		all = append(all, manifest.Tablespace{
			Schema: f.Schema, Table: f.Table, Partition: f.Partition, Subpartition: f.Subpartition, Path: m.Path,
			SpaceID: int64(m.InnoDB.SpaceID), PageSize: m.InnoDB.PageSize, Pages: m.InnoDB.Total,
			Encrypted: m.InnoDB.Encrypted, Compressed: m.InnoDB.Compressed,
		})
	}
	return all
}
