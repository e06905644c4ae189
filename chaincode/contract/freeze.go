package contract

func freeze(m model, r Record) (Object, error) { return m.setFrozen(r, true) }
func resume(m model, r Record) (Object, error) { return m.setFrozen(r, false) }

func (m model) setFrozen(r Record, frozen bool) (Object, error) {
	p := m.pointer()
	state, kind := "not frozen", "resume"
	if frozen {
		state, kind = "frozen already", "freeze"
	}
	err := first(
		demand(p.frozen != frozen, Conflict, "%s is %s", m.name, state),
		demand(r.number("expected_seq") == p.seq, Conflict, "the pointer's newest move of any kind is %d, not %d", p.seq, r.number("expected_seq")),
	)
	if err != nil {
		return nil, err
	}
	p.frozen = frozen
	return Object{"seq": m.advance(r, kind, p, m.epoch(), r.text("reason_code"))}, nil
}
