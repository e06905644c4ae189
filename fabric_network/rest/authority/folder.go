package authority

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"custody/fabric_network/rest"
)

// caSuffix is what follows an organisation's name in the file of its CA's certificate.
const caSuffix = ".ca.pem"

// renewal is how long before its end a service certificate is replaced at the next start.
const renewal = 30 * 24 * time.Hour

// Service is an identity that the door holds.
type Service struct {
	Name        string
	MSP         string
	Role        string
	Certificate *x509.Certificate
	Key         *ecdsa.PrivateKey
	Token       string // the bearer token that speaks for it
}

// Folder is what an authority keeps on disk: identities/ and enrolment/ of a ledger.
type Folder struct {
	Organisations []*Organisation
	Services      []Service
	Reader        string // the bearer token that only reads
	Ledger        ed25519.PrivateKey

	identities string
	enrolment  string
	clock      func() time.Time
}

var organisations = []string{"Org1MSP", "Org2MSP"}

var services = []struct{ name, msp string }{{"aggregator", "Org1MSP"}, {"validator", "Org2MSP"}}

// Open loads what is there and makes what is missing, so that a first start that was interrupted can be repeated.
func Open(dir string, clock func() time.Time) (*Folder, error) {
	folder, err := openFolder(dir, clock)
	if err != nil {
		return nil, err
	}
	if folder.Ledger, err = keptLedgerKey(filepath.Join(folder.identities, "ledger.key")); err != nil {
		return nil, err
	}
	for _, msp := range organisations {
		organisation, err := keptOrganisation(folder.identities, msp, clock())
		if err != nil {
			return nil, err
		}
		folder.Organisations = append(folder.Organisations, organisation)
	}
	for _, s := range services {
		if err := folder.addService(s.name, s.msp); err != nil {
			return nil, err
		}
	}
	return folder, nil
}

// OpenMember opens the folder of one organisation among others, whose CA was made elsewhere and lies in identities/ as
// <MSP>.ca.pem and <MSP>.ca.key. It has only the services named.
func OpenMember(dir, msp string, clock func() time.Time, names ...string) (*Folder, error) {
	folder, err := openFolder(dir, clock)
	if err != nil {
		return nil, err
	}
	organisation, err := memberOrganisation(folder.identities, msp)
	if err != nil {
		return nil, err
	}
	folder.Organisations = []*Organisation{organisation}
	for _, name := range names {
		if err := folder.addService(name, msp); err != nil {
			return nil, err
		}
	}
	return folder, nil
}

func openFolder(dir string, clock func() time.Time) (*Folder, error) {
	folder := &Folder{identities: filepath.Join(dir, "identities"), enrolment: filepath.Join(dir, "enrolment"), clock: clock}
	err := errors.Join(os.MkdirAll(folder.identities, 0o700), os.MkdirAll(folder.enrolment, 0o700))
	if err != nil {
		return nil, fmt.Errorf("make the authority's folders: %w", err)
	}
	folder.Reader, err = keptToken(filepath.Join(folder.identities, "reader.token"))
	return folder, err
}

func (f *Folder) addService(name, msp string) error {
	service, err := f.keptService(f.identities, name, msp)
	f.Services = append(f.Services, service)
	return err
}

func (f *Folder) organisation(msp string) *Organisation {
	for _, o := range f.Organisations {
		if o.MSP == msp {
			return o
		}
	}
	return nil
}

func (f *Folder) keptService(dir, name, msp string) (Service, error) {
	s := Service{Name: name, MSP: msp, Role: name}
	var err error
	if s.Token, err = keptToken(filepath.Join(dir, name+".token")); err != nil {
		return s, err
	}
	if s.Key, err = keptKey(filepath.Join(dir, name+".key")); err != nil {
		return s, err
	}
	s.Certificate, err = f.keptCertificate(filepath.Join(dir, name+".pem"), s)
	return s, err
}

func (f *Folder) keptCertificate(path string, s Service) (*x509.Certificate, error) {
	certificate, err := readCertificate(path)
	if err == nil && f.clock().Before(certificate.NotAfter.Add(-renewal)) {
		return certificate, nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	certificate, err = f.organisation(s.MSP).issue(s.Name, s.Role, &s.Key.PublicKey, f.clock(), serviceLifetime)
	if err != nil {
		return nil, err
	}
	return certificate, keep(path, PEM(certificate))
}

func keptOrganisation(dir, msp string, now time.Time) (*Organisation, error) {
	certificatePath, keyPath := filepath.Join(dir, msp+caSuffix), filepath.Join(dir, msp+".ca.key")
	certificate, err := readCertificate(certificatePath)
	if errors.Is(err, fs.ErrNotExist) {
		return makeOrganisation(certificatePath, keyPath, msp, now)
	}
	if err != nil {
		return nil, err
	}
	key, err := keptKey(keyPath)
	return &Organisation{msp, certificate, key}, err
}

func memberOrganisation(dir, msp string) (*Organisation, error) {
	certificate, err := readCertificate(filepath.Join(dir, msp+caSuffix))
	if err != nil {
		return nil, fmt.Errorf("read the CA of %s: %w", msp, err)
	}
	key, err := readKey(filepath.Join(dir, msp+".ca.key"))
	if err != nil {
		return nil, fmt.Errorf("read the CA of %s: %w", msp, err)
	}
	return &Organisation{msp, certificate, key}, nil
}

// makeOrganisation keeps the key before the certificate: a certificate on disk always has its key.
func makeOrganisation(certificatePath, keyPath, msp string, now time.Time) (*Organisation, error) {
	organisation, err := newOrganisation(msp, now)
	if err != nil {
		return nil, err
	}
	if err := keepKey(keyPath, organisation.key); err != nil {
		return nil, err
	}
	return organisation, keep(certificatePath, PEM(organisation.Certificate))
}

// Identities are whom a door speaks for: the services of this authority, and a reader.
func (f *Folder) Identities() []rest.Identity {
	found := []rest.Identity{{Name: "reader", Token: sha256.Sum256([]byte(f.Reader))}}
	for _, s := range f.Services {
		found = append(found, rest.Identity{
			Name: s.Name, Certificate: PEM(s.Certificate), Key: s.Key, Token: sha256.Sum256([]byte(s.Token)),
		})
	}
	return found
}
