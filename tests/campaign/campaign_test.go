package campaign

import (
	"path/filepath"
	"testing"
)

func runAll(t *testing.T, content, full string) int {
	t.Helper()
	t.Setenv("CUSTODY_CONTENT", content)
	t.Setenv("CUSTODY_FULL", full)
	var cases int
	t.Run(content+full, func(t *testing.T) { cases = Cases(t, "flips", 20, 500) })
	return cases
}

func TestAFullCampaignCountsForItsContentOnly(t *testing.T) {
	t.Setenv("CUSTODY_CAMPAIGNS", filepath.Join(t.TempDir(), "campaigns.jsonl"))
	for _, step := range []struct {
		name, content, full string
		cases               int
		countsAsFull        bool
	}{
		{"a sample", "c1", "", 20, false},
		{"all of it", "c1", "1", 500, true},
		{"a sample of a change", "c2", "", 20, false},
	} {
		if cases := runAll(t, step.content, step.full); cases != step.cases {
			t.Fatalf("%s: %d cases to run, not %d", step.name, cases, step.cases)
		}
		if ranInFull(t, record{step.content, "flips", 500, 500}) != step.countsAsFull {
			t.Fatalf("%s: counts as full: %v", step.name, !step.countsAsFull)
		}
	}
}
