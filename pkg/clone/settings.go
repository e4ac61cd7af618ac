package clone

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"
)

const mebibyte = 1 << 20

// Limits of the variables, in their own units: "Clone System Variables" in the Reference Manual.
const (
	maxBandwidthMiB = 1 << 20 // clone_max_data_bandwidth and clone_max_network_bandwidth, MiB/s
	maxThreads      = 128     // clone_max_concurrency
	maxDDLTimeout   = 2592000 // clone_ddl_timeout, seconds: 30 days
)

const (
	varBandwidth  = "clone_max_data_bandwidth"
	varThreads    = "clone_max_concurrency"
	varBlockDDL   = "clone_block_ddl"
	varDDLTimeout = "clone_ddl_timeout"

	// Of a recipient.
	varNetworkBandwidth = "clone_max_network_bandwidth"
	varDonorList        = "clone_valid_donor_list"
)

// erUnknownVariable is what a server answers that lacks the variable, or the plugin that brings it.
const erUnknownVariable = 1193

// assignment is a global variable that the clone is to run with.
type assignment struct{ variable, value string }

// assignments translates the options into the server's variables and units.
func (c *localClone) assignments() ([]assignment, error) {
	var list []assignment
	add := func(variable string, value int64, limit int64) error {
		if value < 0 || value > limit {
			return refusal(0, fmt.Errorf("%s cannot be %d: its limit is %d", variable, value, limit))
		}
		list = append(list, assignment{variable, strconv.FormatInt(value, 10)})
		return nil
	}
	var errs []error
	if o := c.o; o.Bandwidth != 0 {
		rate := ceil(o.Bandwidth, mebibyte)
		if o.Bandwidth%mebibyte != 0 {
			c.h.note("bandwidth is rounded up to %d MiB/s: the server takes whole ones", rate)
		}
		errs = append(errs, add(varBandwidth, rate, maxBandwidthMiB))
	}
	if c.o.Threads != 0 {
		errs = append(errs, add(varThreads, int64(c.o.Threads), maxThreads))
	}
	switch c.o.DDL {
	case "":
	case DDLAllow:
		errs = append(errs, add(varBlockDDL, 0, 1))
	case DDLBlock:
		errs = append(errs, add(varBlockDDL, 1, 1))
	default:
		errs = append(errs, refusal(0, fmt.Errorf("DDL can be %q or %q, not %q", DDLAllow, DDLBlock, c.o.DDL)))
	}
	if c.o.DDLTimeout != 0 {
		errs = append(errs, add(varDDLTimeout, ceil(int64(c.o.DDLTimeout), int64(time.Second)), maxDDLTimeout))
	}
	if c.pull != nil && c.pull.bandwidth != 0 {
		rate := ceil(c.pull.bandwidth, mebibyte)
		if c.pull.bandwidth%mebibyte != 0 {
			c.h.note("network bandwidth is rounded up to %d MiB/s: the server takes whole ones", rate)
		}
		errs = append(errs, add(varNetworkBandwidth, rate, maxBandwidthMiB))
	}
	return list, errors.Join(errs...)
}

// ceil divides and rounds up; a negative amount stays negative.
func ceil(amount, unit int64) int64 {
	if amount <= 0 {
		return min(amount, 0)
	}
	return (amount-1)/unit + 1
}

// prepare installs the plugin where that is wanted, and sets the variables.
func (c *localClone) prepare(ctx context.Context) error {
	assignments, err := c.assignments()
	if err != nil {
		return err
	}
	if err := c.plugin(ctx); err != nil {
		return err
	}
	list, err := c.donorList(ctx)
	if err != nil {
		return err
	}
	for _, a := range append(list, assignments...) {
		if err := c.set(ctx, a); err != nil {
			return err
		}
	}
	return nil
}

// plugin sees to it that the clone plugin is active, as far as it may.
func (c *localClone) plugin(ctx context.Context) error {
	status, err := c.s.pluginStatus(ctx)
	switch {
	case err != nil:
		return err
	case status == "ACTIVE":
		return nil
	case status != "":
		return refusal(erPluginNotThere, fmt.Errorf("the clone plugin is %s", status))
	case !c.o.InstallPlugin:
		return refusal(erPluginNotThere, errors.New("the clone plugin is not loaded"))
	}
	settle, err := c.h.intend(ctx, EffectPlugin, "install the clone plugin", PluginEffect{Name: "clone"})
	if err != nil {
		return err
	}
	c.undo = append(c.undo, func(ctx context.Context) error {
		if err := uninstallPlugin(ctx, c.s, c.out); err != nil {
			return err
		}
		return settle(ctx)
	})
	return wrap("install the clone plugin", c.out.exec(ctx, "INSTALL PLUGIN clone SONAME 'mysql_clone.so'"))
}

// pluginStatus is the clone plugin's; "" when it is not installed.
func (s *Server) pluginStatus(ctx context.Context) (string, error) {
	var status string
	err := oneRow(ctx, s.db, "SELECT plugin_status FROM information_schema.plugins WHERE plugin_name = 'clone'").Scan(&status)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	return status, wrap("read plugin status", err)
}

func uninstallPlugin(ctx context.Context, s *Server, out outlet) error {
	status, err := s.pluginStatus(ctx)
	if err != nil || status == "" {
		return err
	}
	return wrap("uninstall the clone plugin", out.exec(ctx, "UNINSTALL PLUGIN clone"))
}

// set records and sets one variable, unless it has the value already.
func (c *localClone) set(ctx context.Context, a assignment) error {
	previous, err := c.s.global(ctx, a.variable)
	if IsNumber(err, erUnknownVariable) {
		// The variables come with the plugin. Where that is active, this server does not know the variable.
		if status, statusErr := c.s.pluginStatus(ctx); statusErr != nil || status == "ACTIVE" {
			return errors.Join(err, statusErr)
		}
	} else if err != nil {
		return err
	}
	g := GlobalEffect{Variable: a.variable, Previous: previous.String, Null: err == nil && !previous.Valid, Set: a.value}
	c.result.Settings = append(c.result.Settings, Setting{Name: g.Variable, Previous: g.Previous, Set: g.Set})
	if g.Previous == g.Set && !g.Null {
		return nil
	}
	settle, err := c.h.intend(ctx, EffectGlobal, fmt.Sprintf("set global %s = %s (now %s)", g.Variable, g.Set, shown(g.before())), g)
	if err != nil {
		return err
	}
	c.undo = append(c.undo, func(ctx context.Context) error {
		kept, err := restoreGlobal(ctx, c.s, c.out, g)
		if err != nil {
			return err
		}
		if kept != "" {
			c.h.note("%s", kept)
		}
		return settle(ctx)
	})
	return wrap("set "+g.Variable, c.out.exec(ctx, g.statement(sql.NullString{String: g.Set, Valid: true})))
}

func (g GlobalEffect) statement(value sql.NullString) string {
	literal := value.String
	switch {
	case !value.Valid:
		literal = "NULL"
	case g.Variable == varDonorList:
		literal = quote(literal)
	}
	return "SET GLOBAL " + g.Variable + " = " + literal
}

// before is the value to go back to.
func (g GlobalEffect) before() sql.NullString {
	return sql.NullString{String: g.Previous, Valid: !g.Null}
}

var numeric = regexp.MustCompile(`^[0-9]{1,20}$`)

// check refuses what this package never records, since names and values become part of a statement.
func (g GlobalEffect) check() error {
	switch g.Variable {
	case varBandwidth, varThreads, varBlockDDL, varDDLTimeout, varNetworkBandwidth:
	case varDonorList:
		if strings.ContainsFunc(g.Previous+g.Set, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }) {
			return fmt.Errorf("%s: %q and %q are not both lists of donors", g.Variable, g.Previous, g.Set)
		}
		return nil
	default:
		return fmt.Errorf("%q is not a variable that a clone sets", g.Variable)
	}
	if !numeric.MatchString(g.Previous) || !numeric.MatchString(g.Set) {
		return fmt.Errorf("%s: %q and %q are not both numbers", g.Variable, g.Previous, g.Set)
	}
	return nil
}

func (s *Server) global(ctx context.Context, variable string) (sql.NullString, error) {
	var value sql.NullString
	err := oneRow(ctx, s.db, "SELECT @@GLOBAL."+variable).Scan(&value)
	return value, wrap("read "+variable, err)
}

// restoreGlobal gives a variable its previous value. One that has neither value any more was changed
// by somebody else meanwhile, and one that is not there went with its plugin: both are left, and kept says so.
func restoreGlobal(ctx context.Context, s *Server, out outlet, g GlobalEffect) (kept string, err error) {
	current, err := s.global(ctx, g.Variable)
	switch {
	case IsNumber(err, erUnknownVariable):
		return "", nil
	case err != nil:
		return "", err
	case current == g.before():
		return "", nil
	case !current.Valid || current.String != g.Set:
		return fmt.Sprintf("%s was changed to %s by somebody else meanwhile and is left so; before the clone it was %s", g.Variable, shown(current), shown(g.before())), nil
	}
	return "", wrap("restore "+g.Variable, out.exec(ctx, g.statement(g.before())))
}

// shown is a value as people read it.
func shown(value sql.NullString) string {
	switch {
	case !value.Valid:
		return "NULL"
	case value.String == "":
		return "''"
	}
	return value.String
}

// restoreInterval is how often a server that cannot be reached is tried again.
const restoreInterval = 500 * time.Millisecond

// restore undoes the changes, the last first, whether or not ctx has ended. What cannot be undone is
// not settled, so that Undo can do it later.
func (c *localClone) restore(ctx context.Context) error {
	own, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.o.Reconnect)
	defer cancel()
	var errs []error
	for len(c.undo) > 0 {
		last := c.undo[len(c.undo)-1]
		c.undo = c.undo[:len(c.undo)-1]
		err := last(own)
		for ClassOf(err) == Uncertain && !c.unreachable && pause(own, restoreInterval) == nil {
			err = last(own)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}
