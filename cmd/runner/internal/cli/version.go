package cli

import (
	"fmt"
	"runtime"

	"github.com/spf13/cobra"

	"runner/cmd/runner/internal/report"
	"runner/pkg/archive"
	"runner/pkg/archive/manifest"
)

// versionLine: type version, of the command version.
type versionLine struct {
	Schema   int    `json:"schema"`   // version of the JSON lines
	Runner   string `json:"runner"`   // version of runner
	Go       string `json:"go"`       // version that it was built with
	Manifest string `json:"manifest"` // format of manifests that it writes
	Index    string `json:"index"`    // format of indexes that it writes
}

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "Print the version and the formats that it writes",
		Long:    "Prints the version of runner, and the versions of the formats that it writes." + exits("done"),
		Example: "  runner version\n  runner version --json",
		Args:    a.arguments(0, 0),
		RunE: func(*cobra.Command, []string) error {
			if a.global.json {
				return report.JSONLine(a.Stdout, "version", versionLine{1, a.Version, runtime.Version(), manifest.Format, archive.IndexFormat})
			}
			_, err := fmt.Fprintf(a.Stdout, "runner %s (%s, %s/%s)\nwrites %s, %s\n",
				a.Version, runtime.Version(), runtime.GOOS, runtime.GOARCH, manifest.Format, archive.IndexFormat)
			return err
		},
	}
}
