// Package steps is the glue between the engine and the two halves of the work: package clone, which speaks to MySQL,
// and package archive, which packs bytes. There is one file a step: check, clone, compress, checksum, metadata.
//
// The steps of one job run one after the other, in the order that the graph gives them, and hand their results down in
// the job's state. What a step must remember to be taken as done by a later attempt is what it returns: the engine
// records it in the journal, and offers it to Adopt.
//
// Whether anything is changed at all is the Host's business: Live changes servers, staging directories and
// repositories, Dry refuses to. The steps do not know which of the two they work on.
package steps
