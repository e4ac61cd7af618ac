package clone

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// checkDonorPlugins: every plugin of the donor has to be active on the recipient, or its library to be where the recipient could load it
// (3870). A 9.7 was seen to be content with the library; earlier ones are not, and say so before anything is copied.
func checkDonorPlugins(p pair) Finding {
	for _, s := range []subject{p.donor, p.recipient} {
		if why, bad := s.facts.Unknown[FactPlugins]; bad {
			return unknown("whether the recipient has the donor's plugins", why, "SHOW PLUGINS;")
		}
	}
	lacking, worst := []string{}, yes
	hint := "use a recipient that was built with the plugins of the donor"
	for _, plugin := range p.donor.facts.Plugins {
		if plugin.Name == "clone" || !plugin.Active() {
			continue // the recipient's own clone plugin has a finding of its own
		}
		if other, _ := p.recipient.facts.Plugin(plugin.Name); other.Active() {
			continue
		}
		lacking = append(lacking, plugin.describe())
		if plugin.Library != "" {
			hint = fmt.Sprintf("INSTALL PLUGIN %s SONAME %s; -- on the recipient", quoteName(plugin.Name), quoteLiteral(plugin.Library))
		}
		worst = min(worst, p.loadable(plugin))
	}
	if len(lacking) == 0 {
		return okay("the recipient has the donor's plugins", "All that are active on the donor are active there.")
	}
	detail := fmt.Sprintf("Active on the donor and not on the recipient: %s.", most(lacking))
	switch worst {
	case no:
		return found(SeverityError, "the recipient lacks plugins of the donor", detail, hint)
	case perhaps:
		return found(SeverityWarning, "the recipient may lack plugins of the donor", detail+" Whether it could load them is not known.", hint)
	}
	return found(SeverityInfo, "the recipient does not use all plugins of the donor", detail+" Their libraries are in its plugin directory, which is enough for it to pull the copy.", "")
}

// loadable tells whether the recipient finds the plugin's library, which only the files of a server on this host show.
func (p pair) loadable(plugin Plugin) answer {
	recipient := p.recipient.facts
	uuid, err := hostUUID(recipient.Source.DataDir)
	folder := recipient.Variables["plugin_dir"]
	switch {
	case plugin.Library == "":
		return no
	case err != nil || !strings.EqualFold(uuid, recipient.Source.ServerUUID) || folder == "":
		return perhaps
	}
	_, err = os.Stat(filepath.Join(folder, plugin.Library))
	return yesIf(err == nil)
}

func (p Plugin) describe() string {
	if p.Library == "" {
		return p.Name
	}
	return p.Name + " (" + p.Library + ")"
}
