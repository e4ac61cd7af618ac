package clone

import (
	"fmt"
	"strings"
)

// difference is a fact that the two servers do not agree on.
type difference struct{ name, donor, recipient string }

func (d difference) String() string {
	return fmt.Sprintf("%s is %s on the donor and %s on the recipient", d.name, d.donor, d.recipient)
}

// differ compares variables; what one of the two does not have is in missing.
func (p pair) differ(names ...string) (different []difference, missing []string) {
	for _, name := range names {
		donor, one := p.donor.facts.Variables[name]
		recipient, other := p.recipient.facts.Variables[name]
		switch {
		case !one || !other:
			missing = append(missing, name)
		case donor != recipient:
			different = append(different, difference{name, donor, recipient})
		}
	}
	return different, missing
}

func sentences(all []difference) string {
	texts := []string{}
	for _, d := range all {
		texts = append(texts, d.String()+".")
	}
	return upperFirst(strings.Join(texts, " "))
}

// agree is the finding that two servers agree on variables, or not.
func (p pair) agree(what, hint string, names ...string) Finding {
	different, missing := p.differ(names...)
	switch {
	case len(different) > 0:
		return found(SeverityError, "donor and recipient differ in "+what, sentences(different), hint)
	case len(missing) > 0:
		return unknown("whether donor and recipient agree in "+what, "not both servers say "+strings.Join(missing, ", "), "SELECT @@"+strings.Join(missing, ", @@")+";")
	}
	return okay("donor and recipient agree in "+what, "Both have %s = %s.", names[0], p.donor.facts.Variables[names[0]])
}

// checkPlatform: bytes are copied as they are (3865, 3866).
func checkPlatform(p pair) Finding {
	return p.agree("their platform", "use a recipient on the donor's operating system and processor", "version_compile_os", "version_compile_machine")
}

// checkPageSizes: a recipient that writes with other pages could not take the donor's (3868).
func checkPageSizes(p pair) Finding {
	return p.agree("their page size", "use a recipient that was initialised with the donor's innodb_page_size", "innodb_page_size")
}

// checkCharacterSets: the recipient compares three variables (3868), and knows each collation of the donor, or not (3867).
func checkCharacterSets(p pair) Finding {
	const what = "their character sets"
	different, missing := p.differ("character_set_server", "character_set_filesystem", "collation_server")
	if len(different) > 0 {
		set := []string{}
		for _, d := range different {
			set = append(set, fmt.Sprintf("SET GLOBAL %s = %s;", d.name, d.donor))
		}
		return found(SeverityError, "donor and recipient differ in "+what, sentences(different), strings.Join(set, " ")+" -- on the recipient")
	}
	for _, s := range []subject{p.donor, p.recipient} {
		if why, bad := s.facts.Unknown[FactCollations]; bad {
			return unknown("whether donor and recipient agree in "+what, why, "SHOW COLLATION;")
		}
	}
	if len(missing) > 0 {
		return unknown("whether donor and recipient agree in "+what, "not both servers say "+strings.Join(missing, ", "), "SHOW GLOBAL VARIABLES;")
	}
	known := map[string]bool{}
	for _, name := range p.recipient.facts.Collations {
		known[name] = true
	}
	lacking := []string{}
	for _, name := range p.donor.facts.Collations {
		if !known[name] {
			lacking = append(lacking, name)
		}
	}
	if len(lacking) > 0 {
		return found(SeverityError, "the recipient lacks collations of the donor", fmt.Sprintf("It does not know %s.", most(lacking)), "use a recipient of the donor's version, with its character sets")
	}
	return okay("donor and recipient agree in "+what, "The recipient knows all %d collations of the donor.", len(p.donor.facts.Collations))
}
