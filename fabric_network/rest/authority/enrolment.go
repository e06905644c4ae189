package authority

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base32"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"custody/fabric_network/rest"
)

const codeLifetime = 7 * 24 * time.Hour

// Grant is what a one-time code stands for.
type Grant struct {
	MSP       string    `json:"msp"`
	Role      string    `json:"role"`
	Name      string    `json:"name"`
	ExpiresAt time.Time `json:"expires_at"`
}

var names = regexp.MustCompile(`^[a-z0-9._-]{1,64}$`)

// check holds a grant to the organisations whose CA lies in a folder's identities/.
func (g Grant) check(identities string) error {
	there := organisationsIn(identities)
	switch {
	case !slices.Contains(there, g.MSP):
		return fmt.Errorf("there is no organisation %q; there are %s", g.MSP, strings.Join(there, ", "))
	case !slices.Contains(Roles, g.Role):
		return fmt.Errorf("there is no role %q; there are %s", g.Role, strings.Join(Roles, ", "))
	case !names.MatchString(g.Name):
		return fmt.Errorf("%q is no name: [a-z0-9._-]{1,64}", g.Name)
	}
	for _, s := range services {
		if s.name == g.Name {
			return fmt.Errorf("%q is the name of a service", g.Name)
		}
	}
	return nil
}

func organisationsIn(identities string) []string {
	found, _ := filepath.Glob(filepath.Join(identities, "*"+caSuffix)) // the pattern is well formed
	for i, path := range found {
		found[i] = strings.TrimSuffix(filepath.Base(path), caSuffix)
	}
	return found
}

// NewCode makes a one-time code, also while the ledger is being served. Only its hash is kept.
func NewCode(dir string, grant Grant, now time.Time) (string, error) {
	identities := filepath.Join(dir, "identities")
	if _, err := os.Stat(identities); err != nil {
		return "", fmt.Errorf("find a ledger in %s: %w", dir, err)
	}
	if err := grant.check(identities); err != nil {
		return "", err
	}
	grant.ExpiresAt = now.Add(codeLifetime).UTC().Truncate(time.Second)
	data, err := json.Marshal(grant)
	if err != nil {
		return "", err
	}
	var random [20]byte
	rand.Read(random[:])
	code := strings.ToLower(base32.StdEncoding.EncodeToString(random[:]))
	return code, keep(filepath.Join(dir, "enrolment", hashed(code)+".json"), data)
}

var (
	// ErrCode is deliberately the same for a code that never was, was used and has ended.
	ErrCode    = &rest.Error{Code: rest.Forbidden, Text: "the code is unknown, used or expired"}
	ErrRequest = &rest.Error{Code: rest.BadRecord, Text: "the certificate request is no self-signed P-256 PKCS#10 in PEM"}
)

// Enroll issues the certificate that a code promises for the key in a request, once.
func (f *Folder) Enroll(code string, request []byte) (certificate, ca []byte, err error) {
	public, err := requestedKey(request)
	if err != nil {
		return nil, nil, err
	}
	grant, err := f.redeem(code)
	if err != nil {
		return nil, nil, err
	}
	organisation := f.organisation(grant.MSP)
	issued, err := organisation.issue(grant.Name, grant.Role, public, f.clock(), personLifetime)
	if err != nil {
		return nil, nil, err
	}
	return PEM(issued), PEM(organisation.Certificate), nil
}

func requestedKey(request []byte) (*ecdsa.PublicKey, error) {
	block, rest := pem.Decode(request)
	if block == nil || block.Type != "CERTIFICATE REQUEST" || len(bytes.TrimSpace(rest)) > 0 {
		return nil, ErrRequest
	}
	parsed, err := x509.ParseCertificateRequest(block.Bytes)
	if err != nil || parsed.CheckSignature() != nil {
		return nil, ErrRequest
	}
	public, ok := parsed.PublicKey.(*ecdsa.PublicKey)
	if !ok || public.Curve != elliptic.P256() {
		return nil, ErrRequest
	}
	return public, nil
}

// redeem takes the code away before anything is issued: of two who come with the same code, one gets nothing.
func (f *Folder) redeem(code string) (Grant, error) {
	path := filepath.Join(f.enrolment, hashed(code)+".json")
	data, err := os.ReadFile(path)
	if err != nil {
		return Grant{}, missingIsUnknown(err)
	}
	var grant Grant
	if err := json.Unmarshal(data, &grant); err != nil {
		return Grant{}, fmt.Errorf("read a grant: %w", err)
	}
	if err := grant.check(f.identities); err != nil {
		return Grant{}, fmt.Errorf("read a grant: %w", err)
	}
	if err := os.Remove(path); err != nil {
		return Grant{}, missingIsUnknown(err)
	}
	if err := syncFolder(f.enrolment); err != nil {
		return Grant{}, fmt.Errorf("redeem a code: %w", err)
	}
	if !f.clock().Before(grant.ExpiresAt) {
		return Grant{}, ErrCode
	}
	return grant, nil
}

func missingIsUnknown(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return ErrCode
	}
	return fmt.Errorf("redeem a code: %w", err)
}
