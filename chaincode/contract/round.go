package contract

const emptyChain = "0000000000000000000000000000000000000000000000000000000000000000"

// round is a registered round: its record and what has become of it.
type round struct {
	Object
	key     string
	outcome Object
}

func (m model) round(number int64) (round, error) {
	key := m.key("round", number)
	state := m.get(key)
	if state == nil {
		return round{}, refuse(NotFound, "there is no round %d of %s", number, m.name)
	}
	return round{state.object("record"), key, state.object("outcome")}, nil
}

func (r round) is(outcome string) bool { return r.outcome.text("outcome") == outcome }

func (r round) sealAs(cited Object) error {
	return demand(cited.number("count") == r.outcome.number("count") && cited.text("chain") == r.outcome.text("chain"), Conflict,
		"round %d holds %d updates with chain %s; the record says %d with %s", r.number("number"),
		r.outcome.number("count"), r.outcome.text("chain"), cited.number("count"), cited.text("chain"))
}

func openRound(m model, r Record) (Object, error) {
	head, pointer := m.get(m.key("round", "head")), m.pointer()
	next := head.number("number") + 1
	err := first(
		m.notFrozen(),
		demand(!m.has(m.key("completion")), Refused, "the training of %s is complete", m.name),
		demand(!head.flag("open"), Conflict, "round %d of %s is still open", head.number("number"), m.name),
		demand(r.number("number") == next, Conflict, "the next round of %s is number %d, not %d", m.name, next, r.number("number")),
		m.currentEpoch(r.number("epoch")),
		demand(r.text("base") == pointer.to, Conflict, "the pointer is at version %s, not %s", pointer.to, r.text("base")),
		demand(r.number("policy") == m.policyHead(), Conflict, "policy %d is in force, not %d", m.policyHead(), r.number("policy")),
		demand(r.number("deadline_at")*1000 > m.claimedAt, Refused, "the deadline has passed"),
		m.allActive(r.texts("participants")),
	)
	if err != nil {
		return nil, err
	}
	m.keep(m.key("round", next), r, Object{"chain": emptyChain, "count": 0, "outcome": "open"})
	m.set(m.key("round", "head"), Object{"number": next, "open": true})
	return Object{"number": next}, nil
}

func (m model) currentEpoch(epoch int64) error {
	return demand(epoch == m.epoch(), Conflict, "%s is in epoch %d, not %d: a rollback came between", m.name, m.epoch(), epoch)
}

func (m model) allActive(participants []string) error {
	for _, name := range participants {
		p, err := m.participant(name)
		if err != nil {
			return err
		}
		if status := p.text("status"); status != "active" {
			return refuse(Refused, "%s is %s and cannot take part", name, status)
		}
	}
	return demand(len(participants) > 0, Refused, "a round needs a participant")
}

func closeRound(m model, r Record) (Object, error) {
	number := r.number("round")
	closing, err := m.round(number)
	if err != nil {
		return nil, err
	}
	err = first(
		demand(closing.is("open"), Conflict, "round %d is %s already", number, closing.outcome.text("outcome")),
		closing.sealAs(r.Object),
		demand(r.text("outcome") == "failed" || m.currentEpoch(closing.number("epoch")) == nil, Refused,
			"round %d is of an epoch before the last rollback: it can only be closed as failed", number),
		demand(r.text("outcome") == "failed" || m.quorate(closing), Refused,
			"round %d has %d updates of %d participants: below the quorum, so it can only be closed as failed",
			number, closing.outcome.number("count"), len(closing.list("participants"))),
	)
	if err != nil {
		return nil, err
	}
	m.amend(closing.key, Object{"outcome": r.text("outcome")})
	m.set(m.key("round", "head"), Object{"number": number, "open": false})
	m.keep(m.key("close", number), r, nil)
	return Object{"number": number, "outcome": r.text("outcome")}, nil
}

// quorate tells whether enough of a round's participants sent an update, by the policy that the round was opened under.
func (m model) quorate(r round) bool {
	count, asked := r.outcome.number("count"), int64(len(r.list("participants")))
	quorum := m.rulesAt(r.number("policy")).object("policy").number("round_quorum")
	return count > 0 && count*10_000 >= quorum*asked
}
