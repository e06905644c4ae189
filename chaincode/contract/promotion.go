package contract

func promote(m model, r Record) (Object, error) {
	id := r.text("version")
	v, err := m.version(id)
	if err != nil {
		return nil, err
	}
	newest, _ := m.newest()
	p := m.pointer()
	err = first(
		m.notFrozen(),
		m.noOpenRequest(),
		m.currentEpoch(v.number("epoch")),
		demand(id == newest, Conflict, "version %s is newer", newest),
		p.expects(r),
		demand(m.decided(id, "promote"), Refused, "it was not decided to promote version %s", id),
		demand(!m.status(id).quarantined, Refused, "version %s is quarantined", id),
		demand(p.to != id, Conflict, "version %s is live already", id),
	)
	if err != nil {
		return nil, err
	}
	m.lapse(m.slot(false))
	m.live(id)
	p.to = id
	return Object{"seq": m.advance(r, "promote", p, m.epoch(), "")}, nil
}
