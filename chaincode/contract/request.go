package contract

import "slices"

const shortestRequest = 60 * 60 // seconds that a request must leave for an approver

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
		m.leftBehindFits(r),
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

func (m model) purposeOfRequest(r Record) error {
	drill := r.flag("drill")
	return first(
		demand(drill == (r.text("reason_code") == "drill"), Refused, "a drill, and only a drill, has the reason drill"),
		demand(!drill || len(r.list("quarantine")) == 0, Refused, "a drill quarantines nothing"),
		demand(r.text("reason_code") != automaticReason, Refused, "the reason %s is for automatic rollbacks", automaticReason),
	)
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

// rejectRollback takes a request off the table: any approver may, and who asked.
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
