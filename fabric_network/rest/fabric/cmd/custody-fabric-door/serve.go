package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"custody/fabric_network/rest"
	"custody/fabric_network/rest/authority"
	"custody/fabric_network/rest/fabric"
)

type options struct {
	dir, listen, msp, service, peers, tlsRoots, genesis string
	channel, chaincode                                  string
}

func serve(arguments []string) error {
	var o options
	flags := flag.NewFlagSet("serve", flag.ExitOnError)
	flags.StringVar(&o.dir, "dir", "", "the door's folder")
	flags.StringVar(&o.listen, "listen", "127.0.0.1:7080", "address")
	flags.StringVar(&o.msp, "msp", "", "whose door this is")
	flags.StringVar(&o.service, "service", "aggregator", "the service identity that this door holds, and reads as")
	flags.StringVar(&o.peers, "peer", "", "addresses of the organisation's peers; the first that answers is asked")
	flags.StringVar(&o.tlsRoots, "tls-roots", "", "file with the certificate of the peers' TLS CA")
	flags.StringVar(&o.genesis, "genesis", "", "file with the hash of the channel's block 0, in hex")
	flags.StringVar(&o.channel, "channel", "custody", "channel")
	flags.StringVar(&o.chaincode, "chaincode", "custody", "chaincode")
	flags.Parse(arguments)
	if o.dir == "" || o.msp == "" || o.peers == "" || o.tlsRoots == "" || o.genesis == "" {
		return errors.New("serve needs --dir, --msp, --peer, --tls-roots and --genesis")
	}
	stop, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer cancel()
	return serveUntil(stop, o, slog.New(slog.NewJSONHandler(os.Stderr, nil)))
}

func serveUntil(stop context.Context, o options, logger *slog.Logger) (err error) {
	folder, err := authority.OpenMember(o.dir, o.msp, time.Now, o.service)
	if err != nil {
		return err
	}
	metrics := rest.NewMetrics()
	ledger, err := open(o, folder.Services[0], metrics, logger)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, ledger.Close()) }()
	kept, err := rest.OpenKept(filepath.Join(o.dir, "kept.db"), time.Now, logger)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, kept.Close()) }()
	door := rest.New(rest.Settings{
		Backend: ledger, Identities: folder.Identities(), Enroller: folder,
		Kept: kept, Metrics: metrics, Logger: logger, Clock: time.Now,
	})
	listener, err := net.Listen("tcp", o.listen)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	if err := rest.Announce(os.Stdout, listener, ledger.Genesis()); err != nil {
		return err
	}
	return rest.Serve(stop, listener, door, logger)
}

func open(o options, reader authority.Service, metrics *rest.Metrics, logger *slog.Logger) (*fabric.Ledger, error) {
	roots, err := os.ReadFile(o.tlsRoots)
	if err != nil {
		return nil, err
	}
	genesis, err := os.ReadFile(o.genesis)
	if err != nil {
		return nil, err
	}
	return fabric.Open(fabric.Settings{
		Peers: strings.Split(o.peers, ","), Roots: roots, Channel: o.channel, Chaincode: o.chaincode, Genesis: string(bytes.TrimSpace(genesis)),
		MSP: o.msp, Certificate: authority.PEM(reader.Certificate), Key: reader.Key,
		Clock: time.Now, Logger: logger, Observe: metrics.Observe,
	})
}
