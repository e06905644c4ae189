package contract

import (
	"fmt"
	"slices"
)

// version is a registered version's record.
func (m model) version(id string) (Object, error) {
	state := m.get(path("version", id))
	if state == nil || state.object("record").text("model") != m.name {
		return nil, refuse(NotFound, "there is no version %s of %s", id, m.name)
	}
	return state.object("record"), nil
}

type status struct{ held, promoted, quarantined bool }

func (m model) status(id string) status {
	o := m.get(path("status", id))
	return status{o.flag("held"), o.flag("promoted"), o.flag("quarantined")}
}

func (m model) setStatus(id string, s status) {
	m.set(path("status", id), Object{"held": s.held, "promoted": s.promoted, "quarantined": s.quarantined})
}

// live marks a version as one that the pointer has been at.
func (m model) live(id string) {
	s := m.status(id)
	s.promoted = true
	m.setStatus(id, s)
}

// newest is the id and number of the version registered last.
func (m model) newest() (string, int64) {
	head := m.get(m.key("version", "head"))
	return head.text("id"), head.number("number")
}

func (m model) addVersion(r Record) {
	number := r.number("number")
	m.keep(path("version", r.ID), r, nil)
	m.set(m.key("version", number), Object{"id": r.ID})
	m.set(m.key("version", "head"), Object{"id": r.ID, "number": number})
	m.set(path("blob", r.object("blob").text("sha256")), Object{"model": m.name, "version": r.ID})
	m.setStatus(r.ID, status{})
}

// tookPart tells whether a participant's update was before the aggregator when it made a version.
func (m model) tookPart(participant, id string) bool {
	v, err := m.version(id)
	if err != nil {
		return false
	}
	return slices.ContainsFunc(append(v.objects("included"), v.objects("excluded")...), func(update Object) bool {
		return update.text("participant") == participant
	})
}

func genesisFits(m model, v Record) error {
	seal := v.object("sealed")
	return first(
		demand(v.text("model") == m.name, Refused, "the genesis version is of the model %s", v.text("model")),
		demand(v.text("kind") == "genesis" && v.text("rule") == "genesis.1", Refused, "a model starts with a version of kind and rule genesis"),
		demand(v.number("number") == 0 && v.number("epoch") == 0 && v.number("round") == 0 && v.text("parent") == "", Refused,
			"a genesis version has number, epoch and round 0 and no parent"),
		demand(seal.number("count") == 0 && seal.text("chain") == emptyChain && len(v.list("included"))+len(v.list("excluded")) == 0, Refused,
			"a genesis version has no updates"),
		demand(v.object("blob").text("codec") == "whole.1", Refused, "a genesis version is stored whole"),
		m.newBlob(v),
	)
}

func (m model) newBlob(v Record) error {
	sha256 := v.object("blob").text("sha256")
	return demand(!m.has(path("blob", sha256)), Conflict, "the blob %s is anchored already", sha256)
}

func registerModelUpdate(m model, v Record) (Object, error) {
	r, err := m.round(v.number("round"))
	if err != nil {
		return nil, err
	}
	_, number := m.newest()
	err = first(
		m.notFrozen(),
		demand(v.number("number") == number+1, Conflict, "the next version of %s is number %d, not %d", m.name, number+1, v.number("number")),
		m.currentEpoch(v.number("epoch")),
		demand(r.is("sealed"), Refused, "round %d is %s, not sealed", r.number("number"), r.outcome.text("outcome")),
		r.sealAs(v.object("sealed")),
		demand(v.text("parent") == r.text("base"), Refused, "the parent must be the round's base %s", r.text("base")),
		m.aggregatedAs(v, r),
		m.accountsFor(v, r),
		m.kindFits(v, r),
		m.newBlob(v),
	)
	if err != nil {
		return nil, err
	}
	m.addVersion(v)
	m.set(m.madeKey(v), Object{"version": v.ID})
	return Object{"number": v.number("number")}, nil
}

func (m model) aggregatedAs(v Record, r round) error {
	rule, codec := m.rulesAt(r.number("policy")).object("policy").text("aggregation"), v.object("blob").text("codec")
	return first(
		demand(v.text("rule") == rule, Refused, "the round's policy aggregates by %s, not %s", rule, v.text("rule")),
		demand(codec == "whole.1" || codec == "xor.1", Refused, "a version is stored without loss: whole.1 or xor.1, not %s", codec),
	)
}

// madeKey is taken by the one version of its kind that may come out of a round.
func (m model) madeKey(v Record) string {
	if v.text("kind") == "replay" {
		return m.key("replay", v.number("round"), v.number("epoch"))
	}
	return m.key("aggregate", v.number("round"))
}

func (m model) kindFits(v Record, r round) error {
	made := m.get(m.madeKey(v))
	if made != nil {
		return refuse(Conflict, "round %d has its %s already: version %s", r.number("number"), v.text("kind"), made.text("version"))
	}
	switch v.text("kind") {
	case "aggregate":
		return demand(r.number("epoch") == v.number("epoch"), Refused, "round %d is of epoch %d, before the last rollback: it can only be replayed",
			r.number("number"), r.number("epoch"))
	case "replay":
		return m.replayFits(v, r)
	}
	return refuse(Refused, "a model has one genesis version")
}

// replayFits: a sealed round of an earlier epoch is aggregated once more, on the version that was gone back to, and
// without those whom the ledger has excluded since.
func (m model) replayFits(v Record, r round) error {
	pointer := m.pointer()
	move := m.get(m.key("pointer", pointer.move)).object("outcome")
	return first(
		demand(r.number("epoch") < v.number("epoch"), Refused, "round %d is of this epoch: there is nothing to replay", r.number("number")),
		demand(move.text("kind") == "rollback" && pointer.to == v.text("parent"), Refused, "a replay starts where the last rollback went"),
		m.withoutExcluded(v),
	)
}

func (m model) withoutExcluded(v Record) error {
	for _, update := range v.objects("included") {
		if m.excluded(update.text("participant")) {
			return refuse(Refused, "%s is excluded: a replay goes without its update", update.text("participant"))
		}
	}
	for _, update := range v.objects("excluded") {
		if m.excluded(update.text("participant")) && update.text("rule") != excludedByLedger {
			return refuse(Refused, "%s is excluded: a replay cites that by the rule %s", update.text("participant"), excludedByLedger)
		}
	}
	return nil
}

// excludedByLedger is the rule under which an exclusion cites, in place of a score, the number of the status event.
const excludedByLedger = "excluded.1"

// accountsFor holds a version against its round: every sealed update is included, or excluded by a named rule.
func (m model) accountsFor(v Record, r round) error {
	in, out := v.objects("included"), v.objects("excluded")
	if total := int64(len(in) + len(out)); total != r.outcome.number("count") {
		return refuse(Refused, "round %d sealed %d updates; the version accounts for %d", r.number("number"), r.outcome.number("count"), total)
	}
	named := map[string]bool{}
	for _, update := range append(in, out...) {
		if err := m.sealedUpdate(update, r, named); err != nil {
			return err
		}
	}
	for _, update := range out {
		if err := m.exclusionCited(update); err != nil {
			return err
		}
	}
	return demand(len(in) > 0, Refused, "a version includes at least one update")
}

func (m model) sealedUpdate(update Object, r round, named map[string]bool) error {
	participant := update.text("participant")
	state := m.get(m.key("update", r.number("number"), participant))
	if state == nil || state.text("id") != update.text("update") {
		return refuse(Refused, "round %d sealed no update %s by %s", r.number("number"), update.text("update"), participant)
	}
	if named[participant] {
		return refuse(Refused, "%s is included and excluded", participant)
	}
	named[participant] = true
	examples, given := update["examples"]
	stated := state.object("record").number("examples")
	return demand(!given || examples == stated, Refused, "%s trained on %d examples, not %s", participant, stated, fmt.Sprint(examples))
}

func (m model) exclusionCited(update Object) error {
	if update.text("rule") != excludedByLedger {
		return nil
	}
	name, number := update.text("participant"), update.number("score")
	p, err := m.participant(name)
	if err != nil {
		return err
	}
	return demand(m.excluded(name) && p.number("number") == number, Refused, "event %d of %s is not the exclusion in force", number, name)
}
