package recipient

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"

	"runner/pkg/clone/internal/wire"
	"runner/pkg/innodb"
)

// The files of a keyring in a data directory: which component a server loads, where that finds its keys, and the keys
// ("Using the component_keyring_file File-Based Keyring Component" of MySQL's manual).
const (
	ManifestFile = "mysqld.my"
	KeyringFile  = "component_keyring_file.cnf"
	// KeyringStore is the file in the copy that holds the master key of its encrypted tablespaces.
	KeyringStore = "runner-keyring"
)

// seal is what the keys of tablespaces, which a donor sends in clear, are sealed with: a master key made for this copy.
type seal struct {
	master innodb.MasterKey
	used   bool
	refuse bool // no key may be in the copy
}

func newSeal() (*seal, error) {
	var s seal
	var uuid [16]byte
	for _, b := range [][]byte{s.master.Key[:], uuid[:]} {
		if _, err := rand.Read(b); err != nil {
			return nil, fmt.Errorf("make a master key: %w", err)
		}
	}
	h := hex.EncodeToString(uuid[:])
	s.master.UUID = h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
	s.master.ID = 1
	return &s, nil
}

// data seals a key in what is about to be written: page 0 of an encrypted tablespace as it comes after the files were
// copied, or the header of the redo log. What came before has the key sealed with the donor's own master key.
func (s *seal) data(f *file, d *wire.Data, data []byte) error {
	if d.Offset != 0 {
		return nil
	}
	var err error
	switch {
	case d.State == wire.StateRedoCopy && d.File == 0:
		err = innodb.SealRedo(data, s.master)
	case d.State == wire.StatePageCopy && f.flags&wire.FlagAES != 0 && f.space.PageSize > 0:
		err = f.space.SealFirstPage(data, s.master)
	default:
		return nil
	}
	if errors.Is(err, innodb.ErrNoKey) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("seal the key of %s: %w", f.path, err)
	}
	if s.refuse {
		return fmt.Errorf("%s: %w", f.path, ErrEncrypted)
	}
	s.used = true
	return nil
}

// firstPage puts the key of a tablespace that DDL has made on its first page.
func (s *seal) firstPage(space innodb.Space, d *wire.File, page []byte) error {
	if d.Key == nil || page == nil {
		return nil
	}
	s.used = true
	return space.PutKey(page, d.Key, d.IV, s.master)
}

// keyring is the content of KeyringStore.
func (s *seal) keyring() ([]byte, error) {
	type element struct {
		User      string   `json:"user"`
		ID        string   `json:"data_id"`
		Type      string   `json:"data_type"`
		Data      string   `json:"data"`
		Extension []string `json:"extension"`
	}
	return json.Marshal(struct {
		Version  string    `json:"version"`
		Elements []element `json:"elements"`
	}{"1.0", []element{{ID: s.master.Name(), Type: "AES", Data: fmt.Sprintf("%X", s.master.Key[:]), Extension: []string{}}}})
}
