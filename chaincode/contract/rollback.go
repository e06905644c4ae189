package contract

import "slices"

const (
	shortestRequest = 60 * 60      // seconds that a request must leave for an approver
	reviewTime      = 24 * 60 * 60 // seconds for the review of an emergency
)

// slot holds the one open request of a model. Drills have their own: a rehearsal must not stop the training.
func (m model) slot(drill bool) string {
	if drill {
		return m.key("shadow", "open")
	}
	return m.key("rollback", "open")
}

// request is a rollback that someone asked for.
type request struct {
	Object
	key     string
	asked   Object // by whom
	outcome Object
}

func (m model) request(id string) (request, error) {
	key := path("rollback", id)
	state := m.get(key)
	if state == nil || state.object("record").text("model") != m.name {
		return request{}, refuse(NotFound, "there is no rollback request %s of %s", id, m.name)
	}
	return request{state.object("record"), key, state.object("actor"), state.object("outcome")}, nil
}

func (m model) expired(q request) bool { return m.claimedAt > q.number("expires_at")*1000 }

// waiting is the id of the request in a slot, "" when there is none or its time is over.
func (m model) waiting(slot string) string {
	state := m.get(slot)
	if state == nil || state.text("request") == "" {
		return ""
	}
	if q, err := m.request(state.text("request")); err != nil || m.expired(q) {
		return ""
	}
	return state.text("request")
}

func (m model) noOpenRequest() error {
	open := m.waiting(m.slot(false))
	return demand(open == "", Refused, "rollback request %s is open: people are deciding", open)
}

// lapse writes down that a request's time was over. The next one who would have had to wait for it does that.
func (m model) lapse(slot string) {
	state := m.get(slot)
	if state == nil || state.text("request") == "" || m.waiting(slot) != "" {
		return
	}
	m.amend(path("rollback", state.text("request")), Object{"state": "expired"})
	m.set(slot, Object{"request": ""})
}

func requestRollback(m model, r Record) (Object, error) {
	slot := m.slot(r.flag("drill"))
	open := m.waiting(slot)
	err := first(
		m.pointer().expects(r),
		m.targetFits(r.text("to")),
		m.leftBehindFits(r, -1),
		m.purposeOfRequest(r),
		m.emergencyFits(r),
		demand(r.number("expires_at") >= m.claimedAt/1000+shortestRequest, Refused, "a request stays open for an hour at least"),
		demand(open == "", Conflict, "rollback request %s is open already", open),
	)
	if err != nil {
		return nil, err
	}
	m.lapse(slot)
	m.keep(path("rollback", r.ID), r, Object{"state": "open"})
	m.set(slot, Object{"request": r.ID})
	return Object{"state": "open"}, nil
}

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

// leftBehindFits holds the versions to be quarantined with a rollback against its target, and wants them newer than after.
func (m model) leftBehindFits(r Record, after int64) error {
	ids := r.texts("quarantine")
	for i, id := range ids {
		v, err := m.version(id)
		if err != nil {
			return err
		}
		err = first(
			demand(id != r.text("to"), Refused, "the version to go back to cannot be quarantined"),
			demand(!slices.Contains(ids[:i], id), Refused, "version %s stands twice in the quarantine", id),
			demand(v.number("number") > after, Refused, "version %s is older than the one to go back to: people may quarantine it", id),
		)
		if err != nil {
			return err
		}
	}
	return nil
}

func (m model) purposeOfRequest(r Record) error {
	drill := r.flag("drill")
	return first(
		demand(drill == (r.text("reason_code") == "drill"), Refused, "a drill, and only a drill, has the reason drill"),
		demand(!drill || len(r.list("quarantine")) == 0, Refused, "a drill quarantines nothing"),
		demand(r.text("reason_code") != automaticReason, Refused, "the reason %s is for automatic rollbacks", automaticReason),
	)
}

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

func approveRollback(m model, r Record) (Object, error) {
	q, err := m.request(r.text("request"))
	if err != nil {
		return nil, err
	}
	err = first(
		m.inState(q, "open"),
		m.anotherPerson(q.asked),
	)
	if err != nil {
		return nil, err
	}
	m.amend(q.key, Object{"approved_by": m.caller.actor(), "state": "approved"})
	m.keep(path("approval", r.text("request")), r, nil)
	return Object{"state": "approved"}, nil
}

func (m model) inState(q request, states ...string) error {
	state := q.outcome.text("state")
	return first(
		demand(slices.Contains(states, state), Conflict, "the request is %s", state),
		demand(!m.expired(q), Refused, "the request has expired"),
	)
}

// rejectRollback takes a request off the table: an approver other than who asked, or who asked.
func rejectRollback(m model, r Record) (Object, error) {
	q, err := m.request(r.text("request"))
	if err != nil {
		return nil, err
	}
	err = first(
		m.inState(q, "open", "approved"),
		demand(m.caller.Role == approver || m.caller.is(q.asked), Forbidden, "an operator can take back only what they asked for"),
	)
	if err != nil {
		return nil, err
	}
	m.amend(q.key, Object{"rejected_by": m.caller.actor(), "state": "rejected"})
	m.keep(path("rejection", r.text("request")), r, nil)
	m.set(m.slot(q.flag("drill")), Object{"request": ""})
	return Object{"state": "rejected"}, nil
}

const automaticReason = "regression_auto"

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
	)
	if err != nil {
		return nil, err
	}
	to, err := m.version(r.text("to"))
	if err != nil {
		return nil, err
	}
	if err := m.leftBehindFits(r, to.number("number")); err != nil {
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
	if err := first(p.expects(r), m.targetFits(r.text("to")), m.leftBehindFits(r, -1)); err != nil {
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

// executed says who did it, and for glass that was broken until when it must be reviewed.
func (m model) executed(q request) Object {
	change := Object{"executed_by": m.caller.actor(), "state": "executed"}
	if q.outcome.text("state") == "open" {
		m.set(m.key("rollback", "unreviewed"), Object{"request": ID(Encode(q.Object))})
		change["review_due_at"] = m.claimedAt/1000 + reviewTime
	}
	return change
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
