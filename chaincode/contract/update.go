package contract

import (
	"crypto/sha256"
	"encoding/hex"
)

// batch anchors manifests one after the other: each sees the ones before it. What its rounds come to is written once,
// at the end, because a round's state may be large.
type batch struct {
	*transaction
	rounds map[string]*round
}

// anchorUpdates takes manifests from anyone: the authority is each manifest's signature.
//
// It commits one result an item. An update that a participant signed but that the rules refuse stays on the ledger
// as a refusal: its sender can prove that it was sent, and nobody can say that it was accepted. A bad signature proves
// nothing about anybody and leaves a result only.
func anchorUpdates(t *transaction, in input) (Object, error) {
	items := in.records[0].objects("items")
	manifests, err := itemRecords("update.1", "manifest", items)
	if err != nil {
		return nil, err
	}
	b := batch{t, map[string]*round{}}
	results := make([]any, len(items))
	for i, manifest := range manifests {
		results[i] = b.anchor(manifest, items[i].text("signature"))
	}
	b.close()
	return Object{"results": results}, nil
}

// itemRecords reads every record of a batch before any is acted on: a malformed batch fails whole.
func itemRecords(schema, field string, items []Object) ([]Record, error) {
	records := make([]Record, len(items))
	for i, item := range items {
		r, err := Read(schema, []byte(item.text(field)))
		if err != nil {
			return nil, refuse(BadRecord, "item %d: %s", i, err)
		}
		records[i] = r
	}
	return records, nil
}

func result(id, result, reason string) Object {
	return Object{"id": id, "result": result, "reason": reason}
}

func (b batch) anchor(r Record, signature string) Object {
	m, err := b.model(r.text("model"))
	if err != nil {
		return result(r.ID, "invalid", "model")
	}
	p, err := m.participant(r.text("participant"))
	if err != nil {
		return result(r.ID, "invalid", "participant")
	}
	if !signedBy(p.text("ed25519"), "update.1", b.genesis, Encode(r.Object), signature) {
		return result(r.ID, "invalid", "signature")
	}
	if before, done := b.earlier(m, r); done {
		return before
	}
	if reason := b.refusal(m, p, r); reason != "" {
		b.keep(path("refusal", r.ID), r, Object{"reason": reason, "signature": signature})
		return result(r.ID, "refused", reason)
	}
	b.accept(m, r, signature)
	return result(r.ID, "accepted", "")
}

func updateKey(m model, r Object) string {
	return m.key("update", r.number("round"), r.text("participant"))
}

// earlier finds the first result of the same manifest.
func (b batch) earlier(m model, r Record) (Object, bool) {
	if state := b.get(path("refusal", r.ID)); state != nil {
		return result(r.ID, "refused", state.object("outcome").text("reason")), true
	}
	state := b.get(updateKey(m, r.Object))
	return result(r.ID, "accepted", ""), state != nil && state.text("id") == r.ID
}

// refusal says why a signed update is not accepted; "" when it is.
func (b batch) refusal(m model, p Object, r Record) string {
	open := b.round(m, r.number("round"))
	shard := m.dataset(r.text("shard"))
	switch {
	case open == nil || !open.invites(r):
		return "foreign"
	case p.text("status") != "active":
		return "excluded"
	case !open.is("open") || open.number("epoch") != m.epoch():
		return "late"
	case b.has(path("blob", r.object("blob").text("sha256"))) || b.has(updateKey(m, r.Object)):
		return "replayed"
	case shard == nil || shard.text("participant") != r.text("participant"):
		return "foreign"
	case r.number("examples") > shard.number("examples"):
		return "overstated"
	}
	return ""
}

func (r round) invites(update Record) bool {
	for _, name := range r.texts("participants") {
		if name == update.text("participant") {
			return update.text("base") == r.text("base") && update.number("epoch") == r.number("epoch")
		}
	}
	return false
}

func (b batch) round(m model, number int64) *round {
	key := m.key("round", number)
	if found, ok := b.rounds[key]; ok {
		return found
	}
	r, err := m.round(number)
	if err != nil {
		return nil
	}
	b.rounds[key] = &r
	return &r
}

func (b batch) accept(m model, r Record, signature string) {
	b.keep(updateKey(m, r.Object), r, Object{"signature": signature})
	b.set(path("blob", r.object("blob").text("sha256")), Object{
		"model": m.name, "participant": r.text("participant"), "round": r.number("round"), "update": r.ID,
	})
	open := b.round(m, r.number("round"))
	open.outcome = open.outcome.and(Object{
		"chain": chained(open.outcome.text("chain"), r.ID), "count": open.outcome.number("count") + 1,
	})
}

func (b batch) close() {
	for key, r := range b.rounds {
		if b.get(key).object("outcome").number("count") != r.outcome.number("count") {
			b.amend(key, r.outcome)
		}
	}
}

// chained folds an accepted manifest into a round's hash chain.
func chained(chain, id string) string {
	link, _ := hex.DecodeString(chain + id)
	sum := sha256.Sum256(link)
	return hex.EncodeToString(sum[:])
}
