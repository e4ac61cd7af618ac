package clone

import (
	"context"
	"encoding/json"
	"fmt"
)

// Undo takes back an effect of a CloneLocal that did not live to do so itself. Doing it twice does no harm.
//
// A global variable gets its previous value unless somebody else changed it since; an installed
// plugin is uninstalled; a clone that still runs is killed and awaited until the server says that it failed
// or completed. A directory is left to the caller, who may delete it once the statement is undone.
// Errors are *Error; class Uncertain: the server could not be reached, nothing is known.
func (s *Server) Undo(ctx context.Context, e Effect) error {
	return undo(ctx, s, sending{s}, e)
}

func undo(ctx context.Context, s *Server, out outlet, e Effect) error {
	switch e.Kind {
	case EffectGlobal:
		var g GlobalEffect
		if err := decode(e, &g); err != nil {
			return err
		}
		if err := g.check(); err != nil {
			return refuseEffect(e, err)
		}
		_, err := restoreGlobal(ctx, s, out, g)
		return err
	case EffectPlugin:
		var p PluginEffect
		if err := decode(e, &p); err != nil {
			return err
		}
		if p.Name != "clone" {
			return refuseEffect(e, fmt.Errorf("%q is not a plugin that a clone installs", p.Name))
		}
		return uninstallPlugin(ctx, s, out)
	case EffectStatement:
		var st StatementEffect
		if err := decode(e, &st); err != nil {
			return err
		}
		if st.Directory == "" {
			return endDonation(ctx, s, out, st.PID)
		}
		// By the destination alone: the connection of the record may be another's by now.
		return out.stop(ctx, st.Directory)
	case EffectDirectory:
		return nil
	}
	return refuseEffect(e, fmt.Errorf("%q is not a kind of effect", e.Kind))
}

func decode(e Effect, into any) error {
	if err := json.Unmarshal(e.Data, into); err != nil {
		return refuseEffect(e, err)
	}
	return nil
}

func refuseEffect(e Effect, err error) error {
	return &Error{Class: Other, Op: fmt.Sprintf("undo %q", e.Summary), Err: err}
}

// erNoSuchThread answers the kill of a connection that is gone.
const erNoSuchThread = 1094

// endDonation has a server give up a snapshot that it keeps for a recipient which is gone, which it does for
// clone_donor_timeout_after_network_failure, and waits until it has. The connection of the record may be another's by now. Anybody may
// read the attributes of connections of the own account.
func endDonation(ctx context.Context, s *Server, out outlet, pid int64) error {
	if err := endLost(ctx, s, out); err != nil {
		return err
	}
	const ours = "SELECT COUNT(*) FROM performance_schema.threads t JOIN performance_schema.session_account_connect_attrs a USING (PROCESSLIST_ID) " +
		"WHERE t.PROCESSLIST_ID = ? AND t.PROCESSLIST_COMMAND = 'clone' AND a.ATTR_NAME = 'program_name' AND a.ATTR_VALUE = '" + programName + "'"
	for {
		var there int
		if err := oneRow(ctx, s.db, ours, pid).Scan(&there); err != nil {
			return wrap("look for the connection that pulls the clone", err)
		}
		if there == 0 {
			return nil
		}
		if err := out.exec(ctx, fmt.Sprintf("KILL %d", pid)); err != nil && !IsNumber(err, erNoSuchThread) {
			return wrap("end the connection that pulls the clone", err)
		}
		if err := pause(ctx, defaultInterval); err != nil {
			return &Error{Class: Uncertain, Op: "wait for the connection that pulls the clone to end", Err: err}
		}
	}
}
