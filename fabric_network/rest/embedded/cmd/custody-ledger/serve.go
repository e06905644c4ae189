package main

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"custody/chaincode/contract"
	"custody/fabric_network/rest"
	"custody/fabric_network/rest/authority"
	"custody/fabric_network/rest/embedded"
)

const drain = 40 * time.Second // longer than the door waits for a commit

func serve(arguments []string) error {
	flags := flag.NewFlagSet("serve", flag.ExitOnError)
	dir := flags.String("dir", "", "the ledger's folder")
	listen := flags.String("listen", "127.0.0.1:7080", "address")
	flags.Parse(arguments)
	if *dir == "" {
		return errors.New("serve needs --dir")
	}
	stop, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer cancel()
	return serveUntil(stop, *dir, *listen, slog.New(slog.NewJSONHandler(os.Stderr, nil)))
}

func serveUntil(stop context.Context, dir, listen string, logger *slog.Logger) (err error) {
	metrics := rest.NewMetrics()
	ledger, err := embedded.Open(embedded.Settings{
		Dir: dir, Clock: time.Now, Logger: logger, Observe: metrics.Observe,
		Rules: rules,
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, ledger.Close()) }()
	kept, err := rest.OpenKept(filepath.Join(dir, "kept.db"), time.Now, logger)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, kept.Close()) }()
	door := rest.New(rest.Settings{
		Backend: ledger, Identities: identities(ledger.Authority()), Enroller: ledger.Authority(),
		Kept: kept, Metrics: metrics, Logger: logger, Clock: time.Now,
	})
	listener, err := net.Listen("tcp", listen)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	announce(listener, ledger.Genesis())
	return answer(stop, listener, door, logger)
}

func rules(genesis string) embedded.Rules { return contract.Contract{Genesis: genesis} }

// identities are what the door may do in whose name.
func identities(folder *authority.Folder) []rest.Identity {
	found := []rest.Identity{{Name: "reader", Token: sha256.Sum256([]byte(folder.Reader))}}
	for _, s := range folder.Services {
		found = append(found, rest.Identity{
			Name: s.Name, Certificate: authority.PEM(s.Certificate), Key: s.Key, Token: sha256.Sum256([]byte(s.Token)),
		})
	}
	return found
}

func announce(listener net.Listener, genesis string) {
	json.NewEncoder(os.Stdout).Encode(struct {
		Ready   bool   `json:"ready"`
		URL     string `json:"url"`
		Genesis string `json:"genesis"`
	}{true, "http://" + listener.Addr().String(), genesis})
}

// answer serves until stop, then lets what is under way finish.
func answer(stop context.Context, listener net.Listener, door *rest.Door, logger *slog.Logger) error {
	server := &http.Server{
		Handler:           door,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       60 * time.Second,
		WriteTimeout:      60 * time.Second,
		IdleTimeout:       120 * time.Second,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(logger.Handler(), slog.LevelWarn),
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	select {
	case err := <-ended:
		return fmt.Errorf("serve: %w", err)
	case <-stop.Done():
	}
	logger.Info("draining")
	door.HangUp()
	limit, cancel := context.WithTimeout(context.Background(), drain)
	defer cancel()
	if err := server.Shutdown(limit); err != nil {
		return fmt.Errorf("drain: %w", err)
	}
	return nil
}
