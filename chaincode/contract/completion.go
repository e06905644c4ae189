package contract

func completeTraining(m model, r Record) (Object, error) {
	id, head := r.text("version"), m.get(m.key("round", "head"))
	if _, err := m.version(id); err != nil {
		return nil, err
	}
	err := first(
		demand(!m.has(m.key("completion")), Conflict, "the training of %s is complete already", m.name),
		demand(!head.flag("open"), Refused, "round %d is open", head.number("number")),
		m.noOpenRequest(),
		demand(id == m.pointer().to, Refused, "the final version is the live one, %s", m.pointer().to),
	)
	if err != nil {
		return nil, err
	}
	m.lapse(m.slot(false))
	m.keep(m.key("completion"), r, nil)
	return Object{}, nil
}
