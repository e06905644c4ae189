package embedded

import (
	"bytes"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// starts are where the frames of a log begin; the last is its end.
func starts(t *testing.T, dir string) []int64 {
	t.Helper()
	l := mustOpen(t, settings(dir))
	defer closeLedger(t, l)
	return append([]int64(nil), l.log.starts...)
}

func readFile(t *testing.T, path ...string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(path...))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func writeFile(t *testing.T, data []byte, path ...string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(path...), data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// mark makes a block the newest that was acknowledged.
func mark(t *testing.T, dir string, number uint64) {
	t.Helper()
	os.Remove(filepath.Join(dir, acknowledgedName))
	disk, err := openDisk(filepath.Join(dir, acknowledgedName))
	if err != nil {
		t.Fatal(err)
	}
	defer disk.Close()
	if err := (acknowledged{disk}).write(number); err != nil {
		t.Fatal(err)
	}
}

// heard collects what a ledger logs.
func heard() (*slog.Logger, *bytes.Buffer) {
	var out bytes.Buffer
	return slog.New(slog.NewTextHandler(&out, nil)), &out
}

func TestATornEndIsCutAndReportedUnlessItWasAcknowledged(t *testing.T) {
	for name, damage := range map[string]func(before, last []byte) []byte{
		"a byte of a length": func(before, last []byte) []byte { return append(before, last[:1]...) },
		"half of a block":    func(before, last []byte) []byte { return append(before, last[:len(last)/2]...) },
		"all but one byte":   func(before, last []byte) []byte { return append(before, last[:len(last)-1]...) },
		"a flipped byte":     func(before, last []byte) []byte { last[40] ^= 1; return append(before, last...) },
		"only zeros":         func(before, last []byte) []byte { return append(before, make([]byte, len(last))...) },
		"more zeros":         func(before, last []byte) []byte { return append(before, make([]byte, 9000)...) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := filled(t, 3)
			at, log := starts(t, dir), readFile(t, dir, logName)
			writeFile(t, damage(bytes.Clone(log[:at[3]]), bytes.Clone(log[at[3]:])), dir, logName)
			if _, err := Open(settings(dir)); err == nil || !strings.Contains(err.Error(), "block 3 ") {
				t.Errorf("although acknowledged: %v", err)
			}
			os.Remove(filepath.Join(dir, indexName)) // its checkpoint promises block 3 as well
			mark(t, dir, 2)
			s := settings(dir)
			logger, said := heard()
			s.Logger = logger
			l := mustOpen(t, s)
			if !strings.Contains(said.String(), "cut the torn end") || !strings.Contains(said.String(), "block=3") {
				t.Errorf("said %s", said)
			}
			if o := mustSubmit(t, l, "Put", "after", "1"); o.Block != 3 || get(l, "key/1") != "value 1" || get(l, "key/2") == "value 2" {
				t.Errorf("after the cut: block %d", o.Block)
			}
			closeLedger(t, l)
			if _, err := Check(dir, notebooks); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestAWholeBlockThatWasNotAcknowledgedStays(t *testing.T) {
	dir := filled(t, 3)
	mark(t, dir, 1)
	l := mustOpen(t, settings(dir))
	defer closeLedger(t, l)
	if get(l, "key/2") != "value 2" {
		t.Error("block 3 is gone")
	}
}

func TestATornMarkLeavesTheOneBefore(t *testing.T) {
	path := filepath.Join(t.TempDir(), "mark")
	disk, err := openDisk(path)
	if err != nil {
		t.Fatal(err)
	}
	defer disk.Close()
	marks := acknowledged{disk}
	if marks.read() != nil {
		t.Error("there is a mark in an empty file")
	}
	for number := range uint64(5) {
		if err := marks.write(number); err != nil {
			t.Fatal(err)
		}
		if got := marks.read(); got == nil || *got != number {
			t.Errorf("wrote %d, read %v", number, got)
		}
	}
	if _, err := disk.WriteAt([]byte{0, 0, 0, 0, 0, 0, 0, 5}, markSize); err != nil {
		t.Fatal(err)
	}
	if got := marks.read(); got == nil || *got != 4 {
		t.Errorf("5 was torn, read %v", got)
	}
}

func TestAnIllegibleMarkIsNoReasonToCut(t *testing.T) {
	dir := filled(t, 2)
	writeFile(t, []byte("illegible!!!"), dir, acknowledgedName)
	closeLedger(t, mustOpen(t, settings(dir)))
	os.Remove(filepath.Join(dir, acknowledgedName))
	log := readFile(t, dir, logName)
	writeFile(t, log[:len(log)-1], dir, logName)
	if _, err := Open(settings(dir)); err == nil || !strings.Contains(err.Error(), "block 2 ") {
		t.Errorf("opened with %v", err)
	}
}

func TestMissingBlocksThatWereAcknowledgedRefuse(t *testing.T) {
	dir := filled(t, 4)
	at := starts(t, dir)
	writeFile(t, readFile(t, dir, logName)[:at[3]], dir, logName)
	if _, err := Open(settings(dir)); err == nil || !strings.Contains(err.Error(), "block 3 was acknowledged and is missing") {
		t.Errorf("by the mark: %v", err)
	}
	mark(t, dir, 2)
	if _, err := Open(settings(dir)); err == nil || !strings.Contains(err.Error(), "block 3 was acknowledged and is missing") {
		t.Errorf("by the index: %v", err)
	}
}

func TestAFlippedBitAnywhereRefusesAndNamesTheBlock(t *testing.T) {
	dir := filled(t, 6)
	at := starts(t, dir)
	log := readFile(t, dir, logName)
	for range points(300, 3000) {
		where := rand.Int64N(int64(len(log)))
		block := 0
		for at[block+1] <= where {
			block++
		}
		damaged := bytes.Clone(log)
		damaged[where] ^= 1 << rand.IntN(8)
		writeFile(t, damaged, dir, logName)
		if _, err := Open(settings(dir)); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("block %d", block)) {
			t.Fatalf("byte %d, in block %d: %v", where, block, err)
		}
		if _, err := Check(dir, notebooks); err == nil {
			t.Fatalf("byte %d: the check passes", where)
		}
	}
}

func TestDamageInTheMiddleIsNeverTakenForATornEnd(t *testing.T) {
	dir := filled(t, 6)
	at := starts(t, dir)
	log := readFile(t, dir, logName)
	os.Remove(filepath.Join(dir, indexName))
	for range points(100, 1000) {
		mark(t, dir, 0) // a power cut took the newer ones back
		where := at[1] + rand.Int64N(at[6]-at[1])
		damaged := bytes.Clone(log)
		damaged[where] ^= 1 << rand.IntN(8)
		writeFile(t, damaged, dir, logName)
		if l, err := Open(settings(dir)); err == nil {
			closeLedger(t, l)
			t.Fatalf("byte %d: opened", where)
		}
	}
}

func TestABlockPutInPlaceOfAnotherBreaksTheChain(t *testing.T) {
	dir, other := filled(t, 3), filled(t, 3)
	at, otherAt := starts(t, dir), starts(t, other)
	log, otherLog := readFile(t, dir, logName), readFile(t, other, logName)
	foreign := append(bytes.Clone(log[:at[3]]), otherLog[otherAt[3]:]...)
	repeated := append(bytes.Clone(log), log[at[3]:]...)
	for name, forged := range map[string][]byte{"another ledger's": foreign, "the same again": repeated} {
		writeFile(t, forged, dir, logName)
		if _, err := Open(settings(dir)); err == nil {
			t.Errorf("%s block was taken", name)
		}
	}
}

func TestADamagedIndexIsRebuiltAndSaidSo(t *testing.T) {
	dir := filled(t, 30)
	good := readFile(t, dir, indexName)
	for range points(60, 600) {
		damaged := bytes.Clone(good)
		switch rand.IntN(3) {
		case 0:
			damaged = damaged[:rand.IntN(len(damaged))]
		case 1:
			damaged[rand.IntN(20*os.Getpagesize())] ^= 1 << rand.IntN(8)
		case 2:
			damaged = nil
			os.Remove(filepath.Join(dir, indexName))
		}
		if damaged != nil {
			writeFile(t, damaged, dir, indexName)
		}
		s := settings(dir)
		logger, said := heard()
		s.Logger = logger
		l := mustOpen(t, s)
		for n := range 30 {
			if got := get(l, fmt.Sprintf("key/%d", n)); got != fmt.Sprintf("value %d", n) {
				t.Fatalf("key %d: %q\n%s", n, got, said)
			}
		}
		closeLedger(t, l)
		if bytes.Equal(damaged, good) {
			continue
		}
		if damaged == nil && !strings.Contains(said.String(), "rebuilding the index") {
			t.Errorf("said only %s", said)
		}
	}
}

func TestAnIndexOfAnotherLedgerIsRebuilt(t *testing.T) {
	dir, other := filled(t, 3), filled(t, 9)
	writeFile(t, readFile(t, other, indexName), dir, indexName)
	l := mustOpen(t, settings(dir))
	defer closeLedger(t, l)
	if get(l, "key/2") != "value 2" || get(l, "key/8") == "value 8" {
		t.Error("it answers from the other ledger's index")
	}
}

func TestALostIndexOfManyBlocksIsRebuilt(t *testing.T) {
	dir := filled(t, 500)
	os.Remove(filepath.Join(dir, indexName))
	l := mustOpen(t, settings(dir))
	defer closeLedger(t, l)
	for n := range 500 {
		if got := get(l, fmt.Sprintf("key/%d", n)); got != fmt.Sprintf("value %d", n) {
			t.Fatalf("key %d: %q", n, got)
		}
	}
}

// points is how many points a randomised test tries: few here, many where CUSTODY_FULL asks for all.
func points(few, many int) int {
	if os.Getenv("CUSTODY_FULL") != "" {
		return many
	}
	return few
}
