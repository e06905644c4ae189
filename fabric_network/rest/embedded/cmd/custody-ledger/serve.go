package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"syscall"
	"time"

	"custody/chaincode/contract"
	"custody/fabric_network/rest"
	"custody/fabric_network/rest/embedded"
)

func serve(arguments []string) error {
	flags := flag.NewFlagSet("serve", flag.ExitOnError)
	dir := flags.String("dir", "", "the ledger's folder")
	listen := flags.String("listen", "127.0.0.1:7080", "address")
	flags.Parse(arguments)
	if *dir == "" {
		return errors.New("serve needs --dir")
	}
	collectSeldom()
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
		Backend: ledger, Identities: ledger.Authority().Identities(), Enroller: ledger.Authority(),
		Kept: kept, Metrics: metrics, Logger: logger, Clock: time.Now,
	})
	listener, err := net.Listen("tcp", listen)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	if err := rest.Announce(os.Stdout, listener, ledger.Genesis()); err != nil {
		return fmt.Errorf("announce: %w", err)
	}
	return rest.Serve(stop, listener, door, logger)
}

// collectSeldom trades memory that nobody misses for time: the ledger's own data is small, and most garbage short-lived.
func collectSeldom() {
	debug.SetGCPercent(400)
	debug.SetMemoryLimit(48 << 20) // from here on, collect as often as it takes
}

func rules(genesis string) embedded.Rules { return contract.Contract{Genesis: genesis} }
