package clone

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// maxIncludes is how deep option files may include one another; the mysql client has no loops either way it is set.
const maxIncludes = 10

// optionEscapes are the escapes that a value may hold; any other backslash stays as it is.
var optionEscapes = strings.NewReplacer(`\\`, `\`, `\b`, "\b", `\t`, "\t", `\n`, "\n", `\r`, "\r", `\s`, " ", `\"`, `"`, `\'`, `'`)

// optionParser collects the options of the group [client]; a later value wins over an earlier one.
type optionParser struct {
	options map[string]string
}

// readOptionFile reads the group [client] of an option file in the syntax of "Using Option Files" in MySQL's manual.
// Names come in lower case with dashes; values without quotes and with escapes resolved. Neither
// error nor position ever shows a value.
func readOptionFile(path string) (map[string]string, error) {
	p := &optionParser{options: map[string]string{}}
	if err := p.file(path, 0); err != nil {
		return nil, err
	}
	return p.options, nil
}

func (p *optionParser) file(path string, depth int) error {
	if depth > maxIncludes {
		return fmt.Errorf("%s: files include one another more than %d deep", path, maxIncludes)
	}
	text, err := readText("option file", path)
	if err != nil {
		return err
	}
	return p.parse(path, text, depth)
}

func (p *optionParser) parse(path, text string, depth int) error {
	group := ""
	for i, line := range strings.Split(text, "\n") {
		at := func(err error) error { return fmt.Errorf("%s line %d: %w", path, i+1, err) }
		line = strings.TrimSpace(line)
		switch {
		case line == "" || line[0] == '#' || line[0] == ';':
		case line[0] == '[':
			name, rest, ok := strings.Cut(line[1:], "]")
			if rest = strings.TrimSpace(rest); !ok || rest != "" && rest[0] != '#' {
				return at(errors.New("a group is written [name]"))
			}
			group = strings.TrimSpace(name)
		case line[0] == '!':
			if err := p.include(line, filepath.Dir(path), depth); err != nil {
				return at(err)
			}
		case group == "":
			return at(errors.New("an option stands before the first [group]"))
		case strings.EqualFold(group, "client"):
			if err := p.option(line); err != nil {
				return at(err)
			}
		}
	}
	return nil
}

// include follows !include FILE and !includedir FOLDER (files ending in .cnf, sorted by name).
func (p *optionParser) include(line, folder string, depth int) error {
	directive, target := line, ""
	if end := strings.IndexAny(line, " \t"); end >= 0 {
		directive, target = line[:end], strings.TrimSpace(line[end:])
	}
	if target == "" {
		return fmt.Errorf("%s names nothing", directive)
	}
	if !filepath.IsAbs(target) {
		target = filepath.Join(folder, target)
	}
	switch directive {
	case "!include":
		return p.file(target, depth+1)
	case "!includedir":
		entries, err := os.ReadDir(target)
		if err != nil {
			return &fileError{what: "folder of option files", path: target, err: err}
		}
		for _, e := range entries {
			if e.IsDir() || filepath.Ext(e.Name()) != ".cnf" {
				continue
			}
			if err := p.file(filepath.Join(target, e.Name()), depth+1); err != nil {
				return err
			}
		}
		return nil
	}
	return fmt.Errorf("%s is neither !include nor !includedir", directive)
}

func (p *optionParser) option(line string) error {
	name, value, hasValue := strings.Cut(withoutComment(line), "=")
	name = strings.ReplaceAll(strings.ToLower(strings.TrimSpace(name)), "_", "-")
	name = strings.TrimPrefix(name, "loose-")
	if strings.ContainsAny(name, " \t") {
		return errors.New("an option is written name=value")
	}
	value = optionValue(value)
	switch {
	case name == "ssl" && slices.Contains([]string{"0", "off", "false"}, strings.ToLower(value)), name == "skip-ssl":
		name, value = "ssl-mode", TLSDisabled
	case name == "password" && !hasValue:
		return errors.New("password has no value: runner cannot ask for it")
	}
	p.options[name] = value
	return nil
}

// withoutComment cuts a line at the first # that is not inside quotes, as the mysql client does: a
// password with a # in it needs quotes.
func withoutComment(line string) string {
	var quote byte
	escaped := false
	for i := range len(line) {
		c := line[i]
		if (c == '\'' || c == '"') && !escaped {
			switch quote {
			case 0:
				quote = c
			case c:
				quote = 0
			}
		}
		if quote == 0 && c == '#' {
			return line[:i]
		}
		escaped = quote != 0 && c == '\\' && !escaped
	}
	return line
}

// optionValue takes white space, a pair of quotes around the whole, and escapes off a value.
func optionValue(raw string) string {
	raw = strings.TrimSpace(raw)
	if n := len(raw); n >= 2 && raw[0] == raw[n-1] && (raw[0] == '\'' || raw[0] == '"') {
		raw = raw[1 : n-1]
	}
	return optionEscapes.Replace(raw)
}
