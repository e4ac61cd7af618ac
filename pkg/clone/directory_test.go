package clone_test

import (
	"os"
	"path/filepath"
	"testing"

	"runner/pkg/clone"
)

// What a real server leaves is inspected by the tests of CloneLocal; here are the cases that are hard to catch.
func TestInspectDirectoryGoesByTheServersMarkers(t *testing.T) {
	for name, c := range map[string]struct {
		files []string
		want  clone.DirState
	}{
		"empty":                       {nil, clone.DirUnknown},
		"somebody else's":             {[]string{"letter.txt"}, clone.DirUnknown},
		"begun":                       {[]string{"#clone/#status_in_progress", "ibdata1"}, clone.DirPartial},
		"begun, and the marker after": {[]string{"#clone/#status_in_progress", "#clone/#status_fix"}, clone.DirPartial},
		"finished":                    {[]string{"#clone/#status_fix", "#clone/#view_status", "ibdata1"}, clone.DirFinished},
		"started in vain":             {[]string{"#clone/#status_fix", "auto.cnf"}, clone.DirBooted},
		"started":                     {[]string{"#clone/#view_status", "auto.cnf"}, clone.DirBooted},
		"markers gone":                {[]string{"#clone/#view_status", "ibdata1"}, clone.DirUnknown},
	} {
		t.Run(name, func(t *testing.T) {
			directory := t.TempDir()
			for _, file := range c.files {
				path := filepath.Join(directory, file)
				if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, nil, 0o640); err != nil {
					t.Fatal(err)
				}
			}
			wantDirectory(t, directory, c.want)
		})
	}
	wantDirectory(t, filepath.Join(t.TempDir(), "nothing", "there"), clone.DirAbsent)
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	wantDirectory(t, file, clone.DirUnknown)
	if state, err := clone.InspectDirectory(filepath.Join(file, "below")); err == nil || state != clone.DirUnknown {
		t.Errorf("below a file: %q, %v", state, err)
	}
}
