package contract

import "slices"

// setHold keeps the keys that a version needs from being erased, or lets them go.
//
// To open a version takes every step down to a whole one; to recompute it takes its parent in the same way, and its
// updates. Each step remembers for which versions it is needed; updates are found from their round.
func setHold(m model, r Record) (Object, error) {
	id, held := r.text("version"), r.flag("held")
	v, err := m.version(id)
	if err != nil {
		return nil, err
	}
	s := m.status(id)
	err = first(
		demand(!held || !s.held, Conflict, "version %s is held already", id),
		demand(held || s.held, Conflict, "version %s is not held", id),
	)
	if err != nil {
		return nil, err
	}
	s.held = held
	m.setStatus(id, s)
	m.setNeeded(m.steps(id, v), id, held)
	number := m.holds(id) + 1
	m.keep(path("hold", id, number), r, nil)
	m.set(path("hold", id, "head"), Object{"number": number})
	return Object{"number": number}, nil
}

func (t *transaction) newestHold(argument string, number int64) error {
	r, err := Read("hold.1", []byte(argument))
	if err != nil {
		return err
	}
	newest := t.holds(r.text("version"))
	return demand(newest == number, Conflict,
		"this was hold %d of the version, and hold %d came after it: to say it anew, give another text_hash", number, newest)
}

func (t *transaction) holds(id string) int64 {
	if head := t.get(path("hold", id, "head")); head != nil {
		return head.number("number")
	}
	return 0
}

// steps are a version and those before it, down to the first whole one before it.
func (m model) steps(id string, v Object) []string {
	steps := []string{id}
	for parent := v.text("parent"); parent != ""; {
		steps = append(steps, parent)
		before := m.get(path("version", parent)).object("record")
		if before.object("blob").text("codec") == "whole.1" {
			break
		}
		parent = before.text("parent")
	}
	return steps
}

// neededBy are the held versions that a version is a step to.
func (m model) neededBy(version string) []string {
	if state := m.get(path("needed", version)); state != nil {
		return state.texts("by")
	}
	return nil
}

func (m model) setNeeded(steps []string, by string, needed bool) {
	for _, step := range steps {
		others := slices.DeleteFunc(m.neededBy(step), func(id string) bool { return id == by })
		if needed {
			others = append(others, by)
		}
		slices.Sort(others)
		m.set(path("needed", step), Object{"by": asList(others)})
	}
}

func asList(texts []string) []any {
	list := make([]any, len(texts))
	for i, text := range texts {
		list[i] = text
	}
	return list
}
