// Package fabric is the Backend in front of Hyperledger Fabric: the official gateway client, one connection to the peers
// of one organisation, and one light client an identity.
package fabric

import (
	"context"
	"crypto/ecdsa"
	"encoding/hex"
	"fmt"
	"log/slog"
	"strconv"
	"sync"
	"time"

	"custody/fabric_network/rest"

	"github.com/hyperledger/fabric-gateway/pkg/client"
	"github.com/hyperledger/fabric-gateway/pkg/identity"
	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer/lifecycle"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
)

const kind = "fabric"

// Settings say which ledger this is, and who asks it.
type Settings struct {
	Peers     []string // addresses of this organisation's peers; the first that answers is asked
	Roots     []byte   // PEM of the TLS CA of those peers
	Channel   string
	Chaincode string
	Genesis   string // hex hash of the channel's block 0: another channel is another ledger

	MSP         string
	Certificate []byte // PEM of who reads, and asks what became of transactions
	Key         *ecdsa.PrivateKey

	Clock   func() time.Time
	Logger  *slog.Logger
	Observe func(step, function string, took time.Duration)
}

// Ledger is a channel of Fabric as one organisation's peers show it.
type Ledger struct {
	settings   Settings
	connection *grpc.ClientConn
	gateway    *client.Gateway
	network    *client.Network
	contract   *client.Contract
	members    *members

	mutex      sync.Mutex
	recognised bool // the channel's block 0 is the one that it should be
	rules      int
	rulesRead  time.Time
}

// Open needs no Fabric that runs: what is asked before it does is Unavailable.
func Open(s Settings) (*Ledger, error) {
	connection, err := dial(s.Peers, s.Roots)
	if err != nil {
		return nil, err
	}
	return openOn(connection, s)
}

func openOn(connection *grpc.ClientConn, s Settings) (*Ledger, error) {
	l := &Ledger{settings: s, connection: connection}
	sign, err := identity.NewPrivateKeySign(s.Key)
	if err == nil {
		l.gateway, err = l.connect(s.MSP, s.Certificate, client.WithSign(sign))
	}
	if err != nil {
		connection.Close()
		return nil, err
	}
	l.network = l.gateway.GetNetwork(s.Channel)
	l.contract = l.network.GetContract(s.Chaincode)
	l.members = newMembers(l.config, s.Clock)
	return l, nil
}

// Close ends what is under way.
func (l *Ledger) Close() error {
	l.gateway.Close()
	return l.connection.Close()
}

// connect makes a light client for an identity on the one connection.
func (l *Ledger) connect(msp string, certificate []byte, options ...client.ConnectOption) (*client.Gateway, error) {
	parsed, err := identity.CertificateFromPEM(certificate)
	if err != nil {
		return nil, fmt.Errorf("read a certificate: %w", err)
	}
	holder, err := identity.NewX509Identity(msp, parsed)
	if err != nil {
		return nil, err
	}
	return client.Connect(holder, append(options, client.WithClientConnection(l.connection))...)
}

// Chain says how high the peer that is asked is.
func (l *Ledger) Chain(ctx context.Context) (rest.Chain, error) {
	info, err := l.info(ctx)
	if err != nil {
		return rest.Chain{}, err
	}
	rules, err := l.definedRules(ctx)
	return rest.Chain{
		Kind: kind, Genesis: l.settings.Genesis, Height: info.GetHeight() - 1,
		Head: hex.EncodeToString(info.GetCurrentBlockHash()), Rules: rules,
	}, err
}

func (l *Ledger) info(ctx context.Context) (*common.BlockchainInfo, error) {
	if err := l.recognise(ctx); err != nil {
		return nil, err
	}
	info := &common.BlockchainInfo{}
	return info, l.ask(ctx, info, "qscc", "GetChainInfo", l.settings.Channel)
}

// recognise refuses a channel whose block 0 is another one, once it can be asked.
func (l *Ledger) recognise(ctx context.Context) error {
	l.mutex.Lock()
	recognised := l.recognised
	l.mutex.Unlock()
	if recognised {
		return nil
	}
	block := &common.Block{}
	if err := l.ask(ctx, block, "qscc", "GetBlockByNumber", l.settings.Channel, "0"); err != nil {
		return err
	}
	if genesis := hex.EncodeToString(headerHash(block.GetHeader())); genesis != l.settings.Genesis {
		return &rest.Error{Code: rest.Unavailable, Text: fmt.Sprintf(
			"the channel %s begins with block %s, not %s: this is another ledger", l.settings.Channel, genesis, l.settings.Genesis)}
	}
	l.mutex.Lock()
	l.recognised = true
	l.mutex.Unlock()
	return nil
}

const rulesFor = 5 * time.Second

// definedRules is the version of the chaincode's definition, which changes at most with an upgrade.
func (l *Ledger) definedRules(ctx context.Context) (int, error) {
	l.mutex.Lock()
	rules, read := l.rules, l.rulesRead
	l.mutex.Unlock()
	if l.settings.Clock().Sub(read) < rulesFor {
		return rules, nil
	}
	question, err := proto.Marshal(&lifecycle.QueryChaincodeDefinitionArgs{Name: l.settings.Chaincode})
	if err != nil {
		return 0, err
	}
	definition := &lifecycle.QueryChaincodeDefinitionResult{}
	if err := l.ask(ctx, definition, "_lifecycle", "QueryChaincodeDefinition", string(question)); err != nil {
		return 0, err
	}
	if rules, err = strconv.Atoi(definition.GetVersion()); err != nil {
		return 0, fmt.Errorf("the chaincode's definition has version %q, which names no rules: %w", definition.GetVersion(), err)
	}
	l.mutex.Lock()
	l.rules, l.rulesRead = rules, l.settings.Clock()
	l.mutex.Unlock()
	return rules, nil
}

// config is the channel's newest configuration.
func (l *Ledger) config(ctx context.Context) (*common.Block, error) {
	block := &common.Block{}
	return block, l.ask(ctx, block, "cscc", "GetConfigBlock", l.settings.Channel)
}

// ask has a system chaincode answer, of a peer of this organisation.
func (l *Ledger) ask(ctx context.Context, into proto.Message, chaincode, function string, arguments ...string) error {
	answer, err := l.evaluate(ctx, l.network.GetContract(chaincode), function, arguments)
	if err != nil {
		return err
	}
	if err := proto.Unmarshal(answer, into); err != nil {
		return fmt.Errorf("read the answer of %s: %w", function, err)
	}
	return nil
}

// Genesis is the hash of the channel's block 0.
func (l *Ledger) Genesis() string { return l.settings.Genesis }
