package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// The benchmarks measure the process as its users meet it: over HTTP, with the real contract, on this machine's disk.
// CUSTODY_BENCH_DIR puts the ledger on another one.
func benchDir(b *testing.B) string {
	if dir := os.Getenv("CUSTODY_BENCH_DIR"); dir != "" {
		made, err := os.MkdirTemp(dir, "ledger")
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { os.RemoveAll(made) })
		return made
	}
	return b.TempDir()
}

func benchmarkWriters(b *testing.B, writers int, keyed bool) {
	p := start(b, benchDir(b))
	token := p.token("aggregator")
	var left atomic.Int64
	left.Store(int64(b.N))
	took := make([][]time.Duration, writers)
	before := p.spent()
	b.ResetTimer()
	var group sync.WaitGroup
	for w := range writers {
		group.Go(func() {
			for n := 1; left.Add(-1) >= 0; n++ {
				key := ""
				if keyed {
					key = fmt.Sprintf("%d-%d", w, n)
				}
				started := time.Now()
				if a := p.anchor(token, fmt.Sprint("log", w), n, key); a.status != http.StatusOK {
					b.Errorf("%d %s", a.status, a.body)
					return
				}
				took[w] = append(took[w], time.Since(started))
			}
		})
	}
	group.Wait()
	b.StopTimer()
	all := slices.Concat(took...)
	slices.Sort(all)
	b.ReportMetric(float64(len(all))/b.Elapsed().Seconds(), "tx/s")
	b.ReportMetric(float64(all[len(all)/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(all[len(all)*95/100].Microseconds())/1000, "p95-ms")
	b.ReportMetric(float64(resident(p))/(1<<20), "MiB")
	b.ReportMetric(float64((p.spent()-before).Microseconds())/float64(len(all)), "cpu-µs/tx")
}

func BenchmarkWriters64(b *testing.B)      { benchmarkWriters(b, 64, false) }
func BenchmarkWriters64Keyed(b *testing.B) { benchmarkWriters(b, 64, true) }
func BenchmarkLoneWriter(b *testing.B)     { benchmarkWriters(b, 1, false) }
func BenchmarkLoneKeyed(b *testing.B)      { benchmarkWriters(b, 1, true) }

// spent is the time that the process has had on a processor.
func (p *process) spent() time.Duration {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.command.Process.Pid))
	if err != nil {
		return 0
	}
	columns := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	var user, system int64
	fmt.Sscan(columns[11], &user)
	fmt.Sscan(columns[12], &system)
	return time.Duration(user+system) * 10 * time.Millisecond
}

// resident is the process's memory that is not a mapped file.
func resident(p *process) int64 {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.command.Process.Pid))
	if err != nil {
		return 0
	}
	var kib int64
	for line := range strings.Lines(string(data)) {
		if rest, ok := strings.CutPrefix(line, "RssAnon:"); ok {
			fmt.Sscan(rest, &kib)
		}
	}
	return kib << 10
}

// BenchmarkStart opens a ledger of many transactions, clean, after a kill and without an index, and replays its events.
func BenchmarkStart(b *testing.B) {
	count := points(20_000, 200_000)
	p := start(b, benchDir(b))
	p.fill(count)
	b.ResetTimer()
	for range b.N {
		p.kill()
		p = timedStart(b, p.dir, "killed-s")
		if err := p.stop(); err != nil {
			b.Fatal(err)
		}
		p = timedStart(b, p.dir, "clean-s")
		p.kill()
		os.Remove(p.dir + "/index.db")
		p = timedStart(b, p.dir, "rebuild-s")
		started := time.Now()
		lines := p.events()
		b.ReportMetric(float64(lines)/time.Since(started).Seconds(), "events/s")
		b.ReportMetric(float64(resident(p))/(1<<20), "MiB")
		if lines < count {
			b.Errorf("%d events of %d", lines, count)
		}
	}
}

func timedStart(b *testing.B, dir, unit string) *process {
	started := time.Now()
	p := start(b, dir)
	b.ReportMetric(time.Since(started).Seconds(), unit)
	return p
}

func (p *process) fill(count int) {
	token := p.token("aggregator")
	var group sync.WaitGroup
	for w := range 64 {
		group.Go(func() {
			for n := range count/64 + 1 {
				if a := p.anchor(token, fmt.Sprint("log", w), n+1, ""); a.status != http.StatusOK {
					p.t.Errorf("%d %s", a.status, a.body)
					return
				}
			}
		})
	}
	group.Wait()
}

func (p *process) events() int {
	request, err := http.NewRequest("GET", p.url+"/api/v1/events?follow=false", nil)
	if err != nil {
		p.t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+p.token("reader"))
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		p.t.Fatal(err)
	}
	defer response.Body.Close()
	lines, buffer := 0, make([]byte, 1<<20)
	for {
		n, err := response.Body.Read(buffer)
		lines += strings.Count(string(buffer[:n]), "\n")
		if err == io.EOF {
			return lines
		}
		if err != nil {
			p.t.Fatal(err)
		}
	}
}
