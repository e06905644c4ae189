package fabric

import (
	"context"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"log/slog"
	"net"
	"sync"
	"testing"
	"time"

	"custody/fabric_network/rest"
	"custody/fabric_network/rest/authority"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/gateway"
	"github.com/hyperledger/fabric-protos-go-apiv2/msp"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// fakePeer is a peer's gateway service that does as a test says. What it hands out has Fabric's own form.
type fakePeer struct {
	gateway.UnimplementedGatewayServer
	genesis *common.Block
	config  *common.Block
	endorse func(*gateway.EndorseRequest) error
	asked   func(organisations []string) error // of the contract
	submit  func(*gateway.SubmitRequest) error
	status  func(context.Context) (*gateway.CommitStatusResponse, error)

	mutex     sync.Mutex
	submitted [][]byte
}

func (f *fakePeer) Evaluate(_ context.Context, r *gateway.EvaluateRequest) (*gateway.EvaluateResponse, error) {
	function, chaincode := calledIn(r.GetProposedTransaction())
	var answer proto.Message
	switch {
	case function == "GetBlockByNumber":
		answer = f.genesis
	case function == "GetConfigBlock":
		answer = f.config
	case function == "GetChainInfo":
		answer = &common.BlockchainInfo{Height: 8}
	case chaincode == "custody" && f.asked != nil:
		return &gateway.EvaluateResponse{Result: &peer.Response{Payload: []byte("{}")}}, f.asked(r.GetTargetOrganizations())
	}
	payload, err := proto.Marshal(answer)
	return &gateway.EvaluateResponse{Result: &peer.Response{Payload: payload}}, err
}

func calledIn(signed *peer.SignedProposal) (function, chaincode string) {
	var proposal peer.Proposal
	var payload peer.ChaincodeProposalPayload
	var invocation peer.ChaincodeInvocationSpec
	must(decode(signed.GetProposalBytes(), &proposal))
	must(decode(proposal.GetPayload(), &payload))
	must(decode(payload.GetInput(), &invocation))
	spec := invocation.GetChaincodeSpec()
	return string(spec.GetInput().GetArgs()[0]), spec.GetChaincodeId().GetName()
}

func (f *fakePeer) Endorse(_ context.Context, r *gateway.EndorseRequest) (*gateway.EndorseResponse, error) {
	if f.endorse != nil {
		if err := f.endorse(r); err != nil {
			return nil, err
		}
	}
	var proposal peer.Proposal
	var header common.Header
	must(decode(r.GetProposedTransaction().GetProposalBytes(), &proposal))
	must(decode(proposal.GetHeader(), &header))
	return &gateway.EndorseResponse{PreparedTransaction: endorsedEnvelope(&header, proposal.GetPayload(), `{"id":"7"}`, nil)}, nil
}

func endorsedEnvelope(header *common.Header, call []byte, result string, event *peer.ChaincodeEvent) *common.Envelope {
	action := &peer.ChaincodeAction{Response: &peer.Response{Status: 200, Payload: []byte(result)}}
	if event != nil {
		action.Events = marshal(event)
	}
	endorsed := &peer.ChaincodeEndorsedAction{ProposalResponsePayload: marshal(&peer.ProposalResponsePayload{Extension: marshal(action)})}
	transaction := &peer.Transaction{Actions: []*peer.TransactionAction{{
		Payload: marshal(&peer.ChaincodeActionPayload{ChaincodeProposalPayload: call, Action: endorsed}),
	}}}
	return &common.Envelope{Payload: marshal(&common.Payload{Header: header, Data: marshal(transaction)})}
}

func (f *fakePeer) Submit(_ context.Context, r *gateway.SubmitRequest) (*gateway.SubmitResponse, error) {
	f.mutex.Lock()
	f.submitted = append(f.submitted, marshal(r.GetPreparedTransaction()))
	f.mutex.Unlock()
	if f.submit != nil {
		return nil, f.submit(r)
	}
	return &gateway.SubmitResponse{}, nil
}

func (f *fakePeer) CommitStatus(ctx context.Context, _ *gateway.SignedCommitStatusRequest) (*gateway.CommitStatusResponse, error) {
	return f.status(ctx)
}

func valid(context.Context) (*gateway.CommitStatusResponse, error) {
	return &gateway.CommitStatusResponse{Result: peer.TxValidationCode_VALID, BlockNumber: 7}, nil
}

func silent(ctx context.Context) (*gateway.CommitStatusResponse, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

// refusing is how the gateway reports what peers said.
func refusing(details ...*gateway.ErrorDetail) error {
	told := status.New(codes.Aborted, "failed to endorse transaction, see attached details for more info")
	for _, d := range details {
		var err error
		told, err = told.WithDetails(d)
		must(err)
	}
	return told.Err()
}

func says(organisation, message string) *gateway.ErrorDetail {
	return &gateway.ErrorDetail{MspId: organisation, Message: message}
}

// world is a ledger in front of a fake peer, and somebody who signs.
type world struct {
	t      *testing.T
	peer   *fakePeer
	ledger *Ledger
	who    authority.Service
}

func newWorld(t *testing.T) *world {
	t.Helper()
	folder, err := authority.Open(t.TempDir(), time.Now)
	must(err)
	fake := &fakePeer{genesis: configBlock(folder), config: configBlock(folder), status: valid}
	server := grpc.NewServer()
	gateway.RegisterGatewayServer(server, fake)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(err)
	go server.Serve(listener)
	t.Cleanup(server.Stop)
	connection, err := grpc.NewClient(listener.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	must(err)
	who := folder.Services[0]
	ledger, err := openOn(connection, Settings{
		Channel: "custody", Chaincode: "custody", Genesis: hex.EncodeToString(headerHash(fake.genesis.GetHeader())),
		MSP: who.MSP, Certificate: authority.PEM(who.Certificate), Key: who.Key,
		Clock: time.Now, Logger: slog.New(slog.DiscardHandler), Observe: func(string, string, time.Duration) {},
	})
	must(err)
	t.Cleanup(func() { ledger.Close() })
	return &world{t, fake, ledger, who}
}

func configBlock(folder *authority.Folder) *common.Block {
	organisations := map[string]*common.ConfigGroup{}
	for _, o := range folder.Organisations {
		fabric := marshal(&msp.FabricMSPConfig{Name: o.MSP, RootCerts: [][]byte{authority.PEM(o.Certificate)}})
		value := &common.ConfigValue{Value: marshal(&msp.MSPConfig{Config: fabric})}
		organisations[o.MSP] = &common.ConfigGroup{Values: map[string]*common.ConfigValue{"MSP": value}}
	}
	group := &common.ConfigGroup{Groups: map[string]*common.ConfigGroup{"Application": {Groups: organisations}}}
	config := marshal(&common.ConfigEnvelope{Config: &common.Config{ChannelGroup: group}})
	envelope := marshal(&common.Envelope{Payload: marshal(&common.Payload{Data: config})})
	return &common.Block{Header: &common.BlockHeader{DataHash: []byte("data")}, Data: &common.BlockData{Data: [][]byte{envelope}}}
}

// ready is an envelope with both signatures.
func (w *world) ready() (rest.Envelope, error) {
	ctx := context.Background()
	e, err := w.ledger.Prepare(ctx, authority.PEM(w.who.Certificate), rest.Call{Function: "Promote", Arguments: []string{"{}"}})
	for err == nil && len(e.Payload) > 0 {
		e, err = w.ledger.Sign(ctx, e, signature(w.who.Key, e.Payload))
	}
	return e, err
}

func (w *world) submit(patience time.Duration) (rest.Outcome, error) {
	w.t.Helper()
	e, err := w.ready()
	if err != nil {
		return rest.Outcome{}, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return w.ledger.Submit(ctx, e)
}

func signature(key *ecdsa.PrivateKey, payload []byte) []byte {
	digest := sha256.Sum256(payload)
	signed, err := ecdsa.SignASN1(rand.Reader, key, digest[:])
	must(err)
	return signed
}

func marshal(message proto.Message) []byte {
	data, err := proto.Marshal(message)
	must(err)
	return data
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}
