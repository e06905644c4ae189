package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
)

// A package holds no code, only which code is meant: its rules and the digest of its binary. So every organisation makes
// the same bytes, and by approving the package's id approves that binary. Where the chaincode listens is each peer's own
// matter (config/builder).
func writePackage(arguments []string) error {
	if len(arguments) != 3 {
		return errors.New("package takes the version of the rules, the chaincode's binary and the file to write")
	}
	rules, binary, file := arguments[0], arguments[1], arguments[2]
	code, err := os.ReadFile(binary)
	if err != nil {
		return err
	}
	label, packed, err := pack(rules, sha256.Sum256(code))
	if err != nil {
		return err
	}
	if err := os.WriteFile(file, packed, 0o644); err != nil {
		return err
	}
	fmt.Printf("%s:%x\n", label, sha256.Sum256(packed))
	return nil
}

func pack(rules string, digest [32]byte) (label string, packed []byte, err error) {
	label = fmt.Sprintf("custody-%s-%x", rules, digest[:6])
	code, err := archive(entry{"chaincode.json", fmt.Appendf(nil, `{"rules":%s,"sha256":"%x"}`+"\n", rules, digest)})
	if err != nil {
		return "", nil, err
	}
	metadata := fmt.Appendf(nil, `{"label":%q,"type":"custody"}`+"\n", label)
	packed, err = archive(entry{"metadata.json", metadata}, entry{"code.tar.gz", code})
	return label, packed, err
}

type entry struct {
	name    string
	content []byte
}

// archive is a tar.gz with nothing in it of when, where and by whom it was made.
func archive(entries ...entry) ([]byte, error) {
	var file bytes.Buffer
	compressed := gzip.NewWriter(&file)
	tarred := tar.NewWriter(compressed)
	for _, e := range entries {
		err := tarred.WriteHeader(&tar.Header{Name: e.name, Mode: 0o644, Size: int64(len(e.content)), Format: tar.FormatUSTAR})
		if err != nil {
			return nil, err
		}
		if _, err := tarred.Write(e.content); err != nil {
			return nil, err
		}
	}
	err := errors.Join(tarred.Close(), compressed.Close())
	return file.Bytes(), err
}
