package cli

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"runner/pkg/archive"
)

const (
	identityFlag     = "identity"
	identityVariable = "RUNNER_IDENTITY_FILE"
)

// identities are those in the files that --identity names, or in that of RUNNER_IDENTITY_FILE; none where neither is given.
func (a *app) identities(c *cobra.Command, argument string, w whichBackup) ([]archive.Identity, error) {
	files := w.identities
	if file := a.Getenv(identityVariable); len(files) == 0 && file != "" {
		files = []string{file}
	}
	var all []archive.Identity
	for _, file := range files {
		some, err := readIdentities(file)
		if err != nil {
			err = usagef(c.CommandPath(), "there is no identity to decrypt with in %s: %w", file, err)
			return nil, withHint(err, "name a file that age-keygen wrote, or a private SSH key: "+again(c, argument))
		}
		all = append(all, some...)
	}
	return all, nil
}

func readIdentities(file string) (_ []archive.Identity, err error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return archive.ParseIdentities(f)
}

// identityHint adds the way on to the errors of a backup that could not be decrypted.
func identityHint(c *cobra.Command, argument string, err error) error {
	switch {
	case errors.Is(err, archive.ErrNoIdentity):
		return withHint(err, "name the file that age-keygen wrote: "+again(c, argument))
	case errors.Is(err, archive.ErrWrongIdentity):
		return withHint(err, "the block encrypt of the plan that it was made with says for whom it is; name the identity of one of them: "+again(c, argument))
	}
	return err
}

// again is the command as it was given, with an identity that is still to be filled in.
func again(c *cobra.Command, argument string) string {
	words := []string{c.CommandPath(), shellWord(argument)}
	c.Flags().Visit(func(f *pflag.Flag) {
		values := []string{f.Value.String()}
		if list, ok := f.Value.(pflag.SliceValue); ok {
			values = list.GetSlice()
		}
		switch {
		case f.Name == identityFlag:
		case f.Value.Type() == "bool":
			words = append(words, fmt.Sprintf("--%s=%s", f.Name, values[0]))
		default:
			for _, value := range values {
				words = append(words, "--"+f.Name, shellWord(value))
			}
		}
	})
	return strings.Join(append(words, "--"+identityFlag, "FILE"), " ")
}
