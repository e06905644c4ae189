package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"
)

func TestAProcessThatIsAZombieDoesNotLive(t *testing.T) {
	if !hasProc() {
		t.Skip("this system has no /proc")
	}
	child := exec.Command("true")
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	defer child.Wait()
	pid := strconv.Itoa(child.Process.Pid)
	if err := waitUntilGone([]string{pid}); err != nil {
		t.Error(err)
	}
	if !alive(strconv.Itoa(os.Getpid())) {
		t.Error("this process is said to have ended")
	}
}

func TestAMetricThatIsNotThereYetIsZero(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, "# TYPE is_leader gauge\nis_leader{channel=\"other\"} 0\nis_leader{channel=\"custody\"} 1\n")
	}))
	defer server.Close()
	for name, want := range map[string]float64{`is_leader{channel="custody"}`: 1, `is_leader{channel="other"}`: 0, "is_leader": 0} {
		if got, err := metric(context.Background(), server.Client(), server.URL, name); err != nil || got != want {
			t.Errorf("%s is %g, %v", name, got, err)
		}
	}
}

func TestWaitingEndsWithTheLastReason(t *testing.T) {
	reason := errors.New("not yet")
	if err := until(10*time.Millisecond, func(context.Context) error { return reason }); !errors.Is(err, reason) {
		t.Errorf("got %v", err)
	}
}

func TestNobodyWaitsForAProcessThatHasEnded(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	if err := waitForPort([]string{strconv.Itoa(os.Getpid()), port}); err != nil {
		t.Error(err)
	}
	listener.Close()
	child := exec.Command("true")
	if err := child.Run(); err != nil {
		t.Fatal(err)
	}
	started := time.Now()
	if err := waitForPort([]string{strconv.Itoa(child.Process.Pid), port}); !errors.Is(err, errHopeless) || time.Since(started) > patience/2 {
		t.Errorf("after %s: %v", time.Since(started), err)
	}
}
