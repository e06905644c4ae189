package fabric

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/resolver/manual"
)

// largestAnswer is that of a peer: a whole block with everything in it.
const largestAnswer = 100 << 20

// reconnect is quick: a peer that was restarted is to be found again within a second.
var reconnect = backoff.Config{BaseDelay: 100 * time.Millisecond, Multiplier: 1.5, Jitter: 0.2, MaxDelay: time.Second}

// dial makes one connection that is with the first of the peers that answers, and moves on when that one ends. gRPC
// itself connects again.
func dial(peers []string, roots []byte) (*grpc.ClientConn, error) {
	if len(peers) == 0 {
		return nil, errors.New("there is no peer to ask")
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(roots) {
		return nil, errors.New("there is no certificate in the peers' TLS roots")
	}
	named := manual.NewBuilderWithScheme("peers")
	var addresses []resolver.Address
	for _, peer := range peers {
		host, _, err := net.SplitHostPort(peer)
		if err != nil {
			return nil, fmt.Errorf("read a peer's address: %w", err)
		}
		addresses = append(addresses, resolver.Address{Addr: peer, ServerName: host})
	}
	named.InitialState(resolver.State{Addresses: addresses})
	return grpc.NewClient(
		named.Scheme()+":///organisation",
		grpc.WithResolvers(named),
		grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12})),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(largestAnswer)),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 15 * time.Second, Timeout: 5 * time.Second}),
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: reconnect, MinConnectTimeout: 2 * time.Second}),
	)
}
