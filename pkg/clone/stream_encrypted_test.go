package clone_test

import (
	"bytes"
	"errors"
	"os"
	"strconv"
	"strings"
	"testing"

	"runner/pkg/clone"
	"runner/pkg/mysqld/mysqldtest"
)

// encrypt encrypts tables of every kind, the data dictionary, redo and undo.
func encrypt(t *testing.T, my *mysqldtest.Server) {
	t.Helper()
	my.Exec(
		t,
		"ALTER TABLE shop.plain ENCRYPTION = 'Y'", "ALTER TABLE shop.packed ENCRYPTION = 'Y'", "ALTER TABLE shop.parts ENCRYPTION = 'Y'",
		"ALTER TABLESPACE general ENCRYPTION = 'Y'", "ALTER TABLESPACE mysql ENCRYPTION = 'Y'",
		"SET GLOBAL innodb_redo_log_encrypt = ON", "SET GLOBAL innodb_undo_log_encrypt = ON",
		"CREATE TABLE shop.secret (id INT PRIMARY KEY, s VARCHAR(100)) ENCRYPTION = 'Y'", "INSERT INTO shop.secret VALUES (1, 'the words of a secret')",
	)
}

func TestAStreamOfEncryptedTablesBootsWithTheKeyringInIt(t *testing.T) {
	t.Parallel()
	my := mysqldtest.Start(t, mysqldtest.WithKeyring())
	fill(t, my)
	encrypt(t, my)
	for _, threads := range []int{4} {
		sink := newFolder(t)
		result, err := connect(t, my).CloneStream(t.Context(), clone.StreamOptions{Threads: threads, RequireTLS: true, CheckPages: true}, sink, hooks(t))
		if err != nil {
			t.Fatal(err)
		}
		if !result.Stream.TLS || !result.Stream.Encrypted || len(result.Stream.BadPages) > 0 {
			t.Errorf("%+v", result.Stream)
		}
		content, err := os.ReadFile(sink.path("shop/secret.ibd"))
		if err != nil || bytes.Contains(content, []byte("the words of a secret")) {
			t.Errorf("the table is in clear (%v)", err)
		}
		copied := sink.boot(t, mysqldtest.WithKeyring())
		if want, got := checksums(t, my), checksums(t, copied); want != got {
			t.Errorf("%d connections: want %s, got %s", threads, want, got)
		}
		mysqldtest.CheckTables(t, copied)
		copied.Exec(t, "ALTER INSTANCE ROTATE INNODB MASTER KEY", "CREATE TABLE shop.new (id INT PRIMARY KEY) ENCRYPTION = 'Y'")
	}
}

func TestEncryptedTablesAreNotStreamedInClear(t *testing.T) {
	my := mysqldtest.Start(t, mysqldtest.WithKeyring())
	my.Exec(t, "CREATE DATABASE shop", "CREATE TABLE shop.secret (id INT PRIMARY KEY) ENCRYPTION = 'Y'")
	_, err := connect(t, my).CloneStream(t.Context(), clone.StreamOptions{}, newFolder(t), hooks(t))
	if !clone.IsNumber(err, 3872) || clone.ClassOf(err) != clone.UserMustFix {
		t.Errorf("error is %v", err)
	}
}

func TestWhatWasEncryptedSinceTheCheckEndsAStreamThatMayNotHoldKeys(t *testing.T) {
	my := mysqldtest.Start(t, mysqldtest.WithKeyring(), mysqldtest.WithTCP())
	my.Exec(t, "CREATE DATABASE shop", "CREATE TABLE shop.secret (id INT PRIMARY KEY) ENCRYPTION = 'Y'")
	server, _ := through(t, my, clone.TLSRequired)
	sink := newFolder(t)
	_, err := server.CloneStream(t.Context(), clone.StreamOptions{RefuseEncrypted: true}, sink, hooks(t))
	var e *clone.Error
	if !errors.As(err, &e) || e.Class != clone.UserMustFix || !strings.Contains(e.Hint(), "encrypt {") {
		t.Errorf("error is %v", err)
	}
	if _, err := os.Stat(sink.path(clone.KeyringStore)); !os.IsNotExist(err) {
		t.Errorf("there is a keyring (%v)", err)
	}
}

func TestAStreamOfEncryptedTablesUnderWritesAndDDLIsOfOneInstant(t *testing.T) {
	t.Parallel()
	my := mysqldtest.Start(t, mysqldtest.WithKeyring(), mysqldtest.WithArgs("--default-table-encryption=ON", "--innodb-redo-log-encrypt=ON", "--innodb-undo-log-encrypt=ON"))
	mysqldtest.StartLoad(t, my, 40, 7)
	for round := range rounds(t) {
		t.Run(strconv.Itoa(round), func(t *testing.T) {
			sink := newFolder(t)
			_, err := connect(t, my).CloneStream(t.Context(), clone.StreamOptions{Threads: 3, NetworkBandwidth: 16 << 20, RequireTLS: true, CheckPages: true}, sink, hooks(t))
			if err != nil {
				t.Fatal(err)
			}
			mysqldtest.CheckLoad(t, sink.boot(t, mysqldtest.WithKeyring()))
		})
	}
}
