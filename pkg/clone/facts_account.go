package clone

import (
	"context"
	"database/sql"
	"slices"
	"strings"
)

// Account is what the session may do, with every role of the account active.
type Account struct {
	User   string  `json:"user"`   // CURRENT_USER(): the account that the server matched, not what was typed
	Roles  string  `json:"roles"`  // CURRENT_ROLE()
	Grants []Grant `json:"grants"` // of all schemas, and of performance_schema and mysql
	// Restricted says that some schema is taken out of a global privilege again (partial revokes).
	Restricted bool `json:"restricted"`
}

// Grant is one privilege on all tables (Schema ""), on a schema, which may be a pattern (Table ""), or on a table.
type Grant struct {
	Privilege string `json:"privilege"`
	Schema    string `json:"schema,omitempty"`
	Table     string `json:"table,omitempty"`
}

// Has reports whether the account holds the privilege there or anywhere above; Schema "" asks for all.
func (a Account) Has(privilege, schema, table string) bool {
	return slices.ContainsFunc(a.Grants, func(g Grant) bool {
		switch {
		case g.Privilege != privilege:
			return false
		case g.Schema == "":
			return true
		case schema == "" || !likeMatch(g.Schema, schema):
			return false
		}
		return g.Table == "" || g.Table == table
	})
}

// seesAllTables reports whether information_schema.tables hides nothing from the account: it shows the tables on which the
// account has any privilege, and an account without one sees an empty list and no error.
func (a Account) seesAllTables() bool {
	return !a.Restricted && slices.ContainsFunc([]string{
		"SELECT", "INSERT", "UPDATE", "DELETE", "CREATE", "DROP", "REFERENCES", "INDEX", "ALTER", "SHOW VIEW", "TRIGGER",
	}, func(privilege string) bool { return a.Has(privilege, "", "") })
}

// account reads the privileges. Those that come through a role are in SHOW GRANTS alone, once the role is active:
// information_schema.user_privileges shows an account only what was granted to it by name.
func (r *reader) account(ctx context.Context) error {
	a := &r.facts.Account
	if err := oneRow(ctx, r.conn, "SELECT CURRENT_USER()").Scan(&a.User); err != nil {
		return err
	}
	if err := oneRow(ctx, r.conn, "SELECT CURRENT_ROLE()").Scan(&a.Roles); err != nil {
		return err
	}
	lines, err := r.column(ctx, "SHOW GRANTS")
	if err != nil {
		return err
	}
	for _, line := range lines {
		a.add(line)
	}
	return r.userPrivileges(ctx)
}

// add takes over what one line of SHOW GRANTS says, as far as checks ask for it.
func (a *Account) add(line string) {
	if strings.HasPrefix(line, "REVOKE ") {
		a.Restricted = true
		return
	}
	grants, ok := parseGrant(line)
	if !ok {
		return
	}
	for _, g := range grants {
		// An account may have any number of grants on tables that are none of our business.
		if g.Schema == "" || likeMatch(g.Schema, "performance_schema") || likeMatch(g.Schema, "mysql") {
			a.Grants = append(a.Grants, g)
		}
	}
}

// userPrivileges adds what the standard's own view has, should SHOW GRANTS ever be written in another way.
func (r *reader) userPrivileges(ctx context.Context) error {
	a := &r.facts.Account
	user, host := a.User, ""
	if at := strings.LastIndexByte(a.User, '@'); at >= 0 {
		user, host = a.User[:at], a.User[at+1:]
	}
	return r.each(ctx, "SELECT PRIVILEGE_TYPE FROM information_schema.user_privileges WHERE GRANTEE = "+quote("'"+user+"'@'"+host+"'"), func(rows *sql.Rows) error {
		var name string
		err := rows.Scan(&name)
		if g := (Grant{Privilege: name}); !slices.Contains(a.Grants, g) {
			a.Grants = append(a.Grants, g)
		}
		return err
	})
}

// parseGrant takes a line of SHOW GRANTS apart: GRANT a, b (columns) ON scope TO account …. Privileges on columns are
// left out, since they are not privileges on the table. ok is false for what is no grant of privileges on
// tables: roles, routines, proxies, and what is not understood.
func parseGrant(line string) (grants []Grant, ok bool) {
	rest, ok := strings.CutPrefix(line, "GRANT ")
	if !ok {
		return nil, false
	}
	var names []string
	for {
		name, columns, after, ok := cutPrivilege(rest)
		if !ok {
			return nil, false
		}
		if !columns {
			names = append(names, name)
		}
		// The server writes a space behind the comma of a static privilege, and none behind that of a dynamic one.
		if rest, ok = strings.CutPrefix(after, ","); ok {
			rest = strings.TrimPrefix(rest, " ")
			continue
		}
		if rest, ok = strings.CutPrefix(after, "ON "); !ok {
			return nil, false
		}
		break
	}
	schema, table, ok := cutScope(rest)
	if !ok {
		return nil, false
	}
	for _, name := range names {
		grants = append(grants, Grant{Privilege: name, Schema: schema, Table: table})
		if name == "ALL PRIVILEGES" {
			grants = append(grants, allPrivileges(schema, table)...)
		}
	}
	return grants, true
}

// allPrivileges are those that ALL PRIVILEGES on that scope stands for, as far as a check asks. On *.* the server
// writes them out instead; an old one may not, but never means the dynamic privileges by it.
func allPrivileges(schema, table string) []Grant {
	grants := []Grant{}
	for _, name := range []string{"SELECT", "INSERT", "UPDATE", "DELETE"} {
		grants = append(grants, Grant{Privilege: name, Schema: schema, Table: table})
	}
	if schema == "" {
		grants = append(grants, Grant{Privilege: "PROCESS"}, Grant{Privilege: "SUPER"})
	}
	return grants
}

// cutPrivilege cuts a privilege's name, made of upper-case words, digits and underscores, and its list of columns if it has one.
func cutPrivilege(s string) (name string, columns bool, rest string, ok bool) {
	end := 0
	for end < len(s) && (s[end] >= 'A' && s[end] <= 'Z' || s[end] >= '0' && s[end] <= '9' || s[end] == '_' || s[end] == ' ') {
		if strings.HasPrefix(s[end:], " ON ") || strings.HasPrefix(s[end:], " (") {
			break
		}
		end++
	}
	name, rest = s[:end], s[end:]
	if name == "" {
		return "", false, "", false
	}
	rest = strings.TrimPrefix(rest, " ")
	if !strings.HasPrefix(rest, "(") {
		return name, false, rest, true
	}
	for i := 1; i < len(rest); i++ {
		switch rest[i] {
		case '`', '"':
			_, after, ok := cutIdentifier(rest[i:])
			if !ok {
				return "", false, "", false
			}
			i = len(rest) - len(after) - 1
		case ')':
			return name, true, strings.TrimPrefix(rest[i+1:], " "), true
		}
	}
	return "", false, "", false
}

// cutScope reads *.*, schema.* or schema.table, and that TO follows.
func cutScope(s string) (schema, table string, ok bool) {
	s = strings.TrimPrefix(s, "TABLE ")
	if rest, ok := strings.CutPrefix(s, "*.*"); ok {
		return "", "", strings.HasPrefix(rest, " TO ")
	}
	schema, s, ok = cutIdentifier(s)
	if !ok || schema == "" {
		return "", "", false
	}
	if s, ok = strings.CutPrefix(s, "."); !ok {
		return "", "", false
	}
	if rest, all := strings.CutPrefix(s, "*"); all {
		return schema, "", strings.HasPrefix(rest, " TO ")
	}
	table, s, ok = cutIdentifier(s)
	return schema, table, ok && table != "" && strings.HasPrefix(s, " TO ")
}

// cutIdentifier reads a name, quoted or not. A quote inside is doubled.
func cutIdentifier(s string) (name, rest string, ok bool) {
	if s == "" {
		return "", "", false
	}
	quote := s[0]
	if quote != '`' && quote != '"' {
		end := strings.IndexAny(s, ". )(,")
		if end <= 0 {
			return "", "", false
		}
		return s[:end], s[end:], true
	}
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		if s[i] != quote {
			b.WriteByte(s[i])
			continue
		}
		if i+1 < len(s) && s[i+1] == quote {
			b.WriteByte(quote)
			i++
			continue
		}
		return b.String(), s[i+1:], true
	}
	return "", "", false
}

// likeMatch matches a schema's name with the pattern of a grant: % any text, _ any character, \ escapes.
func likeMatch(pattern, name string) bool {
	// Where to go on when a character does not fit: behind the last %, which then takes one character more.
	p, n, star, taken := 0, 0, -1, 0
	for n < len(name) {
		c, width, literal := patternAt(pattern, p)
		switch {
		case width > 0 && !literal && c == '%':
			p++
			star, taken = p, n
		case width > 0 && (c == name[n] || !literal && c == '_'):
			p, n = p+width, n+1
		case star >= 0:
			taken++
			p, n = star, taken
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "%") == ""
}

// patternAt gives the character of the pattern at i, and its width with the backslash before it; 0 at the end.
func patternAt(pattern string, i int) (c byte, width int, literal bool) {
	switch {
	case i >= len(pattern):
		return 0, 0, false
	case pattern[i] == '\\' && i+1 < len(pattern):
		return pattern[i+1], 2, true
	}
	return pattern[i], 1, pattern[i] != '%' && pattern[i] != '_'
}
