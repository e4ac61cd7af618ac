package cli

import "testing"

func TestAJobsFolderIsFoundByAddressAndByName(t *testing.T) {
	for job, want := range map[string]string{
		"orders":             "orders",
		"job.orders":         "orders",
		`job.each["eu"]`:     "each.eu",
		`each["eu"]`:         "each.eu",
		"each.eu":            "each.eu",
		`job.each["a/../b"]`: "each.a%2F..%2Fb",
		"../../etc":          "etc",
	} {
		if got := folderOf(job); got != want {
			t.Errorf("the folder of %s is %s, want %s", job, got, want)
		}
	}
}
