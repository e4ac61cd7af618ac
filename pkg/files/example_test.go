package files_test

import (
	"fmt"

	"runner/pkg/files"
)

func Example() {
	path, err := files.ExpandHome("~/backups", func(string) string { return "/home/dba" })
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(path)
	// Output: /home/dba/backups
}
