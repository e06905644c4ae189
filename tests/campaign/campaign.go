// Package campaign is tests/campaigns.py for Go tests: samples by default, everything once with CUSTODY_FULL=1.
package campaign

import (
	"bufio"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"testing"
)

type record struct {
	Content string `json:"content"`
	Name    string `json:"name"`
	Ran     int    `json:"ran"`
	Full    int    `json:"full"`
}

// Cases says how many cases of the named campaign to run now. A name belongs to one test.
func Cases(t testing.TB, name string, sampled, full int) int {
	t.Helper()
	wanted := record{os.Getenv("CUSTODY_CONTENT"), name, min(sampled, full), full}
	if os.Getenv("CUSTODY_FULL") == "1" {
		wanted.Ran = full
		if ranInFull(t, wanted) {
			t.Skipf("%s: all %d ran in full at this content", name, full)
		}
	}
	t.Cleanup(func() {
		if !t.Failed() && !t.Skipped() {
			keep(t, wanted)
		}
	})
	return wanted.Ran
}

// recordsFile is empty for a plain `go test`, which keeps no records.
func recordsFile() string { return os.Getenv("CUSTODY_CAMPAIGNS") }

func ranInFull(t testing.TB, wanted record) bool {
	t.Helper()
	file, err := os.Open(recordsFile())
	if recordsFile() == "" || errors.Is(err, fs.ErrNotExist) {
		return false
	}
	if err != nil {
		t.Fatalf("read campaign records: %v", err)
	}
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		var earlier record
		if err := json.Unmarshal(lines.Bytes(), &earlier); err != nil {
			t.Fatalf("read campaign records: %v", err)
		}
		if earlier.Content == wanted.Content && earlier.Name == wanted.Name && earlier.Ran >= wanted.Full {
			return true
		}
	}
	return false
}

func keep(t testing.TB, passed record) {
	t.Helper()
	if recordsFile() == "" {
		return
	}
	line, err := json.Marshal(passed)
	if err != nil {
		t.Fatalf("encode campaign record: %v", err)
	}
	file, err := os.OpenFile(recordsFile(), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		t.Fatalf("keep campaign record: %v", err)
	}
	defer file.Close()
	if _, err := file.Write(append(line, '\n')); err != nil {
		t.Fatalf("keep campaign record: %v", err)
	}
}
