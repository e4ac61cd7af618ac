package clone

import (
	"fmt"
	"strings"
	"time"
)

// checkSettings: nothing in the plan is ignored, so what this server cannot be set to is an error.
func checkSettings(s subject) Finding {
	t := s.target
	problems := []string{}
	problem := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	rate := ceil(t.Bandwidth, mebibyte)
	if rate > 0 && !s.hasVariable(varBandwidth) {
		problem("The server has no variable %s, which bandwidth needs.", varBandwidth)
	}
	if rate > maxBandwidthMiB {
		problem("A bandwidth of %s/s cannot be set: the server takes at most %d MiB/s.", bytesText(t.Bandwidth), maxBandwidthMiB)
	}
	if t.Threads > 0 && !s.hasVariable(varThreads) {
		problem("The server has no variable %s, which threads needs.", varThreads)
	}
	if t.Threads > maxThreads {
		problem("%d threads cannot be set: the server takes 1 to %d.", t.Threads, maxThreads)
	}
	if len(problems) > 0 {
		return found(SeverityError, "the plan's limits cannot be honoured", strings.Join(problems, " "), "take the setting out of the block clone of the plan, or change it")
	}
	if t.Bandwidth%mebibyte != 0 {
		return found(SeverityInfo, "the bandwidth is rounded up", fmt.Sprintf("The server takes whole MiB/s: %d B/s becomes %d MiB/s.", t.Bandwidth, rate), "")
	}
	return okay("the plan's limits can be honoured", "Bandwidth and threads are as the plan says, or left alone.")
}

// checkDDL: before 8.0.27 every clone blocked DDL, and there was no choice.
func checkDDL(s subject) Finding {
	t := s.target
	if t.streams() {
		return s.streamedDDL()
	}
	const bad = "what the plan says of DDL cannot be honoured"
	const hint = "take ddl and ddl_timeout out of the block clone of the plan, or change them"
	switch {
	case t.DDL == "allow" && !s.hasVariable(varBlockDDL):
		return found(SeverityError, bad, "The server has no variable clone_block_ddl (it came with 8.0.27); without it a clone always blocks DDL.", hint)
	case t.DDL == "block" && !s.hasVariable(varBlockDDL):
		return found(SeverityError, bad, "The server has no variable clone_block_ddl (it came with 8.0.27). A clone blocks DDL there in any case.", hint)
	case t.DDLTimeout > 0 && !s.hasVariable(varDDLTimeout):
		return found(SeverityError, bad, "The server has no variable clone_ddl_timeout.", hint)
	case ceil(int64(t.DDLTimeout), int64(time.Second)) > maxDDLTimeout:
		return found(SeverityError, bad, fmt.Sprintf("A timeout of %s cannot be set: the server takes at most %s.", t.DDLTimeout, maxDDLTimeout*time.Second), hint)
	case t.DDLTimeout%time.Second != 0:
		return found(SeverityInfo, "ddl_timeout is rounded up", fmt.Sprintf("The server takes whole seconds: %s becomes %d s.", t.DDLTimeout, ceil(int64(t.DDLTimeout), int64(time.Second))), "")
	}
	return okay("DDL is as the plan says", "DDL during the clone is allowed or blocked as the plan or the server's own setting has it.")
}

// streamedDDL: the protocol says what becomes of DDL, and has done so since the server knows how to let it run.
func (s subject) streamedDDL() Finding {
	const hint = "take ddl and ddl_timeout out of the block clone of the plan, or change them"
	switch t := s.target; {
	case t.DDL == "allow" && !s.facts.Version.HasBlockDDL():
		return found(SeverityError, "what the plan says of DDL cannot be honoured", "A clone blocks DDL on servers before 8.0.27.", hint)
	case ceil(int64(t.DDLTimeout), int64(time.Second)) > maxDDLTimeout:
		return found(SeverityError, "what the plan says of DDL cannot be honoured", fmt.Sprintf("A timeout of %s cannot be asked for: at most %s.", t.DDLTimeout, maxDDLTimeout*time.Second), hint)
	}
	return okay("DDL is as the plan says", "DDL during the clone is allowed or blocked as the plan says; allowed where it says nothing, unless tables lie outside the data directory (RUN012).")
}

// hasVariable reports whether the server has the variable, or will have it once the plan's loading of the
// plugin has brought it.
func (s subject) hasVariable(name string) bool {
	if _, there := s.facts.Variables[name]; there {
		return true
	}
	if p, _ := s.facts.Plugin("clone"); p.Active() || !s.target.mayInstall() {
		return false
	}
	if name == varBlockDDL {
		return s.facts.Version.HasBlockDDL()
	}
	return s.facts.Version.HasClone()
}
