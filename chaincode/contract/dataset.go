package contract

func registerDataset(m model, r Record) (Object, error) {
	key, owner := m.key("dataset", r.text("sha256")), r.text("participant")
	shard := r.text("kind") == "shard"
	err := first(
		demand(!m.has(key), Conflict, "the set %s is registered already, by another record", r.text("sha256")),
		demand(shard == (owner != ""), Refused, "a shard names its participant, a probe or test set names none"),
		demand(!shard || m.has(m.key("participant", owner)), NotFound, "there is no participant %s", owner),
	)
	if err != nil {
		return nil, err
	}
	m.keep(key, r, nil)
	return Object{}, nil
}

// dataset is a registered set's record; nil when there is none.
func (m model) dataset(sha256 string) Object {
	state := m.get(m.key("dataset", sha256))
	if state == nil {
		return nil
	}
	return state.object("record")
}
