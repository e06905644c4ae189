package contract

// rulesAt are the grants, keys and policy of one number.
func (m model) rulesAt(number int64) Object {
	return m.get(m.key("policy", number)).object("record")
}

func (m model) policyHead() int64 { return m.get(m.key("policy", "head")).number("number") }

func rulesFit(rules Object) error {
	policy, keys := rules.object("policy"), rules.object("keys")
	sealing := append(keys.texts("auditors"), keys.text("aggregator"), keys.text("validator"))
	for _, key := range sealing {
		if err := sealingKeyFits(key); err != nil {
			return err
		}
	}
	return demand(policy.text("probe") != policy.text("test"), Refused, "one set cannot be both probe and test set")
}

func proposePolicy(m model, r Record) (Object, error) {
	number := m.policyHead() + 1
	err := first(
		demand(r.number("number") == number, Conflict, "the next policy of %s is number %d, not %d", m.name, number, r.number("number")),
		rulesFit(r.Object),
		governable(r.objects("grants")),
	)
	if err != nil {
		return nil, err
	}
	m.keep(path("proposal", r.ID), r, Object{"state": "open"})
	return Object{"number": number, "state": "open"}, nil
}

func approvePolicy(m model, r Record) (Object, error) {
	key := path("proposal", r.text("proposal"))
	proposal := m.get(key)
	if proposal == nil || proposal.object("record").text("model") != m.name {
		return nil, refuse(NotFound, "there is no proposal %s for %s", r.text("proposal"), m.name)
	}
	number := proposal.object("record").number("number")
	err := first(
		demand(number == m.policyHead()+1, Conflict, "the proposal is for policy %d; %d is in force", number, m.policyHead()),
		m.anotherPerson(proposal.object("actor")),
	)
	if err != nil {
		return nil, err
	}
	m.amend(key, Object{"state": "approved"})
	m.set(m.key("policy", number), m.get(key))
	m.set(m.key("policy", "head"), Object{"number": number})
	m.keep(path("approval", r.text("proposal")), r, nil)
	return Object{"number": number}, nil
}
