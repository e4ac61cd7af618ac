package recipient

import (
	"bytes"
	"crypto/aes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"runner/pkg/clone/internal/donor"
	"runner/pkg/clone/internal/wire"
	"runner/pkg/innodb"
)

// keyBlock4K is where a page 0 of 4 KiB has its key: 38 + 112 + (24 + 2*256/8) * 4096/256 (CLONE-PROTOCOL, section 8.1).
const keyBlock4K = 1558

// keyBlockRedo is where the header of the redo log has it.
const keyBlockRedo = 1072

// keyAndVector are those of all encrypted files here.
func keyAndVector() (key, iv []byte) {
	k, v := sha256.Sum256([]byte("key")), sha256.Sum256([]byte("vector"))
	return k[:], v[:]
}

// clearBlock is what a donor sends: 111 bytes with a key in clear.
func clearBlock() []byte {
	key, iv := keyAndVector()
	b := append([]byte("lCC"), make([]byte, 4+36)...)
	b = append(append(b, key...), iv...)
	return binary.BigEndian.AppendUint32(b, castagnoli(b[43:107]))
}

// clearKey puts a key in clear on a page 0 of 4 KiB.
func clearKey(p []byte) []byte {
	copy(p[keyBlock4K:], clearBlock())
	innodb.Space{PageSize: page, Logical: page}.Stamp(p)
	return p
}

// keyring reads the master key of the copy.
func keyring(t testing.TB, m *memory) (id string, key []byte) {
	t.Helper()
	var ring struct {
		Version  string
		Elements []struct {
			User      *string
			ID        string `json:"data_id"`
			Type      string `json:"data_type"`
			Data      string
			Extension *[]string
		}
	}
	if err := json.Unmarshal(m.files[KeyringStore], &ring); err != nil {
		t.Fatalf("keyring: %v", err)
	}
	if ring.Version != "1.0" || len(ring.Elements) != 1 || ring.Elements[0].Type != "AES" || ring.Elements[0].User == nil || ring.Elements[0].Extension == nil {
		t.Fatalf("keyring: %s", m.files[KeyringStore])
	}
	key, err := hex.DecodeString(ring.Elements[0].Data)
	if err != nil || len(key) != 32 {
		t.Fatalf("master key of %d bytes: %v", len(key), err)
	}
	return ring.Elements[0].ID, key
}

// sealedIn wants the key of a file to be sealed with the master key in the copy's keyring.
func sealedIn(t testing.TB, m *memory, p string, at int) {
	t.Helper()
	id, master := keyring(t, m)
	if !regexp.MustCompile(`^INNODBKey-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}-1$`).MatchString(id) {
		t.Errorf("the master key is called %s", id)
	}
	b := bytes.Clone(m.files[p][at : at+111])
	if name := fmt.Sprintf("INNODBKey-%s-%d", b[7:43], binary.BigEndian.Uint32(b[3:])); name != id {
		t.Errorf("%s is sealed with %s", p, name)
	}
	block, err := aes.NewCipher(master)
	if err != nil {
		t.Fatal(err)
	}
	for i := 43; i < 107; i += aes.BlockSize {
		block.Decrypt(b[i:], b[i:])
	}
	if !bytes.Equal(b[43:], clearBlock()[43:]) {
		t.Errorf("the key of %s is not that which came", p)
	}
}

// encrypted is a session with a tablespace, one that DDL makes, and a redo log, all of them encrypted.
func encrypted() *donor.Session {
	key, iv := keyAndVector()
	s := &donor.Session{PageSize: page, BlockPages: 2, ChunkPages: 4, Files: abc()}
	s.Files[1].Flags |= wire.FlagAES
	copy(s.Files[1].Content[keyBlock4K:], "lCC\x00\x00\x00\x07") // sealed by the donor: of no use to anybody
	s.Files[1].Pages = map[uint32][]byte{0: clearKey(bytes.Clone(s.Files[1].Content[:page]))}
	made, other := fresh(9, "./d/new.ibd", 3, fsp4K|1<<13), fresh(10, "./d/later.ibd", 4, fsp4K|1<<13)
	made.Flags, made.Key, made.IV = wire.FlagAES, key, iv
	other.Flags, other.Key, other.IV = wire.FlagAES, key, iv
	s.PageChanges, s.RedoChanges = []donor.File{made}, []donor.File{other}
	header := make([]byte, 2048)
	copy(header[keyBlockRedo:], clearBlock())
	s.RedoExtents = []donor.Extent{{Offset: 2048, Bytes: []byte("redo")}, {Offset: 0, Bytes: header}}
	return s
}

func TestNoKeyReachesTheCopyInClear(t *testing.T) {
	for name, faults := range map[string][]*donor.Fault{
		"":       nil,
		"resume": {{Lane: donor.Main, Response: -1, When: donor.DataOf(wire.StatePageCopy), Do: donor.CutAll}},
	} {
		t.Run(name, func(t *testing.T) {
			s := encrypted()
			s.Workers = 1
			tr := &trial{play: s.Play(), donor: donor.Options{Faults: faults}, o: Options{Threads: 2, CheckPages: true}}
			if name != "" {
				s.Workers, tr.o.Threads = 0, 1
			}
			r := tr.pull(t)
			if !r.Encrypted || r.Resumed != len(faults) {
				t.Errorf("result is %+v", r)
			}
			sealedIn(t, tr.sink, "d/b.ibd", keyBlock4K)
			sealedIn(t, tr.sink, "d/new.ibd", keyBlock4K)
			sealedIn(t, tr.sink, "d/later.ibd", keyBlock4K)
			sealedIn(t, tr.sink, "#innodb_redo/#ib_redo0", keyBlockRedo)
			key, _ := keyAndVector()
			for p, b := range tr.sink.files {
				if bytes.Contains(b, key[:16]) {
					t.Errorf("%s has the key in clear", p)
				}
			}
			for _, p := range []string{"d/b.ibd", "d/new.ibd", "d/later.ibd"} {
				id := map[string]uint32{"d/b.ibd": 2, "d/new.ibd": 9, "d/later.ibd": 10}[p]
				if c := (innodb.Space{ID: id, PageSize: page, Logical: page}).Check(0, tr.sink.files[p][:page]); c.State != innodb.OK {
					t.Errorf("page 0 of %s: %+v", p, c)
				}
			}
		})
	}
}

func TestACopyWithoutEncryptionHasNoKeyring(t *testing.T) {
	s := small()
	s.Files[2].Pages[0] = clearKey(bytes.Clone(s.Files[2].Content[:page])) // a page that looks so, of a file that is not said to be
	tr := &trial{play: s.Play()}
	r := tr.pull(t)
	if _, there := tr.sink.files[KeyringStore]; there || r.Encrypted {
		t.Errorf("there is a keyring: %v, encrypted: %v", there, r.Encrypted)
	}
}

// Nobody could read what is encrypted with it, and nothing but the key's own checksum tells.
func TestAKeyThatCameDamagedEndsTheCopy(t *testing.T) {
	for name, damage := range map[string]func(s *donor.Session){
		"d/b.ibd": func(s *donor.Session) {
			p := s.Files[1].Pages[0]
			p[keyBlock4K+50] ^= 1
			innodb.Space{PageSize: page, Logical: page}.Stamp(p)
		},
		"#innodb_redo/#ib_redo0": func(s *donor.Session) { s.RedoExtents[1].Bytes[keyBlockRedo+50] ^= 1 },
	} {
		s := encrypted()
		damage(s)
		tr := &trial{play: s.Play()}
		_, err := tr.run(t)
		if !errors.Is(err, innodb.ErrBadKey) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// An archive that is not encrypted must not hold a key, whoever has encrypted something since it was looked.
func TestACopyThatMayNotHoldKeysIsGivenUp(t *testing.T) {
	key, iv := keyAndVector()
	for name, change := range map[string]func(s *donor.Session){
		"a file":            func(s *donor.Session) { s.PageChanges, s.RedoChanges, s.RedoExtents = nil, nil, nil },
		"a file made since": func(s *donor.Session) { *s = *small(); s.PageChanges = encrypted().PageChanges },
		"one encrypted since": func(s *donor.Session) {
			s.Files[1].Flags, s.Files[1].Pages = 0, nil
			f := ddl(s.Files[1], 1, wire.FlagAES)
			f.Key, f.IV = key, iv
			s.PageChanges, s.RedoChanges, s.RedoExtents = []donor.File{f}, nil, nil
		},
		"the redo log": func(s *donor.Session) {
			s.Files[1].Flags, s.Files[1].Pages, s.PageChanges, s.RedoChanges = 0, nil, nil, nil
		},
	} {
		s := encrypted()
		change(s)
		tr := &trial{play: s.Play(), o: Options{RefuseEncrypted: true}}
		if _, err := tr.run(t); !errors.Is(err, ErrEncrypted) {
			t.Errorf("%s: %v", name, err)
		}
		for p, b := range tr.sink.files {
			if bytes.Contains(b, key[:16]) || p == KeyringStore {
				t.Errorf("%s: %s is of a key", name, p)
			}
		}
	}
	tr := &trial{play: small().Play(), o: Options{RefuseEncrypted: true}}
	tr.pull(t)
	same(t, tr.sink, outcome(small()))
}

func TestEachCopyHasItsOwnMasterKey(t *testing.T) {
	seen := map[string]bool{}
	for range 3 {
		tr := &trial{play: encrypted().Play()}
		tr.pull(t)
		id, key := keyring(t, tr.sink)
		seen[id], seen[string(key)] = true, true
	}
	if len(seen) != 6 {
		t.Errorf("%d different ones", len(seen))
	}
}
