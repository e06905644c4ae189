package contract

func quarantineVersion(m model, r Record) (Object, error) {
	id := r.text("version")
	if _, err := m.version(id); err != nil {
		return nil, err
	}
	err := first(
		demand(id != m.pointer().to, Refused, "version %s is live: roll back first", id),
		demand(!m.status(id).quarantined, Conflict, "version %s is quarantined already", id),
	)
	if err != nil {
		return nil, err
	}
	m.quarantine(id)
	m.keep(path("quarantine", id), r, nil)
	return Object{}, nil
}

func (m model) quarantine(id string) {
	s := m.status(id)
	s.quarantined = true
	m.setStatus(id, s)
}
