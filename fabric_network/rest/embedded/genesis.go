package embedded

import (
	"bytes"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"custody/chaincode/contract"
	"custody/fabric_network/rest/authority"
)

// configuration is what block 0 fixes: who signs blocks, and whose certificates count. The fields are in the order of
// their names, so that encoding/json writes canonical bytes.
type configuration struct {
	CreatedAt     int64               `json:"created_at"`
	Kind          string              `json:"kind"`
	LedgerKey     string              `json:"ledger_key"`
	Organisations []organisationEntry `json:"organisations"`
	Rules         int                 `json:"rules"`
	Schema        string              `json:"schema"`
}

type organisationEntry struct {
	CA  string `json:"ca"`
	MSP string `json:"msp"`
}

func configure(folder *authority.Folder, now time.Time) configuration {
	c := configuration{
		CreatedAt: now.Unix(),
		Kind:      kind,
		LedgerKey: hex.EncodeToString(folder.Ledger.Public().(ed25519.PublicKey)),
		Rules:     contract.Rules,
		Schema:    "ledger.1",
	}
	for _, o := range folder.Organisations {
		c.Organisations = append(c.Organisations, organisationEntry{hex.EncodeToString(o.Certificate.Raw), o.MSP})
	}
	return c
}

// genesis is block 0 as the rest of the code needs it.
type genesis struct {
	hash          digest
	ledgerKey     ed25519.PublicKey
	organisations []organisation
}

type organisation struct {
	msp string
	ca  *x509.Certificate
}

func readGenesis(data []byte) (genesis, error) {
	b, err := decodeBlock(data)
	if err != nil {
		return genesis{}, err
	}
	if len(b.transactions) != 1 {
		return genesis{}, fmt.Errorf("block 0 has %d transactions, not its configuration alone", len(b.transactions))
	}
	g, err := readConfiguration(b.transactions[0])
	if err != nil {
		return genesis{}, fmt.Errorf("read the configuration in block 0: %w", err)
	}
	g.hash = b.header.hash()
	return g, b.verify(g.ledgerKey)
}

func readConfiguration(data []byte) (genesis, error) {
	var c configuration
	if err := json.Unmarshal(data, &c); err != nil {
		return genesis{}, err
	}
	if again, err := json.Marshal(c); err != nil || !bytes.Equal(again, data) {
		return genesis{}, errors.New("it is not canonical")
	}
	if c.Schema != "ledger.1" || c.Kind != kind || c.Rules != contract.Rules {
		return genesis{}, fmt.Errorf("it is of schema %s, kind %s, rules %d, which this program does not know", c.Schema, c.Kind, c.Rules)
	}
	key, err := hex.DecodeString(c.LedgerKey)
	if err != nil || len(key) != ed25519.PublicKeySize {
		return genesis{}, errors.New("its ledger_key is no Ed25519 key")
	}
	g := genesis{ledgerKey: key}
	for _, entry := range c.Organisations {
		der, err := hex.DecodeString(entry.CA)
		if err != nil {
			return genesis{}, fmt.Errorf("read the CA of %s: %w", entry.MSP, err)
		}
		ca, err := x509.ParseCertificate(der)
		if err != nil {
			return genesis{}, fmt.Errorf("read the CA of %s: %w", entry.MSP, err)
		}
		g.organisations = append(g.organisations, organisation{entry.MSP, ca})
	}
	return g, nil
}

// found writes block 0. The log appears under its name only when it is whole and durable, with its mark beside it.
func found(dir string, folder *authority.Folder, now time.Time) error {
	data, err := json.Marshal(configure(folder, now))
	if err != nil {
		return fmt.Errorf("encode the configuration: %w", err)
	}
	first := sealBlock(0, digest{}, [][]byte{data}, folder.Ledger)
	path := filepath.Join(dir, logName)
	if err := writeDurably(path+".new", frame(first.encode())); err != nil {
		return fmt.Errorf("write block 0: %w", err)
	}
	mark, err := openDisk(filepath.Join(dir, acknowledgedName))
	if err != nil {
		return fmt.Errorf("open the acknowledged mark: %w", err)
	}
	defer mark.Close()
	err = errors.Join(acknowledged{mark}.write(0), mark.Sync(), os.Rename(path+".new", path), syncFolder(dir))
	if err != nil {
		return fmt.Errorf("write block 0: %w", err)
	}
	return nil
}

func writeDurably(path string, data []byte) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(data)
	return errors.Join(err, file.Sync(), file.Close())
}
