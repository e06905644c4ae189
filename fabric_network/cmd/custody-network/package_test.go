package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"io"
	"testing"
)

func TestEveryOrganisationPacksTheSameBytes(t *testing.T) {
	digest := sha256.Sum256([]byte("the chaincode's binary"))
	label, first, err := pack("1", digest)
	if err != nil {
		t.Fatal(err)
	}
	if _, again, _ := pack("1", digest); !bytes.Equal(first, again) {
		t.Error("packed twice, the bytes differ")
	}
	if _, other, _ := pack("1", sha256.Sum256([]byte("another"))); bytes.Equal(first, other) {
		t.Error("another binary has the same package")
	}
	if want := "custody-1-3f6c3ee1ad32"; len(label) != len(want) {
		t.Errorf("label %q is not like %q", label, want)
	}
}

func TestThePackageSaysWhichBinaryIsMeant(t *testing.T) {
	_, packed, err := pack("3", [32]byte{0xab})
	if err != nil {
		t.Fatal(err)
	}
	outer := unpacked(t, packed)
	if want := `{"label":"custody-3-ab0000000000","type":"custody"}` + "\n"; outer["metadata.json"] != want {
		t.Errorf("metadata is %q", outer["metadata.json"])
	}
	code := unpacked(t, []byte(outer["code.tar.gz"]))["chaincode.json"]
	if want := `{"rules":3,"sha256":"ab00000000000000000000000000000000000000000000000000000000000000"}` + "\n"; code != want {
		t.Errorf("code is %q", code)
	}
}

func unpacked(t *testing.T, packed []byte) map[string]string {
	t.Helper()
	compressed, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for archive := tar.NewReader(compressed); ; {
		header, err := archive.Next()
		if err == io.EOF {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(archive)
		if err != nil {
			t.Fatal(err)
		}
		files[header.Name] = string(content)
	}
}
