package contract

const reviewTime = 24 * 60 * 60 // seconds for the review of an emergency

// emergencyFits keeps break-glass an exception: for one reason, and not again before the last one was reviewed.
func (m model) emergencyFits(r Record) error {
	if !r.flag("break_glass") {
		return nil
	}
	waiting := m.unreviewed()
	return first(
		demand(r.text("reason_code") == "security_incident", Refused, "glass may be broken for a security_incident only"),
		demand(waiting == "", Refused, "the emergency of request %s was not reviewed yet: this one needs two people", waiting),
	)
}

func (m model) unreviewed() string {
	state := m.get(m.key("rollback", "unreviewed"))
	if state == nil {
		return ""
	}
	return state.text("request")
}

// executed says who did it, and for glass that was broken until when it must be reviewed.
func (m model) executed(q request) Object {
	change := Object{"executed_by": m.caller.actor(), "state": "executed"}
	if q.outcome.text("state") == "open" {
		m.set(m.key("rollback", "unreviewed"), Object{"request": ID(Encode(q.Object))})
		change["review_due_at"] = m.claimedAt/1000 + reviewTime
	}
	return change
}

func reviewBreakGlass(m model, r Record) (Object, error) {
	q, err := m.request(r.text("request"))
	if err != nil {
		return nil, err
	}
	if m.unreviewed() != r.text("request") {
		return nil, refuse(Conflict, "request %s does not wait for a review", r.text("request"))
	}
	err = first(
		m.anotherPerson(q.asked),
		m.anotherPerson(q.outcome.object("executed_by")),
	)
	if err != nil {
		return nil, err
	}
	overdue := m.claimedAt > q.outcome.number("review_due_at")*1000
	m.amend(q.key, Object{"overdue": overdue, "reviewed_by": m.caller.actor(), "verdict": r.text("verdict")})
	m.keep(path("review", r.text("request")), r, nil)
	m.set(m.key("rollback", "unreviewed"), Object{"request": ""})
	return Object{"overdue": overdue, "verdict": r.text("verdict")}, nil
}
