package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestACertificateIsGoodUntilAMonthBeforeItsEnd(t *testing.T) {
	day := 24 * time.Hour
	now := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		from, to time.Duration
		state    string
		good     bool
	}{
		{-day, 90 * day, "90 days", true},
		{-day, 30 * day, "30 days", true},
		{-day, 30*day - 1, "29 days", false},
		{-2 * day, -day, "ENDED", false},
		{-day, 0, "ENDED", false},
		{time.Second, 90 * day, "NOT YET", false},
	} {
		state, good := validity(&x509.Certificate{NotBefore: now.Add(test.from), NotAfter: now.Add(test.to)}, now)
		if state != test.state || good != test.good {
			t.Errorf("from %s to %s: %q, %t", test.from, test.to, state, good)
		}
	}
}

func TestAServerCertificateIsMadeOnceAndAgainForAnotherCA(t *testing.T) {
	folder := t.TempDir()
	issue := func(ca, key string) string {
		t.Helper()
		if err := issueServer([]string{ca, key, "chaincode.org1", "127.0.0.1", "localhost", folder}); err != nil {
			t.Fatal(err)
		}
		content, err := os.ReadFile(filepath.Join(folder, "server.crt"))
		if err != nil {
			t.Fatal(err)
		}
		return string(content)
	}
	ca, key := testCA(t)
	first := issue(ca, key)
	if issue(ca, key) != first {
		t.Error("a good certificate was replaced")
	}
	if issue(testCA(t)) == first {
		t.Error("another CA's certificate was kept")
	}
	certificate, err := readCertificate(filepath.Join(folder, "server.crt"))
	if err != nil || certificate.VerifyHostname("127.0.0.1") != nil || certificate.VerifyHostname("localhost") != nil {
		t.Errorf("the certificate is not for its hosts: %v", err)
	}
}

func TestCertsFailsWhenOneHasEnded(t *testing.T) {
	ca, _ := testCA(t)
	if err := printCertificates([]string{filepath.Dir(ca)}); err == nil || !strings.Contains(err.Error(), "1 of 1") {
		t.Errorf("a CA of one day: %v", err)
	}
}

func testCA(t *testing.T) (certificate, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "ca"}, NotBefore: time.Now(), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	certificate, key = filepath.Join(folder, "ca-cert.pem"), filepath.Join(folder, "priv_sk")
	if err := writePEM(certificate, "CERTIFICATE", der); err != nil {
		t.Fatal(err)
	}
	if err := writePEM(key, "PRIVATE KEY", keyDER); err != nil {
		t.Fatal(err)
	}
	return certificate, key
}
