package contract

import "slices"

const automaticReason = "regression_auto"

// targetFits: one can go back to where the pointer has been; to where it is only when a newer candidate never went live.
func (m model) targetFits(to string) error {
	if _, err := m.version(to); err != nil {
		return err
	}
	s := m.status(to)
	return first(
		demand(s.promoted, Refused, "version %s never went live", to),
		demand(!s.quarantined, Refused, "version %s is quarantined", to),
		demand(to != m.pointer().to || m.candidate(), Refused, "version %s is live, and no newer version waits to be left behind", to),
	)
}

// candidate tells whether the newest version is of this epoch and has not gone live.
func (m model) candidate() bool {
	newest, _ := m.newest()
	v, err := m.version(newest)
	return err == nil && v.number("epoch") == m.epoch() && !m.status(newest).promoted
}

// leftBehindFits holds the versions to be quarantined with a rollback against its target.
func (m model) leftBehindFits(r Record) error {
	ids := r.texts("quarantine")
	for i, id := range ids {
		_, err := m.version(id)
		err = first(
			err,
			demand(id != r.text("to"), Refused, "the version to go back to cannot be quarantined"),
			demand(!slices.Contains(ids[:i], id), Refused, "version %s stands twice in the quarantine", id),
		)
		if err != nil {
			return err
		}
	}
	return nil
}

// leftBehindIsNewer keeps the aggregator from quarantining what the rollback does not leave behind.
func (m model) leftBehindIsNewer(r Record) error {
	to, err := m.version(r.text("to"))
	if err != nil {
		return err
	}
	for _, id := range r.texts("quarantine") {
		if v, err := m.version(id); err == nil && v.number("number") < to.number("number") {
			return refuse(Refused, "version %s is older than the one to go back to: people may quarantine it", id)
		}
	}
	return nil
}

func rollbackModel(m model, r Record) (Object, error) {
	switch asked, decided := r.text("request"), r.text("decision"); {
	case (asked == "") == (decided == ""):
		return nil, refuse(Refused, "a rollback cites a request or a decision, and not both")
	case asked == "":
		return m.rollbackAsDecided(r)
	}
	return m.rollbackAsAsked(r)
}

func (m model) rollbackAsDecided(r Record) (Object, error) {
	id := r.text("decision")
	v, err := m.version(id)
	if err != nil {
		return nil, err
	}
	newest, _ := m.newest()
	p := m.pointer()
	err = first(
		demand(m.caller.Role == aggregator, Forbidden, "an operator cites a request, not a decision"),
		demand(m.decided(id, "rollback"), Refused, "it was not decided to roll back version %s", id),
		m.noOpenRequest(),
		m.currentEpoch(v.number("epoch")),
		demand(id == newest, Conflict, "version %s is newer", newest),
		p.expects(r),
		demand(r.text("reason_code") == automaticReason, Refused, "an automatic rollback has the reason %s", automaticReason),
		m.targetDecided(r, id),
		m.targetFits(r.text("to")),
		m.leftBehindFits(r),
		m.leftBehindIsNewer(r),
	)
	if err != nil {
		return nil, err
	}
	m.lapse(m.slot(false))
	return m.goBack(r, p), nil
}

func (m model) targetDecided(r Record, version string) error {
	decision := m.get(path("decision", version))
	if decision == nil {
		return nil
	}
	return demand(r.text("to") == decision.text("target"), Refused, "it was decided to go back to %s, not %s", decision.text("target"), r.text("to"))
}

func (m model) rollbackAsAsked(r Record) (Object, error) {
	q, err := m.request(r.text("request"))
	if err != nil {
		return nil, err
	}
	states := []string{"approved"}
	if q.flag("break_glass") {
		states = append(states, "open")
	}
	err = first(
		demand(m.caller.Role == operator, Forbidden, "the aggregator cites a decision, not a request"),
		m.inState(q, states...),
		asAsked(q, r),
	)
	if err != nil {
		return nil, err
	}
	if q.flag("drill") {
		return m.rehearse(q, r), nil
	}
	p := m.pointer()
	if err := first(p.expects(r), m.targetFits(r.text("to")), m.leftBehindFits(r)); err != nil {
		return nil, err
	}
	done := m.goBack(r, p)
	m.amend(q.key, m.executed(q).and(done))
	m.set(m.slot(false), Object{"request": ""})
	return done, nil
}

func asAsked(q request, r Record) error {
	same := func(field string) error {
		return demand(string(appendValue(nil, q.Object[field])) == string(appendValue(nil, r.Object[field])), Refused,
			"%s is not what was asked for", field)
	}
	return first(same("to"), same("expected_seq"), same("reason_code"), same("quarantine"))
}

// goBack moves the pointer, and with it everything that was measured against the versions left behind.
func (m model) goBack(r Record, p pointer) Object {
	epoch := m.epoch() + 1
	p.to = r.text("to")
	seq := m.advance(r, "rollback", p, epoch, r.text("reason_code"))
	m.set(m.key("epoch"), Object{"epoch": epoch})
	m.restartJudge(p.to)
	for _, id := range r.texts("quarantine") {
		m.quarantine(id)
	}
	return Object{"epoch": epoch, "seq": seq}
}

// rehearse moves the shadow pointer only.
func (m model) rehearse(q request, r Record) Object {
	seq := int64(1)
	if head := m.get(m.key("shadow", "head")); head != nil {
		seq = head.number("seq") + 1
	}
	m.keep(m.key("shadow", seq), r, Object{"kind": "drill", "seq": seq, "to": r.text("to")})
	m.set(m.key("shadow", "head"), Object{"seq": seq, "to": r.text("to")})
	m.amend(q.key, Object{"executed_by": m.caller.actor(), "seq": seq, "state": "executed"})
	m.set(m.slot(true), Object{"request": ""})
	return Object{"drill": true, "seq": seq}
}
