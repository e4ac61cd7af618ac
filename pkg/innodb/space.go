package innodb

import (
	"errors"
	"fmt"
)

// ErrNoSpace says that what was read is not the first page of a tablespace.
var ErrNoSpace = errors.New("not the first page of a tablespace")

// Space is what page 0 says about a tablespace.
type Space struct {
	ID         uint32
	AnyID      bool // ID is not known, so that pages may bear any
	Flags      uint32
	Pages      uint32 // in the whole tablespace, as its header says
	First      uint32 // number of the first page in the file; more than 0 in later files of a system tablespace
	PageSize   int    // bytes on disk
	Logical    int    // bytes in memory; more than PageSize only for row format COMPRESSED
	Compressed bool   // row format COMPRESSED
	Encrypted  bool
}

// Shared reports whether the flags of a tablespace allow it to hold several tables: a general tablespace.
func Shared(flags uint32) bool { return flags&flagShared != 0 }

// PageSize gives the sizes of a page on disk and in memory that the flags of a tablespace
// stand for. Flags that stand for none give an error that is [ErrNoSpace].
func PageSize(flags uint32) (physical, logical int, err error) {
	if flags&^uint32(flagsKnown) != 0 {
		return 0, 0, fmt.Errorf("flags %#x: %w", flags, ErrNoSpace)
	}
	logical = DefaultPageSize
	if n := flags >> flagsPageShift & flagsPageMask; n != 0 {
		logical = 1 << (smallestSizeShift + n)
	}
	physical = logical
	if n := flags >> flagsZipShift & flagsZipMask; n != 0 {
		physical = 1 << (smallestSizeShift + n)
		// Compressed pages need both flags, and are no larger than pages in memory.
		if flags&flagAntelope == 0 || flags&flagAtomicBlobs == 0 || physical > MaxZipSize || physical > logical {
			return 0, 0, fmt.Errorf("flags %#x: %w", flags, ErrNoSpace)
		}
	}
	if logical < MinPageSize || logical > MaxPageSize || physical < MinZipSize {
		return 0, 0, fmt.Errorf("flags %#x: %w", flags, ErrNoSpace)
	}
	return physical, logical, nil
}

// ReadSpace reads the header of a tablespace from the beginning of its first page, of which it
// needs [HeaderSize] bytes. The page may be that of a file just created. Anything else than page 0 of a tablespace
// gives an error that is [ErrNoSpace]; the second and later files of a system tablespace are such.
func ReadSpace(page0 []byte) (Space, error) {
	if len(page0) < HeaderSize {
		return Space{}, fmt.Errorf("%d bytes: %w", len(page0), ErrNoSpace)
	}
	id, inPage := be32(page0[fspSpaceID:]), be32(page0[filSpaceID:])
	if number := be32(page0[filNumber:]); number != 0 || id != inPage {
		return Space{}, fmt.Errorf("page %d of space %d or %d: %w", number, id, inPage, ErrNoSpace)
	}
	if t := be16(page0[filType:]); t != TypeFSPHeader && !justCreated(page0) {
		return Space{}, fmt.Errorf("page type %d: %w", t, ErrNoSpace)
	}
	s, err := SpaceOf(id, be32(page0[fspFlags:]))
	s.Pages = be32(page0[fspSize:])
	return s, err
}

// SpaceOf is the tablespace that has an id and flags. Whether its rows are compressed is said by the flags and not by the
// sizes: with KEY_BLOCK_SIZE equal to the page size those are the same. Flags that stand for none give an error that is
// [ErrNoSpace].
func SpaceOf(id, flags uint32) (Space, error) {
	physical, logical, err := PageSize(flags)
	if err != nil {
		return Space{}, err
	}
	return Space{
		ID:         id,
		Flags:      flags,
		PageSize:   physical,
		Logical:    logical,
		Compressed: flags>>flagsZipShift&flagsZipMask != 0,
		Encrypted:  flags&flagEncrypted != 0,
	}, nil
}

// justCreated reports whether page 0 is as the server writes it when it creates a file: without a page type and
// without an LSN, both of which come with the first flush of the header.
func justCreated(page0 []byte) bool {
	return be16(page0[filType:]) == 0 && be64(page0[filLSN:]) == 0 && be32(page0[filSpaceID:]) != 0
}

// guessPages is how many pages from the start of a file are looked at for each page size, so
// that a damaged first page does not hide what the others say.
const guessPages = 4

// GuessSpace finds the page size of a file by the checksums of its first pages: for the later
// files of a system tablespace, which have no header, and where the header is damaged. start is
// the beginning of the file. Where no size fits the error is [ErrNoSpace].
func GuessSpace(start []byte) (Space, error) {
	for size := MinPageSize; size <= MaxPageSize && size <= len(start); size *= 2 {
		for n := 0; n < guessPages && (n+1)*size <= len(start); n++ {
			page := start[n*size:][:size]
			number := be32(page[filNumber:])
			s := Space{ID: be32(page[filSpaceID:]), PageSize: size, Logical: size, First: number - uint32(n)}
			r := s.Check(uint32(n), page)
			if r.State == OK && r.Algorithm != NoChecksum && number >= uint32(n) {
				return s, nil
			}
		}
	}
	return Space{}, ErrNoSpace
}
