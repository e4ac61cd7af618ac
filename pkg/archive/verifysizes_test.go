package archive

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"runner/pkg/archive/codec"
	"runner/pkg/archive/manifest"
	"runner/pkg/archive/store/storetest"
)

func TestVerifyComparesSizesWithTheConfigurationOfTheSource(t *testing.T) {
	dir := t.TempDir()
	for name, size := range map[string]int64{"ibdata1": 12 << 20, "ibdata2": 20 << 20, "t.ibd": 1 << 20} {
		f, err := os.Create(filepath.Join(dir, name))
		if err == nil {
			err = errors.Join(f.Truncate(size), f.Close())
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for path, wrong := range map[string]string{
		"":                                  "",
		"ibdata1:12M;ibdata2:8M:autoextend": "",
		"ibdata1:12M;ibdata2:20M":           "",
		"ibdata1:12288K;ibdata2:20971520":   "",
		"/far/ibdata1:12M;../ibdata2:20m:autoextend:max:1G": "",
		"ibdata1:12M;ibdata2:21M:autoextend":                "ibdata2",
		"ibdata1:12M;ibdata2:8M":                            "ibdata2",
		"ibdata1:11M;ibdata2:8M:autoextend":                 "ibdata1",
		"ibdata1:12M;ibdata3:8M:autoextend":                 "ibdata3",
		"/dev/sdb:12Mraw;ibdata2:8M:autoextend":             "",
	} {
		m := storetest.NewMemory()
		p := pack(t, Dir(dir), m, options(codec.Zstd))
		b := open(t, m)
		b.manifest.Source = manifest.Source{InnodbDataFilePath: path}
		report, err := b.Verify(t.Context(), VerifyOptions{Quick: true})
		var found []string
		for _, f := range report.Findings {
			found = append(found, fmt.Sprint(f.Code, " ", f.Member))
		}
		want := ""
		if wrong != "" {
			want = "size " + wrong
		}
		if strings.Join(found, ", ") != want || errors.Is(err, ErrCorrupt) != (wrong != "") {
			t.Errorf("%q: %v, %v", path, found, err)
		}
		if err := p.Index.CheckSystemSizes(path); errors.Is(err, ErrCorrupt) != (wrong != "") {
			t.Errorf("%q, before the manifest: %v", path, err)
		}
	}
}
