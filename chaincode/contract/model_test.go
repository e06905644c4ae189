package contract

import "testing"

func TestAModelStartsOnItsLedgerWithItsGenesisVersion(t *testing.T) {
	genesis := func(change Object) []string {
		version := rec("version.1", genesisVersion("faces").and(change))
		return []string{modelRecords("faces", Object{"version": digest(version)})[0], version}
	}
	lowOrder := testKeys().and(Object{"auditors": []any{emptyChain}})
	for _, c := range []struct {
		why, code, sentence string
		arguments           []string
	}{
		{"a record for another ledger", Refused, "the record is for the ledger", modelRecords("faces", Object{"genesis": digest("another")})},
		{"no grant to the caller", Forbidden, "nothing as admin to OrgA", modelRecords("faces", Object{"grants": testGrants("OrgB admin")})},
		{"another version than given", Refused, "the version given is", modelRecords("faces", Object{"version": digest("another")})},
		{"a name that is taken", Conflict, "there is a model digits already", modelRecords("digits", Object{"architecture": Object{"name": "cnn"}})},
		{"one set for both", Refused, "cannot be both", modelRecords("faces", Object{"policy": testPolicy().with("test", digest("probe"))})},
		{"a sealing key of low order", Refused, "of low order", modelRecords("faces", Object{"keys": lowOrder})},
		{"a version of another model", Refused, "of the model digits", genesis(Object{"model": "digits"})},
		{"a version that is no genesis", Refused, "of kind and rule genesis", genesis(Object{"kind": "aggregate"})},
		{"a number", Refused, "number, epoch and round 0", genesis(Object{"number": 1})},
		{"a parent", Refused, "no parent", genesis(Object{"parent": digest("parent")})},
		{"updates", Refused, "has no updates", genesis(Object{"sealed": Object{"chain": emptyChain, "count": 1}})},
		{"a diff", Refused, "stored whole", genesis(Object{"blob": testBlob("x", "xor.1")})},
		{"a blob that is anchored", Conflict, "anchored already", genesis(Object{"blob": testBlob("digits genesis", "whole.1")})},
		{"a broken version", BadRecord, "starts with {", []string{modelRecords("faces", nil)[0], "x"}},
	} {
		t.Run(c.why, func(t *testing.T) {
			w := bare(t, nil)
			w.refuses(c.code, c.sentence, anna(), "RegisterModel", c.arguments...)
		})
	}
	w := bare(t, nil)
	w.refuses(Forbidden, "this needs the role admin", olga(), "RegisterModel", modelRecords("faces", nil)...)
	w.must(anna(), "RegisterModel", modelRecords("faces", nil)...)
	if got := w.at("pointer/faces/head"); got.text("to") != w.at("version/faces/0").text("id") || got.number("seq") != 0 {
		t.Errorf("the pointer is %v", got)
	}
}

func TestASetIsRegisteredOnceAndShardsHaveParticipants(t *testing.T) {
	w := newWorld(t, nil)
	change := func(o Object) string {
		return rec("dataset.1", Object{
			"model": "digits", "dataset": "more", "kind": "shard", "version": "1", "sha256": digest("more"), "examples": 10, "participant": "site-a",
		}.and(o))
	}
	w.refuses(Conflict, "registered already", anna(), "RegisterDataset", change(Object{"sha256": digest("probe")}))
	w.refuses(Refused, "a shard names its participant", anna(), "RegisterDataset", change(Object{"participant": ""}))
	w.refuses(Refused, "a probe or test set names none", anna(), "RegisterDataset", change(Object{"kind": "test"}))
	w.refuses(NotFound, "no participant site-x", anna(), "RegisterDataset", change(Object{"participant": "site-x"}))
	w.refuses(NotFound, "there is no model faces", anna(), "RegisterDataset", change(Object{"model": "faces"}))
	w.must(anna(), "RegisterDataset", change(nil))
}

func (w *world) proposal(change Object) string {
	return rec("policy-proposal.1", Object{
		"model": "digits", "number": w.view().policyHead() + 1, "grants": testGrants(bothOrganisations...), "keys": testKeys(),
		"policy": testPolicy().with("patience_threshold", 5),
	}.and(change))
}

func policyApproval(proposal string) string {
	return rec("policy-approval.1", Object{"model": "digits", "proposal": proposal})
}

func TestAPolicyTakesTwoPeople(t *testing.T) {
	w := newWorld(t, nil)
	w.refuses(Conflict, "the next policy of digits is number 2, not 3", olga(), "ProposePolicy", w.proposal(Object{"number": 3}))
	first := w.must(olga(), "ProposePolicy", w.proposal(nil)).text("id")
	second := w.must(otto(), "ProposePolicy", w.proposal(Object{"policy": testPolicy().with("patience_threshold", 6)})).text("id")

	w.refuses(Forbidden, "another person must decide", person("OrgA", "olga", approver), "ApprovePolicy", policyApproval(first))
	w.refuses(Forbidden, "approvers of another organisation", pia(), "ApprovePolicy", policyApproval(first))
	w.refuses(NotFound, "there is no proposal", paul(), "ApprovePolicy", policyApproval(digest("unknown")))
	w.must(paul(), "ApprovePolicy", policyApproval(first))
	if w.view().rules.object("policy").number("patience_threshold") != 5 || w.view().policyHead() != 2 {
		t.Errorf("policy %d is in force: %v", w.view().policyHead(), w.view().rules)
	}
	w.refuses(Conflict, "the proposal is for policy 2; 2 is in force", pia(), "ApprovePolicy", policyApproval(second))
}

func TestGrantsThatNobodyCouldChangeAreRefused(t *testing.T) {
	w := newWorld(t, nil)
	for _, role := range []string{admin, operator, approver} {
		var left []string
		for _, pair := range bothOrganisations {
			if pair != "OrgA "+role && pair != "OrgB "+role {
				left = append(left, pair)
			}
		}
		w.refuses(Refused, "nobody would be "+role, olga(), "ProposePolicy", w.proposal(Object{"grants": testGrants(left...)}))
	}
	w.refuses(Refused, "cannot be both", olga(), "ProposePolicy", w.proposal(Object{"policy": testPolicy().with("test", digest("probe"))}))
}

func TestGrantsAreInForceFromTheirApprovalOn(t *testing.T) {
	w := newWorld(t, nil)
	proposal := w.must(olga(), "ProposePolicy", w.proposal(Object{
		"grants": testGrants("OrgA admin", "OrgA operator", "OrgB aggregator", "OrgB approver"),
	})).text("id")
	w.must(paul(), "ApprovePolicy", policyApproval(proposal))
	w.refuses(Forbidden, "digits grants OrgA nothing as aggregator", agg(), "OpenRound", w.roundRecord(nil))
	w.must(person("OrgB", "aggregator", aggregator), "OpenRound", w.roundRecord(nil))
	// Approvers are of one organisation only now: one of the requester's own may decide, but not the requester.
	proposal = w.must(person("OrgA", "x", operator), "ProposePolicy", w.proposal(Object{
		"grants": testGrants("OrgA admin", "OrgA approver", "OrgA operator"),
	})).text("id")
	w.must(paul(), "ApprovePolicy", policyApproval(proposal))
	request := w.requestRecord(w.genesis, nil)
	w.refuses(Refused, "is live, and no newer version", olga(), "RequestRollback", request)
	proposal = w.must(olga(), "ProposePolicy", w.proposal(nil)).text("id")
	w.refuses(Forbidden, "another person", person("OrgA", "olga", approver), "ApprovePolicy", policyApproval(proposal))
	w.must(pia(), "ApprovePolicy", policyApproval(proposal))
}
