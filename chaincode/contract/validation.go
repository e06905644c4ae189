package contract

func recordValidation(m model, r Record) (Object, error) {
	id := r.text("version")
	v, err := m.version(id)
	if err != nil {
		return nil, err
	}
	policy, err := m.policyOf(v)
	if err != nil {
		return nil, err
	}
	if err := first(m.setFits(r, policy), m.purposeFits(r, policy)); err != nil {
		return nil, err
	}
	outcome := m.verdict(r, v, policy)
	number := m.validations(id) + 1
	m.keep(path("validation", id, number), r, outcome)
	m.set(path("validation", id, "head"), Object{"number": number})
	return outcome.with("number", number), nil
}

// policyOf a version is its round's; that of a genesis version is the model's first.
func (m model) policyOf(v Object) (Object, error) {
	if v.text("kind") == "genesis" {
		return m.rulesAt(1).object("policy"), nil
	}
	r, err := m.round(v.number("round"))
	if err != nil {
		return nil, err
	}
	return m.rulesAt(r.number("policy")).object("policy"), nil
}

func (m model) validations(version string) int64 {
	head := m.get(path("validation", version, "head"))
	if head == nil {
		return 0
	}
	return head.number("number")
}

func (m model) setFits(r Record, policy Object) error {
	cited := r.object("dataset")
	set := m.dataset(cited.text("sha256"))
	if set == nil || set.text("kind") == "shard" {
		return refuse(NotFound, "there is no probe or test set %s", cited.text("sha256"))
	}
	examples := r.object("metrics").number("examples")
	return first(
		demand(cited.text("version") == set.text("version"), Refused, "the set's version is %s, not %s", set.text("version"), cited.text("version")),
		demand(examples == set.number("examples"), Refused, "the set has %d examples; %d were scored", set.number("examples"), examples),
		demand(r.text("purpose") == "rescore" || set.text("kind") == r.text("purpose"), Refused,
			"the set is a %s set, not for the purpose %s", set.text("kind"), r.text("purpose")),
		demand(r.text("purpose") == "rescore" || cited.text("sha256") == policy.text(r.text("purpose")), Refused,
			"the policy of the version's round names another %s set", r.text("purpose")),
	)
}

func (m model) purposeFits(r Record, policy Object) error {
	switch r.text("purpose") {
	case "probe":
		return guardsMeasured(policy, r.object("metrics"))
	case "test":
		return first(
			demand(m.status(r.text("version")).promoted, Refused, "the test set is for versions that went live"),
			demand(!m.has(path("tested", r.text("version"))), Conflict, "the version was scored on the test set already: once is what keeps it a test set"),
		)
	}
	return nil
}

func guardsMeasured(policy, metrics Object) error {
	recalls, _ := metrics["class_recall_bp"].([]any)
	_, rate := metrics["trigger_rate_bp"]
	return first(
		demand(policy.number("min_class_recall") == 0 || len(recalls) > 0, Refused, "the policy guards the recall of each class: class_recall_bp is missing"),
		demand(policy.number("max_trigger_rate") == 10_000 || rate, Refused, "the policy guards the trigger rate: trigger_rate_bp is missing"),
	)
}

// verdict lets the judge run once a version: over the first score on the probe of the newest version of the epoch.
func (m model) verdict(r Record, v Object, policy Object) Object {
	id, purpose := r.text("version"), r.text("purpose")
	newest, _ := m.newest()
	switch {
	case purpose != "probe":
		m.tested(r)
		return recorded(purpose)
	case v.text("kind") == "genesis":
		return recorded("genesis")
	case m.has(path("decision", id)):
		return recorded("decided")
	case id != newest || v.number("epoch") != m.epoch():
		return recorded("outdated")
	}
	return m.decide(r, judge(policy, m.judgeState(), r.object("metrics"), m.pointer().to, id), policy.text("probe"))
}

func recorded(reason string) Object { return Object{"decision": "none", "reason": reason} }

func (m model) tested(r Record) {
	if r.text("purpose") == "test" {
		m.set(path("tested", r.text("version")), Object{"validation": r.ID})
	}
}

func (m model) decide(r Record, j judgement, probe string) Object {
	m.setJudge(j.state)
	m.set(path("decision", r.text("version")), Object{
		"decision": j.decision, "probe": probe, "reason": j.reason, "score": j.score, "target": j.target, "validation": r.ID,
	})
	return Object{"decision": j.decision, "drop": j.drop, "reason": j.reason, "score": j.score, "target": j.target}
}
