package authority

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

func opened(t *testing.T, dir string, now *time.Time) *Folder {
	t.Helper()
	folder, err := Open(dir, func() time.Time { return *now })
	if err != nil {
		t.Fatal(err)
	}
	return folder
}

func requestOf(t *testing.T, key any) []byte {
	t.Helper()
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der})
}

func p256(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func TestACertificateSaysWhatTheCodeWasMadeFor(t *testing.T) {
	dir, now := t.TempDir(), noon
	folder := opened(t, dir, &now)
	code, err := NewCode(dir, Grant{MSP: "Org2MSP", Role: "approver", Name: "paul"}, now)
	if err != nil {
		t.Fatal(err)
	}
	key := p256(t)
	encoded, _, err := folder.Enroll(code, requestOf(t, key))
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(encoded)
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	role := ""
	for _, e := range c.Extensions {
		if e.Id.Equal(attributes) {
			role = string(e.Value)
		}
	}
	if c.Subject.CommonName != "paul" || strings.Join(c.Subject.OrganizationalUnit, " ") != "client" || c.Issuer.CommonName != "ca.Org2MSP" ||
		role != `{"attrs":{"role":"approver"}}` || !c.NotAfter.Equal(now.Add(personLifetime)) || !key.PublicKey.Equal(c.PublicKey) {
		t.Errorf("%s of %s until %s, role %s", c.Subject, c.Issuer, c.NotAfter, role)
	}
}

func TestCodesThatCannotBe(t *testing.T) {
	dir, now := t.TempDir(), noon
	opened(t, dir, &now)
	for name, grant := range map[string]Grant{
		"an unknown organisation": {MSP: "Org3MSP", Role: "admin", Name: "anna"},
		"a path":                  {MSP: "../Org1MSP", Role: "admin", Name: "anna"},
		"an unknown role":         {MSP: "Org1MSP", Role: "king", Name: "anna"},
		"a capital letter":        {MSP: "Org1MSP", Role: "admin", Name: "Anna"},
		"a service's name":        {MSP: "Org1MSP", Role: "admin", Name: "aggregator"},
		"no name":                 {MSP: "Org1MSP", Role: "admin"},
	} {
		if _, err := NewCode(dir, grant, now); err == nil {
			t.Errorf("%s got a code", name)
		}
	}
	if _, err := NewCode(t.TempDir(), Grant{MSP: "Org1MSP", Role: "admin", Name: "anna"}, now); err == nil {
		t.Error("a folder without a ledger got a code")
	}
}

func TestACodeEndsAfterSevenDays(t *testing.T) {
	dir, now := t.TempDir(), noon
	folder := opened(t, dir, &now)
	code, err := NewCode(dir, Grant{MSP: "Org1MSP", Role: "admin", Name: "anna"}, now)
	if err != nil {
		t.Fatal(err)
	}
	now = now.Add(codeLifetime)
	if _, _, err := folder.Enroll(code, requestOf(t, p256(t))); !errors.Is(err, ErrCode) {
		t.Errorf("enrolled with %v", err)
	}
	if left, _ := os.ReadDir(filepath.Join(dir, "enrolment")); len(left) != 0 {
		t.Errorf("%d codes are left", len(left))
	}
}

func TestACodeIsKeptAsItsHashOnly(t *testing.T) {
	dir, now := t.TempDir(), noon
	opened(t, dir, &now)
	code, err := NewCode(dir, Grant{MSP: "Org1MSP", Role: "admin", Name: "anna"}, now)
	if err != nil {
		t.Fatal(err)
	}
	files, _ := filepath.Glob(filepath.Join(dir, "enrolment", "*"))
	if len(files) != 1 || len(code) < 26 {
		t.Fatalf("%d files, code of %d characters", len(files), len(code))
	}
	data, err := os.ReadFile(files[0])
	if err != nil || strings.Contains(files[0]+string(data), code) {
		t.Errorf("the code lies there: %s %s %v", files[0], data, err)
	}
	if info, _ := os.Stat(files[0]); info.Mode().Perm() != 0o600 {
		t.Errorf("mode %s", info.Mode())
	}
}

func TestRequestsThatAreNone(t *testing.T) {
	dir, now := t.TempDir(), noon
	folder := opened(t, dir, &now)
	code, err := NewCode(dir, Grant{MSP: "Org1MSP", Role: "admin", Name: "anna"}, now)
	if err != nil {
		t.Fatal(err)
	}
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	good := requestOf(t, p256(t))
	forged, _ := pem.Decode(good)
	forged.Bytes[len(forged.Bytes)-1] ^= 1
	for name, request := range map[string][]byte{
		"nothing": nil, "P-384": requestOf(t, p384), "RSA": requestOf(t, rsaKey), "two": append(append([]byte{}, good...), good...),
		"a bad signature": pem.EncodeToMemory(forged), "a certificate": PEM(folder.Services[0].Certificate),
	} {
		if _, _, err := folder.Enroll(code, request); !errors.Is(err, ErrRequest) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, _, err := folder.Enroll(code, good); err != nil {
		t.Errorf("the code was used up by requests that were none: %v", err)
	}
}

func TestAStartRenewsServiceCertificatesThatEndSoon(t *testing.T) {
	dir, now := t.TempDir(), noon
	first := opened(t, dir, &now)
	now = now.Add(300 * 24 * time.Hour)
	if same := opened(t, dir, &now); !same.Services[0].Certificate.Equal(first.Services[0].Certificate) {
		t.Error("renewed 65 days before its end")
	}
	now = now.Add(50 * 24 * time.Hour)
	renewed := opened(t, dir, &now).Services[0]
	if renewed.Certificate.Equal(first.Services[0].Certificate) || !renewed.Key.Equal(first.Services[0].Key) ||
		renewed.Certificate.Subject.String() != first.Services[0].Certificate.Subject.String() || renewed.Token != first.Services[0].Token {
		t.Error("15 days before its end it is not the same service with a new certificate")
	}
}
