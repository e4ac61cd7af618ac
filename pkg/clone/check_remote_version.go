package clone

import "fmt"

// checkVersions: a recipient takes copies of its own series only, with exceptions at both ends of time (3864).
func checkVersions(p pair) Finding {
	if f := checkVersion(p.recipient); f.Severity == SeverityError {
		return of("recipient", f)
	}
	donor, recipient := p.donor.facts.Version, p.recipient.facts.Version
	both := fmt.Sprintf("The donor is %s, the recipient %s", donor.Text, recipient.Text)
	may, rule := recipient.takes(donor)
	switch may {
	case no:
		return found(SeverityError, "the recipient does not take the donor's version", both+". "+rule, "use a recipient of the donor's version")
	case perhaps:
		return found(SeverityWarning, "the recipient may not take the donor's version", both+". "+rule, "use a recipient of the donor's version")
	}
	return okay("the recipient takes the donor's version", "%s. %s", both, rule)
}

// The releases at which the rule changed: "Clone Plugin Limitations" in the manuals of 8.0 and 8.4.
const firstWithoutPatch = 37 // of 8.0: from here on any patch of the series

// ltsSeries are the long-term series that a donor or a recipient of different series can be of, oldest first ("MySQL Releases:
// Innovation and LTS", and the notes on calendar versions).
func ltsSeries() []string { return []string{"8.4", "9.7", "28.4"} }

// takes tells whether a recipient of version v takes a donor's copy, and by which rule.
func (v Version) takes(donor Version) (answer, string) {
	exact := v.Major == donor.Major && v.Minor == donor.Minor && v.Patch == donor.Patch
	switch {
	case v.Series() != donor.Series():
		return v.takesSeries(donor)
	case v.Series() == "8.0" && !exact && (v.Patch < firstWithoutPatch || donor.Patch < firstWithoutPatch):
		return no, "Before 8.0.37 both have to be the very same release."
	case v.Flavour != donor.Flavour:
		return perhaps, fmt.Sprintf("One is %s and the other %s, whose texts of the version differ.", donor.Flavour, v.Flavour)
	case v.Series() == "8.0" && v.Patch < firstWithoutPatch && v.Text != donor.Text:
		return perhaps, "Before 8.0.37 the texts of both versions have to be the same."
	}
	return yes, fmt.Sprintf("Both are of the series %s.", v.Series())
}

// takesSeries: from 9.7 on, a donor of a long-term series can give its copy to the next one, and to no other.
func (v Version) takesSeries(donor Version) (answer, string) {
	all := ltsSeries()
	for i, series := range all[:len(all)-1] {
		if series == donor.Series() && donor.AtLeast(9, 7, 0) && v.Series() == all[i+1] {
			return yes, fmt.Sprintf("A donor of the long-term series %s can give its copy to the next one.", series)
		}
	}
	return no, fmt.Sprintf("They are of different series, %s and %s.", donor.Series(), v.Series())
}
