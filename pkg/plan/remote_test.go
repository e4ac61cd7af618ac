package plan

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestModeRemoteArrivesWithItsRecipientAndOtherModesWithoutIt(t *testing.T) {
	p, files, list := Load([]string{"testdata/valid/remote.hcl"}, testOptions())
	if p == nil {
		t.Fatal(render(t, files, list))
	}
	remote, _ := p.Job("job.remote")
	want := Clone{Mode: "remote", Directory: "/var/tmp/clone", NetworkBandwidth: 50 << 20, NetworkCompression: "none", Recipient: remote.Clone.Recipient}
	if diff := cmp.Diff(want, remote.Clone, cmpopts.IgnoreUnexported(Secret{})); diff != "" {
		t.Error(diff)
	}
	if r := remote.Clone.Recipient; r == nil || r.Address() != "source.mysql.spare" {
		t.Errorf("the recipient is %+v", r)
	}
	local, _ := p.Job("job.local")
	if diff := cmp.Diff(Clone{Mode: "local", Directory: "/var/tmp/clone", NetworkCompression: "none"}, local.Clone); diff != "" {
		t.Error(diff)
	}
	auto, _ := p.Job("job.auto")
	if diff := cmp.Diff(Clone{Mode: "auto", Directory: "/d", NetworkCompression: "zstd", Recipient: remote.Clone.Recipient}, auto.Clone, cmpopts.IgnoreUnexported(Secret{})); diff != "" {
		t.Error(diff)
	}
	stream, _ := p.Job("job.stream")
	if diff := cmp.Diff(Clone{Mode: "stream", NetworkBandwidth: 50 << 20, NetworkCompression: "zstd"}, stream.Clone); diff != "" {
		t.Error(diff)
	}
	only, err := p.Select([]string{"job.remote"})
	if err != nil || len(only.Sources) != 2 {
		t.Errorf("the job alone has the sources %v, %v", only.Sources, err)
	}
}
