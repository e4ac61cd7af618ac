package clone

import "context"

// subject is what every check looks at.
type subject struct {
	facts  *Facts
	target Target
	spaces []Space
}

// check is one prerequisite under its code.
type check struct {
	code string
	find func(subject) Finding
	scope
}

// scope is the modes that a check is of; zero is all of them.
type scope int

const (
	everyMode   scope = iota
	withStaging       // a server writes a staging directory
	streaming         // the copy comes over the clone protocol
)

// concerns reports whether a check of that scope says anything about the target.
func (c scope) concerns(t Target) bool {
	return c == everyMode || t.streams() == (c == streaming)
}

// checks is every check in the order of its code. A failed check is a certain claim; a passed one promises
// nothing about the time after it.
func checks() []check {
	return []check{
		{CodeVersion, checkVersion, everyMode},
		{CodePerformanceSchema, checkPerformanceSchema, everyMode},
		{CodePlugin, checkPlugin, everyMode},
		{CodeBackupAdmin, checkBackupAdmin, everyMode},
		{CodeReadStatus, checkReadStatus, everyMode},
		{CodeProcess, checkProcess, everyMode},
		{CodeSetVariables, checkSetVariables, everyMode},
		{CodeBusy, checkBusy, everyMode},
		{CodeRedoLogging, checkRedoLogging, everyMode},
		{CodeLostTables, checkLostTables, everyMode},
		{CodeLogTables, checkLogTables, everyMode},
		{CodeExternal, checkExternal, everyMode},
		{CodeEncryption, checkEncryption, everyMode},
		{CodeSameHost, checkSameHost, withStaging},
		{CodeStagingPath, checkStagingPath, withStaging},
		{CodeStagingParent, checkStagingParent, withStaging},
		{CodeStagingAbsent, checkStagingAbsent, withStaging},
		{CodeStagingReadable, checkStagingReadable, withStaging},
		{CodeStagingWritable, checkStagingWritable, withStaging},
		{CodeStagingSpace, checkStagingSpace, withStaging},
		{CodeRepository, checkRepository, everyMode},
		{CodeRepositorySpace, checkRepositorySpace, everyMode},
		{CodeSettings, checkSettings, withStaging},
		{CodeDDL, checkDDL, everyMode},
		{CodeBinaryLog, checkBinaryLog, everyMode},
		{CodeReadOnly, checkReadOnly, everyMode},
		{CodePacket, checkPacket, streaming},
		{CodeArchiveTables, checkArchiveTables, streaming},
		{CodeWireCompression, checkWireCompression, streaming},
		{CodeSystemFiles, checkSystemFiles, everyMode},
		{CodeReading, checkReading, everyMode},
		{CodeView, checkView, withStaging},
		{CodeMissingTables, checkMissingTables, everyMode},
		{CodeServerConnections, checkServerConnections, everyMode},
		{CodeAccountConnections, checkAccountConnections, everyMode},
		{CodeHourlyLimits, checkHourlyLimits, everyMode},
		{CodeSystemExtents, checkSystemExtents, withStaging},
	}
}

// Check compares the facts, and what we see of the file systems, with what the target asks for: one
// finding a fact, for one mode always the same codes in the same order. It changes nothing anywhere, not even a temporary
// file. A finding of SeverityError means that the clone would fail, or would not be what the plan asks for.
// When ctx ends, the findings that were not made yet are unknown.
func (s *Server) Check(ctx context.Context, f *Facts, t Target) []Finding {
	return runChecks(ctx, subject{facts: f, target: t, spaces: EstimateSpace(f, t)})
}

func runChecks(ctx context.Context, s subject) []Finding {
	all := checks()
	findings := make([]Finding, 0, len(all))
	for _, c := range all {
		if !c.concerns(s.target) {
			continue
		}
		finding := unknown("not checked", "the check was cancelled", "")
		if ctx.Err() == nil {
			finding = c.find(s)
		}
		finding.Code = c.code
		findings = append(findings, finding)
	}
	return findings
}
