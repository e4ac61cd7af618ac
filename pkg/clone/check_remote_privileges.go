package clone

// checkDonorStatus: the donor's logs and the clones that are pulled from it are read there; its own clone_status says nothing of them.
func checkDonorStatus(s subject) Finding { return readsStatus(s, "log_status", "threads") }

// checkRecipientStatus: the state and the progress of what it pulls are the recipient's.
func checkRecipientStatus(s subject) Finding {
	return readsStatus(s, "clone_status", "clone_progress", "threads")
}

// checkRecipientPrivilege: pulling into a directory takes what writing any copy takes (seen on a 9.7). CLONE_ADMIN, which the manual names, is for
// pulling without one, which replaces the recipient's data: an account that lacks it can do the recipient no harm.
func checkRecipientPrivilege(s subject) Finding {
	has := s.facts.Account.Has("BACKUP_ADMIN", "", "")
	return privilege(s, has, "BACKUP_ADMIN", "Pulling a copy into a directory takes it, on the recipient as on the donor; CLONE_ADMIN does not include it.", "GRANT BACKUP_ADMIN ON *.*")
}

// checkDonorPlugin: only the recipient's plugin is loaded where the plan allows that; nothing is changed on the donor.
func checkDonorPlugin(s subject) Finding {
	s.target.Plugin = "require"
	f := checkPlugin(s)
	if f.Severity == SeverityError {
		f.Hint = installPlugin + " -- on the donor, by an administrator: check { plugin = \"install\" } is for the recipient"
	}
	return f
}
