package clone

import "context"

// pair is what every check of a remote clone looks at: each server as the subject of the checks that concern it, and how the one
// is told of the other.
type pair struct {
	donor, recipient subject
	config           Config // of the donor, resolved
	target           Target
}

// remoteCheck is one prerequisite of a remote clone under its code.
type remoteCheck struct {
	code string
	find func(pair) Finding
}

// onDonor is a check of any clone, of the server that is copied.
func onDonor(code string, find func(subject) Finding) remoteCheck {
	return remoteCheck{code, func(p pair) Finding { return of("donor", find(p.donor)) }}
}

// onRecipient is a check of any clone, of the server that writes the copy.
func onRecipient(code string, find func(subject) Finding) remoteCheck {
	return remoteCheck{code, func(p pair) Finding { return of("recipient", find(p.recipient)) }}
}

// here is a check of what is on this host.
func here(code string, find func(subject) Finding) remoteCheck {
	return remoteCheck{code, func(p pair) Finding { return find(p.recipient) }}
}

// of says which of the two servers a finding is about.
func of(server string, f Finding) Finding {
	f.Summary = server + ": " + f.Summary
	return f
}

// remoteChecks is every check of a remote clone in the order of its code.
func remoteChecks() []remoteCheck {
	return []remoteCheck{
		onDonor(CodeVersion, checkVersion),
		onDonor(CodePerformanceSchema, checkPerformanceSchema),
		onDonor(CodePlugin, checkDonorPlugin),
		onDonor(CodeBackupAdmin, checkBackupAdmin),
		onDonor(CodeReadStatus, checkDonorStatus),
		onDonor(CodeProcess, checkProcess),
		onRecipient(CodeSetVariables, checkSetVariables),
		onDonor(CodeBusy, checkBusy),
		onDonor(CodeRedoLogging, checkRedoLogging),
		onDonor(CodeLostTables, checkLostTables),
		onDonor(CodeLogTables, checkLogTables),
		onRecipient(CodeSameHost, checkSameHost),
		onRecipient(CodeStagingPath, checkStagingPath),
		onRecipient(CodeStagingParent, checkStagingParent),
		onRecipient(CodeStagingAbsent, checkStagingAbsent),
		onRecipient(CodeStagingReadable, checkStagingReadable),
		onRecipient(CodeStagingWritable, checkStagingWritable),
		{CodeStagingSpace, func(p pair) Finding { return checkStagingSpace(p.donor) }},
		here(CodeRepository, checkRepository),
		{CodeRepositorySpace, func(p pair) Finding { return checkRepositorySpace(p.donor) }},
		onRecipient(CodeSettings, checkSettings),
		onRecipient(CodeDDL, checkDDL),
		onDonor(CodeBinaryLog, checkBinaryLog),
		onDonor(CodeReadOnly, checkReadOnly),
		{CodeDonorAddress, checkDonorAddress},
		{CodeTwoServers, checkTwoServers},
		{CodeVersions, checkVersions},
		{CodePlatform, checkPlatform},
		{CodeCharacterSets, checkCharacterSets},
		{CodePageSizes, checkPageSizes},
		onRecipient(CodeRecipientSchema, checkPerformanceSchema),
		onRecipient(CodeRecipientPlugin, checkPlugin),
		{CodeDonorPlugins, checkDonorPlugins},
		onRecipient(CodeRecipientPrivilege, checkRecipientPrivilege),
		onRecipient(CodeRecipientReadStatus, checkRecipientStatus),
		{CodeDonorList, checkDonorList},
		{CodePackets, checkPackets},
		{CodeEncryptedTransfer, checkEncryptedTransfer},
		{CodeNetworkTimeout, checkNetworkTimeout},
		{CodeNetworkBandwidth, checkNetworkBandwidth},
		{CodeRemoteExternal, checkRemoteExternal},
		{CodeRemoteEncryption, checkRemoteEncryption},
		onRecipient(CodeRecipientBusy, checkBusy),
		onDonor(CodeSystemFiles, checkSystemFiles),
		onDonor(CodeReading, checkReading),
		onRecipient(CodeView, checkView),
		onDonor(CodeMissingTables, checkMissingTables),
		ofBoth(CodeServerConnections, checkServerConnections),
		ofBoth(CodeAccountConnections, checkAccountConnections),
		ofBoth(CodeHourlyLimits, checkHourlyLimits),
		onDonor(CodeSystemExtents, checkSystemExtents),
	}
}

// CheckRemote compares the facts of both servers with what a remote clone by this recipient asks for, as Check does for a
// local one: always the same codes in the same order, and nothing is changed or tried on either server. The facts are those of
// DonorFacts and RecipientFacts.
func (s *Server) CheckRemote(ctx context.Context, donor Donor, theirs, ours *Facts, t Target) []Finding {
	spaces := EstimateSpace(theirs, t) // of the donor's data, on the recipient's host
	return runRemoteChecks(ctx, pair{
		donor: subject{facts: theirs, target: t, spaces: spaces}, recipient: subject{facts: ours, target: t, spaces: spaces},
		config: donor.giving().config, target: t,
	})
}

// CheckRemote is Server.CheckRemote, which only reads.
func (d *DryServer) CheckRemote(ctx context.Context, donor Donor, theirs, ours *Facts, t Target) []Finding {
	return d.s.CheckRemote(ctx, donor, theirs, ours, t)
}

func runRemoteChecks(ctx context.Context, p pair) []Finding {
	all := remoteChecks()
	findings := make([]Finding, 0, len(all))
	for _, c := range all {
		finding := unknown("not checked", "the check was cancelled", "")
		if ctx.Err() == nil {
			finding = c.find(p)
		}
		finding.Code = c.code
		findings = append(findings, finding)
	}
	return findings
}
