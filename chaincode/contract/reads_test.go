package contract

import (
	"strings"
	"testing"
)

// read asks without a creator: who reads is the ledger's business.
func (w *world) read(function string, words ...string) Object {
	w.t.Helper()
	result, err := w.invoke(nil, function, words...)
	if err != nil {
		w.t.Fatalf("%s: %v", function, err)
	}
	return result
}

func TestEveryStateCanBeRead(t *testing.T) {
	w := newWorld(t, nil)
	version, _ := w.step(9000)
	for function, words := range map[string][]string{
		"GetModel digits": {"model/digits", "digits"}, "GetPointer": {"pointer/digits/head", "digits"},
		"GetPointerMove": {"pointer/digits/1", "digits", "1"}, "GetRound": {"round/digits/1", "digits", "1"},
		"GetParticipant": {"participant/digits/site-a", "digits", "site-a"}, "GetVersion": {"version/" + version, version},
		"GetVersionByNumber": {"version/" + version, "digits", "1"}, "GetState": {"decision/" + version, "decision/" + version},
	} {
		name, _, _ := strings.Cut(function, " ")
		if got := w.read(name, words[1:]...); string(Encode(got)) != string(w.state[words[0]]) {
			t.Errorf("%s: %v", name, got)
		}
	}
	w.refuses(NotFound, "there is nothing under model/faces", nil, "GetModel", "faces")
	w.refuses(NotFound, "there is nothing under version/digits/9", nil, "GetVersionByNumber", "digits", "9")
	w.refuses(BadRecord, "the argument model is not a name", nil, "GetModel", "a/b")
	w.refuses(BadRecord, "the argument number is not a number", nil, "GetRound", "digits", "01")
	w.refuses(BadRecord, "the argument key is not", nil, "GetState", "version/ü")
}

func TestProvenanceWalksFromAVersionToItsGenesis(t *testing.T) {
	w := newWorld(t, nil)
	versions := []string{w.genesis}
	for _, accuracy := range []int{9000, 9100, 9200} {
		version, _ := w.step(accuracy)
		versions = append(versions, version)
	}
	ids := func(answer Object) (ids []string) {
		for _, step := range answer.objects("versions") {
			ids = append(ids, step.object("state").text("id"))
		}
		return ids
	}
	all := w.read("GetModelProvenance", versions[3], "", "")
	if got := strings.Join(ids(all), " "); got != strings.Join([]string{versions[3], versions[2], versions[1], versions[0]}, " ") || all.text("cursor") != "" {
		t.Errorf("%s, cursor %q", got, all.text("cursor"))
	}
	if step := all.objects("versions")[0]; step.object("decision").text("reason") != "new_best" || !step.object("status").flag("promoted") {
		t.Errorf("%v", step)
	}
	page := w.read("GetModelProvenance", versions[3], "3", "")
	if len(ids(page)) != 3 || page.text("cursor") != versions[0] {
		t.Errorf("%v, cursor %q", ids(page), page.text("cursor"))
	}
	page = w.read("GetModelProvenance", versions[3], "3", page.text("cursor"))
	if got := ids(page); len(got) != 1 || got[0] != versions[0] || page.text("cursor") != "" {
		t.Errorf("%v, cursor %q", got, page.text("cursor"))
	}
	w.refuses(NotFound, "there is nothing under", nil, "GetModelProvenance", digest("unknown"), "", "")
	w.refuses(NotFound, "there is nothing under", nil, "GetModelProvenance", versions[3], "", digest("unknown"))
}

func TestIntegritySaysWhichHashItIs(t *testing.T) {
	w := newWorld(t, nil)
	version, _ := w.step(9000)
	record := w.at("version/" + version).object("record")
	for what, sha256 := range map[string]string{
		"blob": record.object("blob").text("sha256"), "weights": record.text("weights"), "record": version, "": digest("another"),
	} {
		answer := w.read("VerifyIntegrity", version, sha256)
		for _, field := range []string{"blob", "weights", "record"} {
			if answer.flag(field) != (field == what) {
				t.Errorf("the hash of %q: %v", what, answer)
			}
		}
	}
	w.refuses(NotFound, "there is nothing under", nil, "VerifyIntegrity", digest("unknown"), digest("x"))
}
