package manifest_test

import (
	"context"
	"io"

	"runner/pkg/archive/manifest"
	"runner/pkg/archive/store"
	"runner/pkg/archive/store/storetest"
)

// huge is a store whose files say that they are larger than any manifest.
type huge struct{ *storetest.Memory }

func (huge) Open(context.Context, string) (store.Reader, error) { return hugeFile{}, nil }

type hugeFile struct{}

func (hugeFile) ReadAt([]byte, int64) (int, error) { return 0, io.ErrUnexpectedEOF }
func (hugeFile) Close() error                      { return nil }
func (hugeFile) Size() int64                       { return manifest.MaxBytes + 1 }
