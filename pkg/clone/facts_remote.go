package clone

import "context"

// DonorFacts is Facts, and beside it what a recipient compares with its own.
func (s *Server) DonorFacts(ctx context.Context) (*Facts, error) {
	return s.facts(ctx, reader{remote: true})
}

// RecipientFacts is Facts, and beside it what is compared with the donor's, and a keyring where the donor's copy takes one.
func (s *Server) RecipientFacts(ctx context.Context, donor *Facts) (*Facts, error) {
	return s.facts(ctx, reader{remote: true, keyring: len(donor.EncryptedParts()) > 0})
}

// DonorFacts is Server.DonorFacts, which only reads.
func (d *DryServer) DonorFacts(ctx context.Context) (*Facts, error) { return d.s.DonorFacts(ctx) }

// RecipientFacts is Server.RecipientFacts, which only reads.
func (d *DryServer) RecipientFacts(ctx context.Context, donor *Facts) (*Facts, error) {
	return d.s.RecipientFacts(ctx, donor)
}

// WrittenBy makes the recipient's keyring the one that a copy of this donor takes: the recipient seals the keys of what is encrypted with its
// own ("Cloning Encrypted Data" in the manual). Nothing changes where nothing is encrypted.
func (f *Facts) WrittenBy(recipient *Facts) {
	if len(f.EncryptedParts()) == 0 {
		return
	}
	f.Source.Keyring = recipient.Keyring.Name
	f.Source.RestoreCNF = restoreCNF(f, "recipient "+recipient.Source.Host)
}

func (r *reader) collations(ctx context.Context) error {
	if !r.remote {
		return nil
	}
	names, err := r.column(ctx, "SELECT COLLATION_NAME FROM information_schema.collations ORDER BY COLLATION_NAME")
	r.facts.Collations = names
	return err
}
