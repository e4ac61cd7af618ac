package main

import (
	"archive/tar"
	"compress/gzip"
	"crypto/sha256"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"time"

	"runner/pkg/archive/codec"
)

// usual packs a directory in the way that most Go programs do: archive/tar into compress/gzip into a file,
// which is read again for its sum.
func usual(n *note, source, target string) (err error) {
	f, err := os.Create(target)
	if err != nil {
		return err
	}
	z, err := gzip.NewWriterLevel(f, 6)
	if err != nil {
		return err
	}
	t := tar.NewWriter(z)
	if err := errors.Join(t.AddFS(os.DirFS(source)), t.Close(), z.Close()); err != nil {
		return errors.Join(err, f.Close())
	}
	n.Written = time.Now().UnixNano()
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return err
	}
	again, err := os.Open(target)
	if err != nil {
		return err
	}
	_, err = io.Copy(sha256.New(), again)
	return errors.Join(err, again.Close())
}

// floor times the encoding of all frames of a directory on all CPUs, and the SHA-256 of what comes of it on one.
// Files are cut as they lie, without the tar around them.
func floor(n *note, format, level, source string) error {
	l, err := strconv.Atoi(level)
	if err != nil {
		return err
	}
	n.Seconds = map[string]float64{}
	sum := sha256.New()
	return eachBatch(source, func(batch []*encoded) error {
		start := time.Now()
		if err := encodeAll(batch, codec.Format(format), l, runtime.GOMAXPROCS(0)); err != nil {
			return err
		}
		n.Seconds["encode"] += time.Since(start).Seconds()
		start = time.Now()
		for _, f := range batch {
			sum.Write(f.stored)
		}
		n.Seconds["sha256"] += time.Since(start).Seconds()
		return nil
	})
}

// batchFrames is how many frames are in memory at once.
const batchFrames = 64

// eachBatch reads the files of a directory one after the other into frames.
func eachBatch(source string, fn func([]*encoded) error) error {
	batch := make([]*encoded, batchFrames)
	for i := range batch {
		batch[i] = &encoded{raw: make([]byte, codec.FrameSize), stored: make([]byte, 0, codec.MaxStored)}
	}
	reader := &treeReader{}
	if err := reader.list(source); err != nil {
		return err
	}
	for {
		filled := 0
		for ; filled < len(batch); filled++ {
			f := batch[filled]
			got, err := io.ReadFull(reader, f.raw[:codec.FrameSize])
			if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
				return err
			}
			if got == 0 {
				break
			}
			f.raw = f.raw[:got]
		}
		if filled == 0 {
			return nil
		}
		if err := fn(batch[:filled]); err != nil {
			return err
		}
	}
}

// treeReader reads all files of a tree as if they were one.
type treeReader struct {
	paths []string
	file  *os.File
}

func (t *treeReader) list(source string) error {
	return filepath.WalkDir(source, func(path string, d os.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			t.paths = append(t.paths, path)
		}
		return err
	})
}

func (t *treeReader) Read(p []byte) (int, error) {
	for {
		if t.file == nil {
			if len(t.paths) == 0 {
				return 0, io.EOF
			}
			f, err := os.Open(t.paths[0])
			if err != nil {
				return 0, err
			}
			t.file, t.paths = f, t.paths[1:]
		}
		n, err := t.file.Read(p)
		if n > 0 || err != nil && !errors.Is(err, io.EOF) {
			return n, err
		}
		if err := t.file.Close(); err != nil {
			return 0, err
		}
		t.file = nil
	}
}
