package contract

// ackRollback takes acknowledgements from anyone: the authority is each participant's signature. They may come long
// after the rollback and after later promotions: a site that was away still confirms what it went back to.
func ackRollback(t *transaction, in input) (Object, error) {
	items := in.records[0].objects("items")
	acks, err := itemRecords("ack.1", "ack", items)
	if err != nil {
		return nil, err
	}
	results := make([]any, len(items))
	for i, ack := range acks {
		results[i] = t.acknowledge(ack, items[i].text("signature"))
	}
	return Object{"results": results}, nil
}

func (t *transaction) acknowledge(r Record, signature string) Object {
	m, err := t.model(r.text("model"))
	if err != nil {
		return result(r.ID, "invalid", "model")
	}
	p, err := m.participant(r.text("participant"))
	if err != nil {
		return result(r.ID, "invalid", "participant")
	}
	if !signedBy(p.text("ed25519"), "ack.1", t.genesis, Encode(r.Object), signature) {
		return result(r.ID, "invalid", "signature")
	}
	if reason := m.ackRefusal(r); reason != "" {
		return result(r.ID, "refused", reason)
	}
	if key := m.key("ack", r.number("seq"), r.text("participant")); !t.has(key) {
		t.keep(key, r, Object{"signature": signature})
	}
	return result(r.ID, "accepted", "")
}

// ackRefusal leaves nothing on the ledger: a site that holds other weights is not done, and its true
// acknowledgement must still find the place free. Two accepted ones of a participant are the same bytes.
func (m model) ackRefusal(r Record) string {
	move := m.get(m.key("pointer", r.number("seq")))
	if move == nil || move.object("outcome").text("kind") != "rollback" {
		return "no rollback"
	}
	to, err := m.version(move.object("outcome").text("to"))
	if err != nil || to.text("weights") != r.text("weights") {
		return "other weights"
	}
	return ""
}
