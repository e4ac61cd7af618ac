package plan

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"filippo.io/age"
	"filippo.io/age/agessh"
	"github.com/hashicorp/hcl/v2"
	"golang.org/x/crypto/ssh"
)

// maxRecipients keeps below the 1024 that age reads in the header of a file.
const maxRecipients = 1000

// encrypt builds the encrypt block; s is its settings. nil: there is none, and nothing is encrypted.
func (l *loader) encrypt(s *settings) *Encrypt {
	if !s.there {
		return nil
	}
	list, file := s.values["recipients"], s.values["recipients_file"]
	r := &recipients{loader: l, list: list.expr, known: map[string]age.Recipient{}}
	if list.given && !list.bad {
		texts := get[[]string](s, "recipients")
		for i, at := range elementRanges(list, len(texts)) {
			r.add(texts[i], at, "")
		}
	}
	if file.given && !file.bad {
		r.addFile(get[string](s, "recipients_file"), file.at)
	}
	if !r.failed && !list.bad && !file.bad {
		r.check(s)
	}
	out := &Encrypt{}
	for text := range r.known {
		out.Recipients = append(out.Recipients, text)
	}
	slices.Sort(out.Recipients)
	return out
}

// elementRanges gives the places of the elements of a list: those in the plan where the list is written out, else the list's.
func elementRanges(list setting, n int) []hcl.Range {
	out := slices.Repeat([]hcl.Range{list.at}, n)
	if items, diags := hcl.ExprList(list.expr); !diags.HasErrors() && len(items) == n {
		for i, item := range items {
			out[i] = item.Range()
		}
	}
	return out
}

// recipients are being gathered, in their normal form.
type recipients struct {
	loader *loader
	list   hcl.Expression // of the attribute recipients; nil without
	known  map[string]age.Recipient
	failed bool // something was reported
}

func (r *recipients) fail(at hcl.Range, summary, detail string) {
	r.failed = true
	r.loader.fail(&at, summary, detail, "")
}

// add takes one; where says where it was read if that is not in the plan.
func (r *recipients) add(text string, at hcl.Range, where string) {
	text = strings.TrimSpace(text)
	if strings.Contains(strings.ToUpper(text), "SECRET-KEY") || strings.Contains(text, "PRIVATE KEY") {
		r.loader.hide(r.list)
		r.fail(at, "Invalid value", where+"A secret key is no recipient, and does not belong here. Its recipient is what `age-keygen -y FILE` prints.")
		return
	}
	normal, recipient, fault := parseRecipient(text)
	if fault != "" {
		r.fail(at, "Invalid value", fmt.Sprintf("%s%q is no recipient: %s.", where, text, fault))
		return
	}
	r.known[normal] = recipient
}

// addFile takes one from each line that is neither empty nor a comment.
func (r *recipients) addFile(path string, at hcl.Range) {
	text, err := r.loader.read(path)
	if err == nil && !utf8.Valid(text) {
		err = errors.New("it is not UTF-8 text")
	}
	if err != nil {
		r.fail(at, "File not readable", fmt.Sprintf("recipients_file %q can't be read: %v.", path, err))
		return
	}
	none := true
	for i, line := range strings.Split(string(text), "\n") {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		none = false
		r.add(line, at, fmt.Sprintf("%s, line %d: ", path, i+1))
	}
	if none {
		r.fail(at, "Invalid value", fmt.Sprintf("recipients_file %q holds no recipient.", path))
	}
}

// check looks at all of them together.
func (r *recipients) check(s *settings) {
	switch n := len(r.known); {
	case n == 0 && s.given("recipients"):
		r.fail(*s.place("recipients"), "Invalid value", "recipients is empty: nobody could decrypt the backup.")
		return
	case n == 0:
		r.fail(s.at, "Missing attribute", "encrypt needs recipients or recipients_file: without them nobody could decrypt the backup.")
		return
	case n > maxRecipients:
		r.fail(s.at, "Too complex", fmt.Sprintf("A backup has at most %d recipients.", maxRecipients))
		return
	}
	var all []age.Recipient
	for _, recipient := range r.known {
		all = append(all, recipient)
	}
	if _, err := age.Encrypt(io.Discard, all...); err != nil {
		r.fail(s.at, "Conflicting attributes", "These recipients can't be used together: those that are safe against quantum computers (age1pq1…) go with their like only.")
	}
}

// parseRecipient gives a recipient with its normal form, or what is wrong with it.
func parseRecipient(text string) (normal string, r age.Recipient, fault string) {
	const mistyped = "it is mistyped, or cut off"
	switch {
	case text == "":
		return "", nil, "it is empty"
	case strings.ContainsFunc(text, unicode.IsControl):
		return "", nil, "it has more than one line"
	case strings.HasPrefix(text, "age1pq1"):
		key, err := age.ParseHybridRecipient(text)
		if err != nil {
			return "", nil, mistyped
		}
		return key.String(), key, ""
	case strings.HasPrefix(text, "age1"):
		if strings.LastIndex(text, "1") > len("age") {
			return "", nil, "recipients of age's plugins can't be used"
		}
		key, err := age.ParseX25519Recipient(text)
		if err != nil {
			return "", nil, mistyped
		}
		return key.String(), key, ""
	case strings.HasPrefix(text, "ssh-"):
		return parseSSHRecipient(text)
	}
	return "", nil, "it is age1… as age-keygen prints it, or an SSH public key (ssh-ed25519 or ssh-rsa)"
}

// parseSSHRecipient is parseRecipient of a line of a .pub file, whose comment is left out of the normal form.
func parseSSHRecipient(text string) (normal string, r age.Recipient, fault string) {
	key, _, options, _, err := ssh.ParseAuthorizedKey([]byte(text))
	if err == nil && len(options) == 0 {
		normal = strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key)))
		if r, err = agessh.ParseRecipient(normal); err == nil {
			return normal, r, ""
		}
	}
	return "", nil, "SSH keys are ssh-ed25519, or ssh-rsa of at least 2048 bits, as in a .pub file"
}
