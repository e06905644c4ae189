package contract

import (
	"strings"
	"testing"
)

func TestWhatIsNotARecordIsRefusedInASentence(t *testing.T) {
	for _, c := range []struct{ why, bytes, sentence string }{
		{"nothing", "", "starts with {"},
		{"broken JSON", `{"a":1`, "a comma or } is missing"},
		{"cut off in a value", `{"a":`, "the record is cut off"},
		{"cut off in a string", `{"a":"b`, "cut off inside a string"},
		{"a float", `{"a":0.5}`, "no floats"},
		{"an exponent", `{"a":1e3}`, "no floats"},
		{"NaN", `{"a":NaN}`, "'N' starts no value"},
		{"infinity", `{"a":-Infinity}`, "a digit is missing"},
		{"null", `{"a":null}`, "null is no value"},
		{"a duplicate key", `{"a":1,"a":2}`, `the key "a" stands twice`},
		{"a key in another case, out of order", `{"a":1,"A":2}`, "keys are sorted"},
		{"2^53", `{"a":9007199254740992}`, "below 2^53"},
		{"minus zero", `{"a":-0}`, "no -0"},
		{"a leading zero", `{"a":007}`, "no leading zeros"},
		{"a lone surrogate", `{"a":"\ud800"}`, "a lone surrogate"},
		{"a low surrogate first", `{"a":"\udc00\ud800"}`, "a lone surrogate"},
		{"a needless escape", `{"a":"\u0041"}`, "not the canonical way"},
		{"a space", `{"a": 1}`, "a record has no spaces"},
		{"raw UTF-8", `{"a":"ü"}`, "must be escaped"},
		{"a slash in a key", `{"a/b":1}`, "is no key"},
		{"too deep", `{"a":` + strings.Repeat("[", 16) + strings.Repeat("]", 16) + "}", "more than 16 levels"},
		{"something after", `{"a":1} `, "something follows"},
		{"oversize", `{"a":"` + strings.Repeat("a", narrow) + `"}`, "over the limit of 16384"},
	} {
		_, err := Parse([]byte(c.bytes), narrow)
		if err == nil || !strings.Contains(err.Error(), c.sentence) {
			t.Errorf("%s: %v, not …%s…", c.why, err, c.sentence)
		}
	}
}

func TestASchemaRefusesWhatItDoesNotKnow(t *testing.T) {
	good := Object{"model": "digits", "version": digest("v"), "expected_seq": 1}
	for _, c := range []struct {
		why      string
		change   Object
		sentence string
	}{
		{"a missing field is told", Object{"version": nil}, "lacks the field version"},
		{"a field more is told", Object{"extra": 1}, "a field extra that its schema does not know"},
		{"a field in another case is a field more", Object{"Model": "digits"}, "a field Model"},
		{"an id with a slash", Object{"model": "a/b"}, "promotion.1.model is not a name"},
		{"a hash in capitals", Object{"version": strings.ToUpper(digest("v"))}, "64 lower-case hex digits"},
		{"a number as text", Object{"expected_seq": "1"}, "promotion.1.expected_seq is not an integer"},
		{"a number below", Object{"expected_seq": -1}, "not within 0 to"},
	} {
		o := good.and(c.change)
		for key, value := range c.change {
			if value == nil {
				delete(o, key)
			}
		}
		_, err := Read("promotion.1", []byte(rec("promotion.1", o)))
		if err == nil || !strings.Contains(err.Error(), c.sentence) {
			t.Errorf("%s: %v", c.why, err)
		}
	}
	if _, err := Read("freeze.1", []byte(rec("promotion.1", good))); err == nil || !strings.Contains(err.Error(), `must be "freeze.1"`) {
		t.Errorf("a record of another schema: %v", err)
	}
	if _, err := Read("promotion.9", nil); err == nil {
		t.Error("an unknown schema was read")
	}
}

func TestEncodePanicsOnWhatNoRecordHolds(t *testing.T) {
	for _, value := range []any{1.5, nil, []string{"a"}, int64(largest + 1)} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%v was encoded", value)
				}
			}()
			Encode(Object{"a": value})
		}()
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		`{}`, `{"a":[1,-2,true,false,"x"]}`, `{"a":"\ud83d\ude00\u00fc\n"}`, `{"a":{"b":{}},"c":[[],{}]}`, `{"a":1.5}`, `{"a":"\ud800"}`,
		`{"a":9007199254740991}`, `{"b":1,"a":2}`, rec("model.1", Object{"policy": testPolicy(), "grants": testGrants(bothOrganisations...)}),
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		o, err := Parse(data, narrow)
		if err == nil && string(Encode(o)) != string(data) {
			t.Errorf("%q was read, and written as %q", data, Encode(o))
		}
		if schema, named := o["schema"].(string); named {
			_, _ = Read(schema, data) // must not panic
		}
	})
}
