package contract

// recordErasure keeps the receipt of keys that were deleted. A recomputation that needed them is then not checked,
// and can say why. A hold forbids it.
func recordErasure(m model, r Record) (Object, error) {
	sha256 := r.text("blob")
	anchored := m.get(path("blob", sha256))
	if anchored == nil || anchored.text("model") != m.name {
		return nil, refuse(NotFound, "there is no blob %s of %s", sha256, m.name)
	}
	holder, _ := anchored["participant"].(string)
	err := first(
		demand(!m.has(path("erasure", sha256)), Conflict, "the erasure of %s is recorded already, by another record", sha256),
		demand(r.text("participant") == holder, Refused, "the blob's participant is %q, not %q", holder, r.text("participant")),
		m.notHeld(anchored),
	)
	if err != nil {
		return nil, err
	}
	m.keep(path("erasure", sha256), r, nil)
	return Object{}, nil
}

func (m model) notHeld(anchored Object) error {
	if version, ok := anchored["version"].(string); ok {
		by := m.neededBy(version)
		return demand(len(by) == 0, Refused, "a hold keeps the keys of version %s: versions %v need them", version, by)
	}
	for _, version := range m.madeFrom(anchored.number("round")) {
		if m.status(version).held {
			return refuse(Refused, "a hold on version %s keeps the keys of its updates", version)
		}
	}
	return nil
}

// madeFrom are the versions that came out of a round: its aggregate, and at most one replay an epoch.
func (m model) madeFrom(round int64) []string {
	keys := []string{m.key("aggregate", round)}
	for epoch := int64(1); epoch <= m.epoch(); epoch++ {
		keys = append(keys, m.key("replay", round, epoch))
	}
	var versions []string
	for _, key := range keys {
		if made := m.get(key); made != nil {
			versions = append(versions, made.text("version"))
		}
	}
	return versions
}
