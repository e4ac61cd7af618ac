package innodb

import (
	"bytes"
	"crypto/aes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
)

// The information on page 0 of an encrypted tablespace, and in the header of an encrypted redo log, about the key that its pages are
// encrypted with: os0enc.h, version 3 of the block.
const (
	keyMagic     = "lCC"
	keyMasterID  = 3  // 4: number of the master key that the key is sealed with; 0: it is in clear
	keyUUID      = 7  // 36: name of the master key, as text
	keyKeys      = 43 // 64: key and initialisation vector
	keyChecksum  = 107
	keyBlockSize = 111
	keySize      = 32 // bytes of a key, and of a vector

	redoKeyBlock = 1024 + 48 // in the first redo file

	fspArrays   = fspHeader + 112 // descriptors of extents begin
	xdesFixed   = 24              // bytes of a descriptor, without two bits for each page
	bitsPerPage = 2
)

// ErrNoKey says that a page or a header has no information about a key.
var ErrNoKey = errors.New("no information about an encryption key")

// ErrBadKey says that the checksum of a key in clear does not hold: nothing that is encrypted with it could be read.
var ErrBadKey = errors.New("the checksum of an encryption key does not hold")

// MasterKey is a key that the keys of tablespaces are sealed with.
type MasterKey struct {
	UUID string // 36 characters
	ID   uint32 // from 1
	Key  [32]byte
}

// Name is what the key is called in a keyring ("InnoDB Data-at-Rest Encryption" of MySQL's manual).
func (k MasterKey) Name() string { return fmt.Sprintf("INNODBKey-%s-%d", k.UUID, k.ID) }

// SealFirstPage seals the key that page 0 of a tablespace has in clear, and gives the page its checksum. One that is
// sealed already, or has none, is ErrNoKey; a damaged one is ErrBadKey.
func (s Space) SealFirstPage(page []byte, k MasterKey) error {
	b, err := s.keyBlock(page)
	if err != nil {
		return err
	}
	if err := k.seal(b); err != nil {
		return err
	}
	s.Stamp(page[:s.PageSize])
	return nil
}

// keyBlock is the block on page 0: it lies behind the descriptors of all extents that the page describes, each of which
// takes two bits a page.
func (s Space) keyBlock(page []byte) ([]byte, error) {
	if s.PageSize == 0 || s.Logical == 0 || len(page) < s.PageSize {
		return nil, ErrNoKey
	}
	extent := max(extentSize/s.Logical, minExtentPages)
	at := fspArrays + (xdesFixed+bitsPerPage*extent/8)*(s.PageSize/extent)
	if at+keyBlockSize > s.PageSize {
		return nil, ErrNoKey
	}
	return page[at:][:keyBlockSize], nil
}

// PutKey writes a sealed key on page 0 of a tablespace, and gives the page its checksum. A key or a vector that has not 32
// bytes, and a page that is too short, is ErrNoKey.
func (s Space) PutKey(page, key, iv []byte, k MasterKey) error {
	b, err := s.keyBlock(page)
	if err != nil {
		return err
	}
	if len(key) != keySize || len(iv) != keySize {
		return ErrNoKey
	}
	clear(b)
	copy(b, keyMagic)
	copy(b[keyKeys:], key)
	copy(b[keyKeys+keySize:], iv)
	binary.BigEndian.PutUint32(b[keyChecksum:], crc32.Checksum(b[keyKeys:keyChecksum], castagnoli))
	if err := k.seal(b); err != nil {
		return err
	}
	s.Stamp(page[:s.PageSize])
	return nil
}

// SealRedo seals the key that the header of the first redo file has in clear. One that is sealed already, or has none, is
// ErrNoKey; a damaged one is ErrBadKey.
func SealRedo(header []byte, k MasterKey) error {
	if len(header) < redoKeyBlock+keyBlockSize {
		return ErrNoKey
	}
	return k.seal(header[redoKeyBlock:][:keyBlockSize])
}

// seal encrypts key and vector with AES-256, block by block, as the server does.
func (k MasterKey) seal(b []byte) error {
	if !bytes.HasPrefix(b, []byte(keyMagic)) || binary.BigEndian.Uint32(b[keyMasterID:]) != 0 {
		return ErrNoKey
	}
	if crc32.Checksum(b[keyKeys:keyChecksum], castagnoli) != binary.BigEndian.Uint32(b[keyChecksum:]) {
		return ErrBadKey
	}
	block, err := aes.NewCipher(k.Key[:])
	if err != nil {
		return err
	}
	for at := keyKeys; at < keyChecksum; at += aes.BlockSize {
		block.Encrypt(b[at:], b[at:])
	}
	binary.BigEndian.PutUint32(b[keyMasterID:], k.ID)
	copy(b[keyUUID:keyKeys], k.UUID)
	return nil
}
