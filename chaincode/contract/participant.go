package contract

import "slices"

func registerParticipant(t *transaction, in input) (Object, error) {
	r := in.records[0]
	m, err := t.model(r.text("model"))
	if err != nil {
		return nil, err
	}
	key := m.key("participant", r.text("participant"))
	err = first(
		demand(!m.has(key), Conflict, "there is a participant %s already, made by another record", r.text("participant")),
		m.newKeysFit(r, in.words[0]),
	)
	if err != nil {
		return nil, err
	}
	m.keep(key, r, Object{"ed25519": r.text("ed25519"), "x25519": r.text("x25519"), "number": 0, "status": "active"})
	m.setSigningKey(r.text("ed25519"), r.text("participant"), false)
	return Object{"number": 0}, nil
}

// newKeysFit holds two new keys of a participant against the rules: a signing key belongs to one participant for
// ever, so that neither an excluded one returns under another name nor one that was replaced comes back.
func (m model) newKeysFit(r Record, signature string) error {
	public := r.text("ed25519")
	if err := first(signingKeyFits(public), sealingKeyFits(r.text("x25519"))); err != nil {
		return err
	}
	if before := m.get(m.key("key", public)); before != nil {
		return first(
			demand(!before.flag("barred"), Refused, "the key %s was excluded with %s", public, before.text("participant")),
			refuse(Conflict, "the key %s belongs to %s for ever", public, before.text("participant")),
		)
	}
	return demand(signedBy(public, r.text("schema"), m.genesis, Encode(r.Object), signature), Refused,
		"the signature is not by the key that is to be registered, or for another ledger")
}

func (m model) setSigningKey(public, participant string, barred bool) {
	m.set(m.key("key", public), Object{"participant": participant, "barred": barred})
}

// participant is a registered participant's current keys, number of events and status.
func (m model) participant(name string) (Object, error) {
	state := m.get(m.key("participant", name))
	if state == nil {
		return nil, refuse(NotFound, "there is no participant %s in %s", name, m.name)
	}
	return state.object("outcome"), nil
}

func (m model) excluded(name string) bool {
	p, err := m.participant(name)
	return err == nil && p.text("status") == "excluded"
}

// statusChanges leads from the current status to what a record may say.
var statusChanges = map[string][]string{
	"active":   {"excluded", "left"},
	"left":     {"active", "excluded"},
	"excluded": {"reinstated"},
}

func setParticipantStatus(m model, r Record) (Object, error) {
	p, err := m.participant(r.text("participant"))
	if err != nil {
		return nil, err
	}
	err = first(
		nextEvent(p, r),
		demand(slices.Contains(statusChanges[p.text("status")], r.text("status")), Refused,
			"a participant that is %s cannot become %s", p.text("status"), r.text("status")),
		m.decisionCited(r),
		m.aggregatorMayExclude(r),
	)
	if err != nil {
		return nil, err
	}
	status := currentStatus(r.text("status"))
	m.event(r, Object{"number": r.number("number"), "status": status})
	m.setSigningKey(p.text("ed25519"), r.text("participant"), status == "excluded")
	return Object{"number": r.number("number"), "status": status}, nil
}

// currentStatus of one that was reinstated is active: there is one word for who may take part.
func currentStatus(said string) string {
	if said == "reinstated" {
		return "active"
	}
	return said
}

func nextEvent(p Object, r Record) error {
	next := p.number("number") + 1
	return demand(r.number("number") == next, Conflict,
		"the next event of %s is number %d, not %d", r.text("participant"), next, r.number("number"))
}

func (m model) event(r Record, change Object) {
	key := m.key("participant", r.text("participant"))
	m.amend(key, change)
	m.keep(path(key, r.number("number")), r, nil)
}

func (m model) decisionCited(r Record) error {
	cited := r.text("decision")
	if cited == "" {
		return nil
	}
	if _, err := m.version(cited); err != nil {
		return err
	}
	return demand(m.decided(cited, "rollback"), Refused, "it was not decided to roll back version %s", cited)
}

// aggregatorMayExclude lets the aggregator act without a person in one case only: the policy allows it, the ledger
// itself decided to roll back a version that this participant had a part in, and there is a diagnosis to be held to.
func (m model) aggregatorMayExclude(r Record) error {
	if m.caller.Role != aggregator {
		return nil
	}
	name, cited := r.text("participant"), r.text("decision")
	return first(
		demand(r.text("status") == "excluded", Forbidden, "the aggregator may exclude, not set %s", r.text("status")),
		demand(m.rules.object("policy").flag("enable_client_exclusion"), Forbidden, "the policy leaves exclusion to people"),
		demand(cited != "", Refused, "the aggregator must cite the version whose decision was to roll back"),
		demand(r.text("evidence") != "", Refused, "the aggregator must cite the hash of a diagnosis"),
		demand(cited == "" || m.tookPart(name, cited), Refused, "%s had no part in version %s", name, cited),
	)
}

func rotateParticipantKey(t *transaction, in input) (Object, error) {
	r := in.records[0]
	m, err := t.model(r.text("model"))
	if err != nil {
		return nil, err
	}
	p, err := m.participant(r.text("participant"))
	if err != nil {
		return nil, err
	}
	err = first(
		nextEvent(p, r),
		demand(p.text("status") == "active", Refused, "%s is %s: its keys stay as they are", r.text("participant"), p.text("status")),
		m.newKeysFit(r, in.words[0]),
	)
	if err != nil {
		return nil, err
	}
	m.event(r, Object{"ed25519": r.text("ed25519"), "x25519": r.text("x25519"), "number": r.number("number")})
	m.setSigningKey(r.text("ed25519"), r.text("participant"), false)
	return Object{"number": r.number("number")}, nil
}
