package contract

import (
	"strconv"
	"strings"
)

const (
	provenanceDepth = 20 // versions of an answer, when the caller does not say
	deepestAnswer   = 100
	widestAnswer    = 4 << 20 // bytes, well below what a peer's answer may hold
)

// under answers with the one state that a kind and the words are the key of.
func under(kind string) func(*transaction, input) (Object, error) {
	return func(t *transaction, in input) (Object, error) {
		return t.found(kind + "/" + strings.Join(in.words, "/"))
	}
}

func getPointer(t *transaction, in input) (Object, error) {
	return t.found(path("pointer", in.words[0], "head"))
}
func getState(t *transaction, in input) (Object, error) { return t.found(in.words[0]) }

func (t *transaction) found(key string) (Object, error) {
	state := t.get(key)
	return state, demand(state != nil, NotFound, "there is nothing under %s", key)
}

func getVersionByNumber(t *transaction, in input) (Object, error) {
	numbered, err := t.found(path("version", in.words[0], in.words[1]))
	if err != nil {
		return nil, err
	}
	return t.found(path("version", numbered.text("id")))
}

// getModelProvenance walks from a version to its parents. A cursor is the id at which the next call goes on.
func getModelProvenance(t *transaction, in input) (Object, error) {
	id, cursor := in.words[0], in.words[2]
	if _, err := t.found(path("version", id)); err != nil {
		return nil, err
	}
	if cursor == "" {
		cursor = id
	}
	steps, next, err := t.walk(cursor, depthOf(in.words[1]))
	return Object{"cursor": next, "version": id, "versions": steps}, err
}

func depthOf(word string) int {
	depth, err := strconv.Atoi(word)
	if err != nil {
		return provenanceDepth
	}
	return min(depth, deepestAnswer)
}

func (t *transaction) walk(id string, depth int) (steps []any, next string, err error) {
	size := 0
	for next = id; next != "" && len(steps) < depth && size < widestAnswer; {
		state, err := t.found(path("version", next))
		if err != nil {
			return nil, "", err
		}
		step := Object{"state": state, "status": t.get(path("status", next))}
		if decision := t.get(path("decision", next)); decision != nil {
			step["decision"] = decision
		}
		steps, size, next = append(steps, step), size+len(Encode(step)), state.object("record").text("parent")
	}
	return steps, next, nil
}

// verifyIntegrity says which of a version's hashes a given one is.
func verifyIntegrity(t *transaction, in input) (Object, error) {
	id, sha256 := in.words[0], in.words[1]
	state, err := t.found(path("version", id))
	if err != nil {
		return nil, err
	}
	record := state.object("record")
	return Object{
		"blob": record.object("blob").text("sha256") == sha256, "record": id == sha256, "sha256": sha256,
		"version": id, "weights": record.text("weights") == sha256,
	}, nil
}
