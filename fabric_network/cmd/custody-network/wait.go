package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	patience  = 30 * time.Second
	farewell  = 15 * time.Second // for a process to end by itself
	interval  = 20 * time.Millisecond
	oneAnswer = 2 * time.Second
)

// waitForNode asks a node's operations endpoint, and stops asking when its process ends.
func waitForNode(arguments []string) error {
	if len(arguments) != 3 && len(arguments) != 5 {
		return errors.New("wait takes a TLS folder, a process id, a URL, and perhaps a metric and its minimum")
	}
	client, err := operationsClient(arguments[0])
	if err != nil {
		return err
	}
	pid, url := arguments[1], arguments[2]
	ask := func(ctx context.Context) error { return healthy(ctx, client, url) }
	if len(arguments) == 5 {
		minimum, err := strconv.ParseFloat(arguments[4], 64)
		if err != nil {
			return err
		}
		ask = func(ctx context.Context) error { return atLeast(ctx, client, url, arguments[3], minimum) }
	}
	return until(patience, func(ctx context.Context) error {
		if !alive(pid) {
			return fmt.Errorf("%w: process %s has ended", errHopeless, pid)
		}
		return ask(ctx)
	})
}

func waitForAny(arguments []string) error {
	if len(arguments) < 4 {
		return errors.New("any takes a TLS folder, URLs, a metric and its minimum")
	}
	client, err := operationsClient(arguments[0])
	if err != nil {
		return err
	}
	urls, name := arguments[1:len(arguments)-2], arguments[len(arguments)-2]
	minimum, err := strconv.ParseFloat(arguments[len(arguments)-1], 64)
	if err != nil {
		return err
	}
	return until(patience, func(ctx context.Context) error {
		var failures []error
		for _, url := range urls {
			err := atLeast(ctx, client, url, name, minimum)
			if err == nil {
				return nil
			}
			failures = append(failures, err)
		}
		return errors.Join(failures...)
	})
}

func printMetric(arguments []string) error {
	if len(arguments) != 3 {
		return errors.New("metric takes a TLS folder, a URL and a metric")
	}
	client, err := operationsClient(arguments[0])
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), oneAnswer)
	defer cancel()
	value, err := metric(ctx, client, arguments[1], arguments[2])
	if err != nil {
		return err
	}
	fmt.Println(strconv.FormatFloat(value, 'f', -1, 64))
	return nil
}

func waitForPort(arguments []string) error {
	if len(arguments) != 2 {
		return errors.New("listening takes a process id and a port")
	}
	pid, port := arguments[0], arguments[1]
	return until(patience, func(context.Context) error {
		if !alive(pid) {
			return fmt.Errorf("%w: process %s has ended", errHopeless, pid)
		}
		connection, err := net.DialTimeout("tcp", "127.0.0.1:"+port, oneAnswer)
		if err != nil {
			return err
		}
		return connection.Close()
	})
}

func waitForDoor(arguments []string) error {
	if len(arguments) != 2 {
		return errors.New("ready takes a process id and a URL")
	}
	pid, url := arguments[0], arguments[1]
	return until(patience, func(ctx context.Context) error {
		if !alive(pid) {
			return fmt.Errorf("%w: process %s has ended", errHopeless, pid)
		}
		response, err := get(ctx, http.DefaultClient, url+"/ready")
		if err != nil {
			return err
		}
		return response.Body.Close()
	})
}

func printReadiness(arguments []string) error {
	if len(arguments) != 1 {
		return errors.New("readiness takes a door's URL")
	}
	client := http.Client{Timeout: 2 * oneAnswer}
	response, err := client.Get(arguments[0] + "/ready")
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode == http.StatusOK {
		fmt.Println("ready")
		return nil
	}
	var problem struct {
		Detail string `json:"detail"`
	}
	if err := json.NewDecoder(response.Body).Decode(&problem); err != nil {
		return fmt.Errorf("%s answered %s", arguments[0], response.Status)
	}
	return errors.New(problem.Detail)
}

func waitUntilGone(arguments []string) error {
	if len(arguments) != 1 {
		return errors.New("gone takes a process id")
	}
	return until(farewell, func(context.Context) error {
		if alive(arguments[0]) {
			return fmt.Errorf("process %s still runs", arguments[0])
		}
		return nil
	})
}

func printTaken(arguments []string) error {
	for _, port := range arguments {
		listener, err := net.Listen("tcp", "127.0.0.1:"+port)
		if err != nil {
			fmt.Println(port)
			continue
		}
		listener.Close()
	}
	return nil
}

var errHopeless = errors.New("no use to wait on")

// until tries again and again; what it answers after its patience is why the last try failed.
func until(patience time.Duration, try func(context.Context) error) error {
	deadline := time.Now().Add(patience)
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		ctx, cancel := context.WithTimeout(context.Background(), oneAnswer)
		err := try(ctx)
		cancel()
		if err == nil || errors.Is(err, errHopeless) {
			return err
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("waited %s: %w", patience, err)
		}
		<-tick.C
	}
}

// alive knows that a process which was killed may stay as a zombie, which takes signals and does nothing.
func alive(pid string) bool {
	number, err := strconv.Atoi(pid)
	if err != nil || errors.Is(syscall.Kill(number, 0), syscall.ESRCH) {
		return false
	}
	status, err := os.ReadFile(filepath.Join("/proc", pid, "stat"))
	if err != nil {
		return !errors.Is(err, os.ErrNotExist) || !hasProc()
	}
	_, state, _ := strings.Cut(string(status), ") ")
	return !strings.HasPrefix(state, "Z")
}

func hasProc() bool {
	_, err := os.Stat("/proc/self/stat")
	return err == nil
}

// operationsClient shows the certificate in a folder that cryptogen made for a user: metrics are for those who have one.
func operationsClient(folder string) (*http.Client, error) {
	certificate, err := tls.LoadX509KeyPair(filepath.Join(folder, "client.crt"), filepath.Join(folder, "client.key"))
	if err != nil {
		return nil, err
	}
	root, err := os.ReadFile(filepath.Join(folder, "ca.crt"))
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(root)
	return &http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12},
	}}, nil
}

func healthy(ctx context.Context, client *http.Client, url string) error {
	response, err := get(ctx, client, url+"/healthz")
	if err != nil {
		return err
	}
	return response.Body.Close()
}

func atLeast(ctx context.Context, client *http.Client, url, name string, minimum float64) error {
	value, err := metric(ctx, client, url, name)
	if err == nil && value < minimum {
		err = fmt.Errorf("%s: %s is %g, not %g", url, name, value, minimum)
	}
	return err
}

// metric reads one metric, named as it is written, labels and all: one that is not there yet counts as 0.
func metric(ctx context.Context, client *http.Client, url, name string) (float64, error) {
	response, err := get(ctx, client, url+"/metrics")
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	lines := bufio.NewScanner(response.Body)
	for lines.Scan() {
		if value, found := strings.CutPrefix(lines.Text(), name+" "); found {
			return strconv.ParseFloat(value, 64)
		}
	}
	return 0, lines.Err()
}

func get(ctx context.Context, client *http.Client, url string) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	response, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	if response.StatusCode != http.StatusOK {
		response.Body.Close()
		return nil, fmt.Errorf("%s answered %s", url, response.Status)
	}
	return response, nil
}
