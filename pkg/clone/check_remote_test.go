package clone

import (
	"context"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// healthyPair is two servers that every check of a remote clone is content with; the test spoils one thing of them.
func healthyPair(t *testing.T) pair {
	t.Helper()
	donor, recipient := healthy(t), healthy(t)
	both := map[string]string{
		"version_compile_os": "Linux", "version_compile_machine": "x86_64", "character_set_server": "utf8mb4", "character_set_filesystem": "binary",
		"collation_server": "utf8mb4_0900_ai_ci", "innodb_page_size": "16384", "max_allowed_packet": "67108864",
		"clone_donor_timeout_after_network_failure": "5",
	}
	maps.Copy(donor.facts.Variables, both)
	maps.Copy(recipient.facts.Variables, both)
	donor.facts.Source.ServerUUID, donor.facts.Source.Port, donor.facts.TLSCipher = "11c786c9-e663-11f1-b00c-02fc00000001", 3306, "TLS_AES_128_GCM_SHA256"
	recipient.facts.Variables[varDonorList], recipient.facts.Variables[varNetworkBandwidth] = "other:3306,DB1:3306", "0"
	donor.facts.Collations, recipient.facts.Collations = []string{"binary", "utf8mb4_bin"}, []string{"binary", "latin1_bin", "utf8mb4_bin"}
	return pair{donor: donor, recipient: recipient, target: recipient.target, config: Config{Host: "db1", Port: 3306, User: "backup", Password: "p", TLSMode: TLSRequired}}
}

// check runs one check of the pair.
func (p pair) check(t *testing.T, code string) Finding {
	t.Helper()
	p.donor.target, p.recipient.target = p.target, p.target
	spaces := EstimateSpace(p.donor.facts, p.target)
	p.donor.spaces, p.recipient.spaces = spaces, spaces
	for _, f := range runRemoteChecks(t.Context(), p) {
		if f.Code == code {
			return f
		}
	}
	t.Fatalf("no finding %s", code)
	return Finding{}
}

func TestTwoHealthyServersHaveNothingWrong(t *testing.T) {
	p := healthyPair(t)
	for _, c := range remoteChecks() {
		if f := p.check(t, c.code); f.Severity != SeverityOK || f.Hint != "" || f.Summary == "" || f.Detail == "" {
			t.Errorf("got %+v", f)
		}
	}
}

func TestFindingsOfARemoteCloneAreAlwaysTheSameInTheSameOrder(t *testing.T) {
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	var want []string
	for i, c := range remoteChecks() {
		want = append(want, c.code)
		if i > 0 && c.code <= remoteChecks()[i-1].code {
			t.Errorf("%s is out of order", c.code)
		}
	}
	nothing := func() subject {
		s := subject{facts: &Facts{Unknown: map[string]string{}}}
		s.spaces = EstimateSpace(s.facts, s.target)
		return s
	}
	for name, findings := range map[string][]Finding{
		"nothing known": runRemoteChecks(t.Context(), pair{donor: nothing(), recipient: nothing()}),
		"cancelled":     runRemoteChecks(cancelled, healthyPair(t)),
	} {
		var got []string
		for _, f := range findings {
			got = append(got, f.Code)
			if name == "cancelled" && f.Severity != SeverityUnknown {
				t.Errorf("cancelled, and yet %+v", f)
			}
			if f.Severity == SeverityError && f.Hint == "" && f.Code != CodeVersion && f.Code != CodeVersions {
				t.Errorf("no hint: %+v", f)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: got %v, want %v", name, got, want)
		}
	}
}

// Each check that looks at one server looks at the right one.
func TestAFindingOfARemoteCloneIsAboutTheServerThatItNames(t *testing.T) {
	onDonor := []string{
		CodeVersion, CodePerformanceSchema, CodePlugin, CodeBackupAdmin, CodeReadStatus, CodeProcess, CodeBusy, CodeRedoLogging, CodeLostTables, CodeLogTables, CodeBinaryLog, CodeReadOnly,
		CodeSystemFiles, CodeReading, CodeMissingTables, CodeSystemExtents,
		CodeServerConnections, CodeAccountConnections, CodeHourlyLimits, // of both, where they are alike
	}
	onRecipient := []string{
		CodeSetVariables, CodeSameHost, CodeStagingPath, CodeStagingParent, CodeStagingAbsent, CodeStagingReadable, CodeStagingWritable, CodeView, CodeSettings, CodeDDL,
		CodeRecipientSchema, CodeRecipientPlugin, CodeRecipientPrivilege, CodeRecipientReadStatus, CodeRecipientBusy,
	}
	p := healthyPair(t)
	for _, c := range remoteChecks() {
		f := p.check(t, c.code)
		if got, want := strings.HasPrefix(f.Summary, "donor: "), slices.Contains(onDonor, c.code); got != want {
			t.Errorf("%s of the donor: %v, want %v: %q", c.code, got, want, f.Summary)
		}
		if got, want := strings.HasPrefix(f.Summary, "recipient: "), slices.Contains(onRecipient, c.code); got != want {
			t.Errorf("%s of the recipient: %v, want %v: %q", c.code, got, want, f.Summary)
		}
	}
}

// spoiling is one thing that is wrong with a pair, and what is found then.
type spoiling struct {
	name  string
	code  string
	spoil func(*pair)
	want  Severity
	says  string // part of the detail or of the hint
}

func try(t *testing.T, all []spoiling) {
	t.Helper()
	for _, c := range all {
		p := healthyPair(t)
		c.spoil(&p)
		f := p.check(t, c.code)
		if f.Severity != c.want || !strings.Contains(f.Detail+" "+f.Hint, c.says) {
			t.Errorf("%s: got %+v, want %s with %q", c.name, f, c.want, c.says)
		}
	}
}

func variable(of func(*pair) *Facts, name, value string) func(*pair) {
	return func(p *pair) {
		if value == "" {
			delete(of(p).Variables, name)
			return
		}
		of(p).Variables[name] = value
	}
}

func ofDonor(p *pair) *Facts     { return p.donor.facts }
func ofRecipient(p *pair) *Facts { return p.recipient.facts }

func TestTheDonorsAddressIsOneThatARecipientCanBeTold(t *testing.T) {
	try(t, []spoiling{
		{"socket", CodeDonorAddress, func(p *pair) { p.config.Socket = "/run/s" }, SeverityError, "/run/s"},
		{"IPv6", CodeDonorAddress, func(p *pair) { p.config.Host = "FE80::1" }, SeverityError, "IPv6 address"},
		{"zone", CodeDonorAddress, func(p *pair) { p.config.Host = "fe80::1%eth0" }, SeverityError, "IPv6 address"},
		{"two names", CodeDonorAddress, func(p *pair) { p.config.Host = "a,b" }, SeverityError, `"a,b"`},
		{"quote", CodeDonorAddress, func(p *pair) { p.config.Host = "a'b" }, SeverityError, `"a'b"`},
		{"IPv4", CodeDonorAddress, func(p *pair) { p.config.Host = "10.0.0.1" }, SeverityOK, "10.0.0.1:3306"},
		{"underscore", CodeDonorAddress, func(p *pair) { p.config.Host = "My_Host" }, SeverityOK, "my_host:3306"},
		{"proxy", CodeDonorAddress, func(p *pair) { p.config.Port = 6446 }, SeverityWarning, "Router"},
		{"loopback here", CodeDonorAddress, func(p *pair) { p.config.Host = "127.0.0.1" }, SeverityOK, "127.0.0.1"},
		{"loopback elsewhere", CodeDonorAddress, func(p *pair) {
			p.config.Host, p.recipient.facts.Source.DataDir, p.target.MountedAt = "localhost", "/nowhere", "/mnt"
		}, SeverityWarning, "its own host"},
		{"itself", CodeTwoServers, func(p *pair) { p.donor.facts.Source.ServerUUID = p.recipient.facts.Source.ServerUUID }, SeverityError, "mode to \"local\""},
		{"nameless", CodeTwoServers, func(p *pair) { p.donor.facts.Source.ServerUUID = "" }, SeverityUnknown, "server_uuid"},
	})
}

func TestARecipientTakesTheVersionsOfItsRule(t *testing.T) {
	for _, c := range []struct {
		donor, recipient string
		want             answer
	}{
		{"8.0.17", "8.0.17", yes},
		{"8.0.36", "8.0.36", yes},
		{"8.0.36", "8.0.35", no},
		{"8.0.36", "8.0.37", no},
		{"8.0.37", "8.0.36", no},
		{"8.0.37", "8.0.42", yes},
		{"8.0.42", "8.0.37", yes},
		{"8.0.36", "8.0.36-debug", perhaps},
		{"8.0.40", "8.0.41-debug", yes},
		{"8.1.0", "8.1.1", yes},
		{"8.4.3", "8.4.0", yes},
		{"8.4.3", "9.7.0", no},
		{"8.0.42", "8.4.0", no},
		{"9.0.1", "9.1.0", no},
		{"9.7.4", "9.7.0", yes},
		{"9.7.4", "28.4.0", yes},
		{"9.7.4", "26.7.0", no},
		{"28.4.0", "9.7.4", no},
		{"9.6.0", "9.7.0", no},
		{"26.7.0", "26.7.1", yes},
	} {
		donor, err := ParseVersion(c.donor, "MySQL Community Server - GPL")
		if err != nil {
			t.Fatal(err)
		}
		recipient, err := ParseVersion(c.recipient, "MySQL Community Server - GPL")
		if err != nil {
			t.Fatal(err)
		}
		if got, rule := recipient.takes(donor); got != c.want || rule == "" {
			t.Errorf("%s from %s: got %v (%s), want %v", c.recipient, c.donor, got, rule, c.want)
		}
	}
	set := func(of func(*pair) *Facts, version, comment string) func(*pair) {
		return func(p *pair) {
			v, err := ParseVersion(version, comment)
			if err != nil {
				t.Fatal(err)
			}
			of(p).Version, of(p).Flavour, of(p).Source.Version, of(p).Source.VersionComment = v, v.Flavour, version, comment
		}
	}
	try(t, []spoiling{
		{"older", CodeVersions, set(ofDonor, "8.4.3", "MySQL"), SeverityError, "different series, 8.4 and 9.7"},
		{"Percona", CodeVersions, set(ofDonor, "9.7.4-4", "Percona Server (GPL)"), SeverityWarning, "Percona Server"},
		{"MariaDB recipient", CodeVersions, set(ofRecipient, "10.11.6-MariaDB", "mariadb.org"), SeverityError, "MariaDB"},
	})
}

func TestDonorAndRecipientAgree(t *testing.T) {
	try(t, []spoiling{
		{"processor", CodePlatform, variable(ofRecipient, "version_compile_machine", "aarch64"), SeverityError, "x86_64 on the donor and aarch64 on the recipient"},
		{"system", CodePlatform, variable(ofDonor, "version_compile_os", "macos14"), SeverityError, "macos14"},
		{"system unknown", CodePlatform, variable(ofDonor, "version_compile_os", ""), SeverityUnknown, "version_compile_os"},
		{"pages", CodePageSizes, variable(ofRecipient, "innodb_page_size", "8192"), SeverityError, "16384 on the donor"},
		{"data files", CodePageSizes, variable(ofRecipient, "innodb_data_file_path", "ibdata1:20M"), SeverityOK, "16384"},
		{"collation of the server", CodeCharacterSets, variable(ofRecipient, "collation_server", "utf8mb4_bin"), SeverityError, "SET GLOBAL collation_server = utf8mb4_0900_ai_ci; -- on the recipient"},
		{"file system's set", CodeCharacterSets, variable(ofDonor, "character_set_filesystem", "utf8mb4"), SeverityError, "character_set_filesystem"},
		{"set unknown", CodeCharacterSets, variable(ofDonor, "character_set_filesystem", ""), SeverityUnknown, "character_set_filesystem"},
		{"collation", CodeCharacterSets, func(p *pair) { p.donor.facts.Collations = append(p.donor.facts.Collations, "klingon_ci") }, SeverityError, "klingon_ci"},
		{"collations unknown", CodeCharacterSets, func(p *pair) { p.donor.facts.Unknown[FactCollations] = "denied" }, SeverityUnknown, "denied"},
		{"donor's packet", CodePackets, variable(ofDonor, "max_allowed_packet", "1048576"), SeverityError, "1048576 on the donor"},
		{"recipient's packet", CodePackets, variable(ofRecipient, "max_allowed_packet", "2097151"), SeverityError, "2097151 on the recipient"},
		{"least packet", CodePackets, variable(ofRecipient, "max_allowed_packet", "2097152"), SeverityOK, ""},
		{"packet unknown", CodePackets, variable(ofDonor, "max_allowed_packet", ""), SeverityUnknown, "donor"},
	})
}

func TestPluginsOfTheDonorAreOnTheRecipient(t *testing.T) {
	donors := func(name, library, status string) func(*pair) {
		return func(p *pair) {
			p.donor.facts.Plugins = append(p.donor.facts.Plugins, Plugin{Name: name, Library: library, Status: status})
		}
	}
	libraries := t.TempDir()
	if err := os.WriteFile(filepath.Join(libraries, "there.so"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	both := func(all ...func(*pair)) func(*pair) {
		return func(p *pair) {
			for _, f := range all {
				f(p)
			}
		}
	}
	known := variable(ofRecipient, "plugin_dir", libraries)
	try(t, []spoiling{
		{"built in", CodeDonorPlugins, donors("FEDERATED", "", "ACTIVE"), SeverityError, "FEDERATED"},
		{"no library", CodeDonorPlugins, both(known, donors("absent", "absent.so", "ACTIVE")), SeverityError, "INSTALL PLUGIN `absent` SONAME 'absent.so';"},
		{"library there", CodeDonorPlugins, both(known, donors("there", "there.so", "ACTIVE")), SeverityInfo, "there (there.so)"},
		{"one of two", CodeDonorPlugins, both(known, donors("there", "there.so", "ACTIVE"), donors("absent", "absent.so", "ACTIVE")), SeverityError, "absent (absent.so)"},
		{"library unseen", CodeDonorPlugins, donors("absent", "absent.so", "ACTIVE"), SeverityWarning, "not known"},
		{"library elsewhere", CodeDonorPlugins, both(known, donors("there", "there.so", "ACTIVE"), func(p *pair) { p.recipient.facts.Source.DataDir = "/nowhere" }), SeverityWarning, "not known"},
		{"not in use", CodeDonorPlugins, donors("FEDERATED", "", "DISABLED"), SeverityOK, ""},
		{"not in use here", CodeDonorPlugins, both(donors("FEDERATED", "", "ACTIVE"), func(p *pair) {
			p.recipient.facts.Plugins = append(p.recipient.facts.Plugins, Plugin{Name: "FEDERATED", Status: "DISABLED"})
		}), SeverityError, "FEDERATED"},
		{"in use on both", CodeDonorPlugins, both(donors("FEDERATED", "", "ACTIVE"), func(p *pair) {
			p.recipient.facts.Plugins = append(p.recipient.facts.Plugins, Plugin{Name: "federated", Status: "ACTIVE"})
		}), SeverityOK, ""},
		{"unknown", CodeDonorPlugins, func(p *pair) { p.recipient.facts.Unknown[FactPlugins] = "denied" }, SeverityUnknown, "denied"},
		{"no clone on the donor", CodePlugin, func(p *pair) { p.donor.facts.Plugins, p.target.Plugin = nil, "install" }, SeverityError, "is for the recipient"},
		{"no clone on the recipient", CodeRecipientPlugin, func(p *pair) { p.recipient.facts.Plugins = nil }, SeverityError, "plugin = \"install\""},
	})
}

func TestARecipientMayPullFromTheDonor(t *testing.T) {
	unprivileged := func(p *pair) { p.recipient.facts.Account.Grants = []Grant{{Privilege: "BACKUP_ADMIN"}} }
	try(t, []spoiling{
		{"CLONE_ADMIN alone", CodeRecipientPrivilege, func(p *pair) { p.recipient.facts.Account.Grants = []Grant{{Privilege: "CLONE_ADMIN"}} }, SeverityError, "GRANT BACKUP_ADMIN ON *.* TO 'backup'@'localhost';"},
		{"privileges unknown", CodeRecipientPrivilege, func(p *pair) {
			unprivileged(p)
			p.recipient.facts.Account.Grants = nil
			p.recipient.facts.Unknown[FactAccount] = "denied"
		}, SeverityUnknown, "denied"},
		{"of the donor only", CodeRecipientPrivilege, func(p *pair) { p.recipient.facts.Account.Grants = nil }, SeverityError, "BACKUP_ADMIN"},
		{"another port", CodeDonorList, variable(ofRecipient, varDonorList, "db1:3307"), SeverityInfo, "\"db1:3307\", which has no db1:3306"},
		{"no list", CodeDonorList, variable(ofRecipient, varDonorList, " "), SeverityInfo, "which has no db1:3306"},
		{"a list that may not be set", CodeDonorList, func(p *pair) { unprivileged(p); p.recipient.facts.Variables[varDonorList] = "a:1" }, SeverityError, "SET GLOBAL clone_valid_donor_list = 'a:1,db1:3306'; -- on the recipient"},
		{"a list that need not be set", CodeDonorList, unprivileged, SeverityOK, "db1:3306"},
		{"no such variable", CodeDonorList, variable(ofRecipient, varDonorList, ""), SeverityUnknown, varDonorList},
		{"no address", CodeDonorList, func(p *pair) { p.config.Socket = "/s" }, SeverityUnknown, "/s"},
		{"donor's status", CodeReadStatus, func(p *pair) {
			p.donor.facts.Account.Grants = []Grant{{Privilege: "SELECT", Schema: "performance_schema", Table: "log_status"}, {Privilege: "SELECT", Schema: "performance_schema", Table: "threads"}}
		}, SeverityOK, ""},
		{"recipient's status", CodeRecipientReadStatus, func(p *pair) {
			p.recipient.facts.Account.Grants = []Grant{{Privilege: "SELECT", Schema: "performance_schema", Table: "threads"}}
		}, SeverityError, "clone_status, clone_progress"},
		{"recipient's schema", CodeRecipientSchema, func(p *pair) { p.recipient.facts.PerformanceSchema = false }, SeverityError, "performance_schema = ON"},
		{"recipient busy", CodeRecipientBusy, func(p *pair) { p.recipient.facts.Clone = &Status{PID: 3, State: stateInProgress} }, SeverityError, "Connection 3"},
		{"donor busy", CodeBusy, func(p *pair) { p.donor.facts.Donations = []Donation{{PID: 4, User: "u", Host: "h"}} }, SeverityError, "Connection 4"},
	})
}

func TestTheCopyIsProtectedOnItsWay(t *testing.T) {
	mode := func(mode string) func(*pair) { return func(p *pair) { p.config.TLSMode = mode } }
	verified := func(mode string) func(*pair) {
		return func(p *pair) { p.config.TLSMode, p.recipient.facts.Variables["clone_ssl_ca"] = mode, "/ca.pem" }
	}
	try(t, []spoiling{
		{"disabled", CodeEncryptedTransfer, mode(TLSDisabled), SeverityWarning, "REQUIRE NO SSL"},
		{"nothing said", CodeEncryptedTransfer, mode(""), SeverityOK, "REQUIRE SSL"},
		{"not offered", CodeEncryptedTransfer, func(p *pair) { p.donor.facts.TLSCipher = "" }, SeverityError, "not encrypted"},
		{"verify-ca, unverified", CodeEncryptedTransfer, mode(TLSVerifyCA), SeverityError, "clone_ssl_ca"},
		{"verify-ca", CodeEncryptedTransfer, verified(TLSVerifyCA), SeverityOK, "REQUIRE SSL"},
		{"verify-identity, unverified", CodeEncryptedTransfer, mode(TLSVerifyIdentity), SeverityError, "whoever answers"},
		{"verify-identity", CodeEncryptedTransfer, verified(TLSVerifyIdentity), SeverityWarning, "all that CLONE can"},
		{"certificate", CodeEncryptedTransfer, func(p *pair) { p.config.CertFile = "/cert.pem" }, SeverityWarning, "clone_ssl_cert"},
		{"no waiting", CodeNetworkTimeout, variable(ofDonor, "clone_donor_timeout_after_network_failure", "0"), SeverityInfo, "= 5;"},
		{"no variable", CodeNetworkTimeout, variable(ofDonor, "clone_donor_timeout_after_network_failure", ""), SeverityUnknown, "no variable"},
		{"bandwidth", CodeNetworkBandwidth, func(p *pair) { p.target.NetworkBandwidth = 50 << 20 }, SeverityOK, "50 MiB/s"},
		{"odd bandwidth", CodeNetworkBandwidth, func(p *pair) { p.target.NetworkBandwidth = 50<<20 + 1 }, SeverityInfo, "51 MiB/s"},
		{"too much", CodeNetworkBandwidth, func(p *pair) { p.target.NetworkBandwidth = 1 << 41 }, SeverityError, "at most 1048576 MiB/s"},
		{"cannot be set", CodeNetworkBandwidth, func(p *pair) {
			p.target.NetworkBandwidth = 50 << 20
			delete(p.recipient.facts.Variables, varNetworkBandwidth)
		}, SeverityError, varNetworkBandwidth},
		{"may not be set", CodeSetVariables, func(p *pair) { p.target.NetworkBandwidth, p.recipient.facts.Account.Grants = 50<<20, nil }, SeverityError, "SYSTEM_VARIABLES_ADMIN"},
	})
}

func TestWhatARecipientCannotWriteIntoTheCopyIsFound(t *testing.T) {
	encrypted := func(keyring string) func(*pair) {
		return func(p *pair) {
			p.donor.facts.Encrypted, p.donor.facts.Keyring = []Tablespace{{Name: "a/secret"}}, Keyring{Name: "of the donor"}
			p.recipient.facts.Keyring.Name = keyring
		}
	}
	try(t, []spoiling{
		{"outside", CodeRemoteExternal, func(p *pair) { p.donor.facts.External = []Tablespace{{Name: "a/t", Path: "/elsewhere/a/t.ibd"}} }, SeverityError, "a/t at /elsewhere/a/t.ibd"},
		{"tablespaces unknown", CodeRemoteExternal, func(p *pair) { p.donor.facts.Unknown[FactSpaces] = "denied" }, SeverityUnknown, "PROCESS"},
		{"recipient's own tables", CodeRemoteExternal, func(p *pair) { p.recipient.facts.External = []Tablespace{{Name: "b/t", Path: "/b"}} }, SeverityOK, ""},
		{"no keyring", CodeRemoteEncryption, encrypted(""), SeverityError, "a/secret"},
		{"keyring", CodeRemoteEncryption, encrypted("component_keyring_file"), SeverityWarning, "keyring of the recipient, component_keyring_file"},
		{"keyring unknown", CodeRemoteEncryption, func(p *pair) {
			encrypted("")(p)
			p.recipient.facts.Unknown[FactKeyring] = "denied"
		}, SeverityUnknown, "denied"},
		{"in clear", CodeRemoteEncryption, func(p *pair) {
			encrypted("component_keyring_file")(p)
			p.config.TLSMode = TLSDisabled
		}, SeverityError, "over TLS only"},
		{"encryption unknown", CodeRemoteEncryption, func(p *pair) { p.donor.facts.Unknown[FactSpaces] = "denied" }, SeverityUnknown, "denied"},
	})
}

func TestTheKeyringOfARemoteCopyIsTheRecipients(t *testing.T) {
	p := healthyPair(t)
	donor, recipient := p.donor.facts, p.recipient.facts
	donor.Keyring.Name, donor.Source.Keyring, recipient.Keyring.Name, recipient.Source.Host = "keyring_okv", "keyring_okv", "component_keyring_file", "db2"
	donor.WrittenBy(recipient)
	if donor.Source.Keyring != "keyring_okv" {
		t.Errorf("nothing is encrypted, and the keyring is %s", donor.Source.Keyring)
	}
	donor.Encrypted = []Tablespace{{Name: "a/secret"}}
	donor.WrittenBy(recipient)
	if donor.Source.Keyring != "component_keyring_file" || !strings.Contains(donor.Source.RestoreCNF, "The recipient db2 used the keyring component_keyring_file") {
		t.Errorf("got %s and\n%s", donor.Source.Keyring, donor.Source.RestoreCNF)
	}
}
