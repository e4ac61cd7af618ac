package clone

import "fmt"

const installPlugin = "INSTALL PLUGIN clone SONAME 'mysql_clone.so';"

// checkPlugin looks for the plugin, and for what it takes to load it where the plan allows that. It loads nothing.
func checkPlugin(s subject) Finding {
	f := s.facts
	if why, bad := f.Unknown[FactPlugins]; bad {
		return unknown("the clone plugin", why, "SHOW PLUGINS;")
	}
	plugin, there := f.Plugin("clone")
	switch {
	case plugin.Active():
		return okay("the clone plugin is active", "Its version is %s.", plugin.Version)
	case there:
		return found(SeverityError, "the clone plugin is not active", fmt.Sprintf("It is installed and its status is %s.", plugin.Status),
			"UNINSTALL PLUGIN clone; "+installPlugin)
	case !s.target.mayInstall():
		return found(SeverityError, "the clone plugin is not loaded", "The server has no plugin \"clone\", and the plan does not allow to load it.",
			installPlugin+" -- or check { plugin = \"install\" } in the plan")
	}
	return checkInstall(f)
}

// checkInstall: loading needs INSERT on mysql.plugin, taking it away again DELETE, and both a server that may be written to.
func checkInstall(f *Facts) Finding {
	const summary = "the clone plugin cannot be loaded"
	if f.Source.SuperReadOnly != nil && *f.Source.SuperReadOnly {
		return found(SeverityError, summary, "The plan allows to load the plugin, but the server has super_read_only = ON, under which the table mysql.plugin cannot be written.",
			"plugin-load-add = mysql_clone.so below [mysqld] in the server's option file, and restart it")
	}
	if why, bad := f.Unknown[FactAccount]; bad {
		return unknown("whether the clone plugin can be loaded", why, "SHOW GRANTS;")
	}
	missing := []string{}
	for _, privilege := range []string{"INSERT", "DELETE"} {
		if !f.Account.Has(privilege, "mysql", "plugin") {
			missing = append(missing, privilege)
		}
	}
	if len(missing) > 0 {
		return found(SeverityError, summary, fmt.Sprintf("The plan allows to load the plugin and to take it away again, but the account %s lacks %s on mysql.plugin.", f.Account.User, most(missing)),
			"GRANT INSERT, DELETE ON mysql.plugin TO "+quoteAccount(f.Account.User)+"; -- or, as an administrator: "+installPlugin)
	}
	return found(SeverityInfo, "the clone plugin will be loaded", "The server has no plugin \"clone\". The plan allows to load it; it is taken away again after the clone.", "")
}
