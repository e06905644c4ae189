package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

var binary string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "custody-ledger")
	if err != nil {
		panic(err)
	}
	binary = filepath.Join(dir, "custody-ledger")
	if out, err := exec.Command("go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		panic(fmt.Sprintf("%v: %s", err, out))
	}
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

// process is a served ledger.
type process struct {
	t       testing.TB
	command *exec.Cmd
	dir     string
	url     string
	genesis string
	client  *http.Client
	said    bytes.Buffer
}

func start(t testing.TB, dir string) *process {
	t.Helper()
	p := &process{t: t, dir: dir, command: exec.Command(binary, "serve", "--dir", dir, "--listen", "127.0.0.1:0")}
	p.client = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 128}, Timeout: 20 * time.Second}
	p.command.Stderr = &p.said
	out, err := p.command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.kill)
	line, err := bufio.NewReader(out).ReadBytes('\n')
	var ready struct {
		Ready   bool
		URL     string
		Genesis string
	}
	if err != nil || json.Unmarshal(line, &ready) != nil || !ready.Ready {
		p.command.Wait()
		t.Fatalf("it does not serve: %q %v\n%s", line, err, p.said.String())
	}
	p.url, p.genesis = ready.URL, ready.Genesis
	return p
}

func (p *process) kill() {
	p.command.Process.Kill()
	p.command.Wait()
}

func (p *process) stop() error {
	p.command.Process.Signal(syscall.SIGTERM)
	return p.command.Wait()
}

func (p *process) token(name string) string {
	data, err := os.ReadFile(filepath.Join(p.dir, "identities", name+".token"))
	if err != nil {
		p.t.Fatal(err)
	}
	return string(data)
}

// answer is a reply of the door; status 0 when there was none.
type answer struct {
	status int
	body   []byte
	txid   string
	block  uint64
}

func (p *process) do(method, path, token, key string, body any) answer {
	data, err := json.Marshal(body)
	if err != nil {
		p.t.Fatal(err)
	}
	request, err := http.NewRequest(method, p.url+path, bytes.NewReader(data))
	if err != nil {
		p.t.Fatal(err)
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	if key != "" {
		request.Header.Set("Idempotency-Key", key)
	}
	response, err := p.client.Do(request)
	if err != nil {
		return answer{}
	}
	defer response.Body.Close()
	a := answer{status: response.StatusCode}
	if a.body, err = io.ReadAll(response.Body); err != nil {
		return answer{}
	}
	var said struct {
		TxID  string
		Block uint64
	}
	json.Unmarshal(a.body, &said)
	a.txid, a.block = said.TxID, said.Block
	return a
}

// root is an AnchorRoot of a log of its own: any aggregator may, and the numbers leave no gap.
func root(log string, number int) map[string][]string {
	record := fmt.Sprintf(`{"entries":%d,"log":"%s","number":%d,"root":"%s","schema":"root.1"}`, number, log, number, strings.Repeat("ab", 32))
	return map[string][]string{"arguments": {record}}
}

func (p *process) anchor(token, log string, number int, key string) answer {
	return p.do("POST", "/api/v1/log/anchor", token, key, root(log, number))
}

func (p *process) check() {
	p.t.Helper()
	if out, err := exec.Command(binary, "check", "--dir", p.dir).CombinedOutput(); err != nil {
		p.t.Fatalf("check: %v\n%s", err, out)
	}
}

func startCommand(dir string) *exec.Cmd {
	return exec.Command(binary, "serve", "--dir", dir, "--listen", "127.0.0.1:0")
}
