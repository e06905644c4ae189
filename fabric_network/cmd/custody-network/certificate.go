package main

import (
	"cmp"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"time"
)

const (
	serverLifetime = 365 * 24 * time.Hour
	// renewal is how long before its end a certificate is replaced, and `certs` calls it a problem.
	renewal = 30 * 24 * time.Hour
	// backdating forgives clocks that differ by a little.
	backdating = 5 * time.Minute
)

var errNoCertificate = errors.New("this is no certificate in PEM")

// found is a certificate, and the first of the files that hold it.
type found struct {
	certificate *x509.Certificate
	path        string
}

// printCertificates lists what ends first at the top, each certificate once.
func printCertificates(folders []string) error {
	seen := map[string]found{}
	for _, folder := range folders {
		if err := collectCertificates(folder, seen); err != nil {
			return err
		}
	}
	all := slices.SortedFunc(maps.Values(seen), func(a, b found) int {
		return cmp.Or(a.certificate.NotAfter.Compare(b.certificate.NotAfter), cmp.Compare(a.path, b.path))
	})
	now, troubled := time.Now(), 0
	for _, f := range all {
		state, good := validity(f.certificate, now)
		if !good {
			troubled++
		}
		fmt.Printf("%10s  %-28s %s\n", state, f.certificate.Subject.CommonName, f.path)
	}
	if troubled > 0 {
		return fmt.Errorf("%d of %d certificates have ended, end within %d days, or are of the future", troubled, len(all), renewal/(24*time.Hour))
	}
	return nil
}

func collectCertificates(folder string, seen map[string]found) error {
	return filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !slices.Contains([]string{".pem", ".crt"}, filepath.Ext(path)) {
			return err
		}
		certificate, err := readCertificate(path)
		if errors.Is(err, errNoCertificate) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		if _, again := seen[string(certificate.Raw)]; !again {
			seen[string(certificate.Raw)] = found{certificate, path}
		}
		return nil
	})
}

func validity(certificate *x509.Certificate, now time.Time) (state string, good bool) {
	left := certificate.NotAfter.Sub(now)
	switch {
	case now.Before(certificate.NotBefore):
		return "NOT YET", false
	case left <= 0:
		return "ENDED", false
	default:
		return fmt.Sprintf("%d days", left/(24*time.Hour)), left >= renewal
	}
}

func readCertificate(path string) (*x509.Certificate, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(content)
	if block == nil || block.Type != "CERTIFICATE" {
		return nil, fmt.Errorf("%s: %w", path, errNoCertificate)
	}
	return x509.ParseCertificate(block.Bytes)
}

// issueServer leaves a certificate alone that is still good for a while: a chaincode that restarts needs no new one.
func issueServer(arguments []string) error {
	if len(arguments) < 5 {
		return errors.New("issue takes a CA's certificate and key, a name, hosts, and the folder to write to")
	}
	caFile, caKeyFile, name := arguments[0], arguments[1], arguments[2]
	hosts, folder := arguments[3:len(arguments)-1], arguments[len(arguments)-1]
	certificateFile, keyFile := filepath.Join(folder, "server.crt"), filepath.Join(folder, "server.key")
	ca, err := readCertificate(caFile)
	if err != nil {
		return err
	}
	if stillGood(certificateFile, ca) {
		return nil
	}
	caKey, err := readKey(caKeyFile)
	if err != nil {
		return err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	certificate, err := serverCertificate(ca, caKey, name, hosts, key)
	if err != nil {
		return err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	return errors.Join(
		os.MkdirAll(folder, 0o700),
		writePEM(keyFile, "PRIVATE KEY", private),
		writePEM(certificateFile, "CERTIFICATE", certificate),
	)
}

func stillGood(file string, ca *x509.Certificate) bool {
	certificate, err := readCertificate(file)
	return err == nil && certificate.CheckSignatureFrom(ca) == nil && time.Until(certificate.NotAfter) > renewal
}

func serverCertificate(ca *x509.Certificate, caKey *ecdsa.PrivateKey, name string, hosts []string, key *ecdsa.PrivateKey) ([]byte, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: name},
		NotBefore:    time.Now().Add(-backdating),
		NotAfter:     time.Now().Add(serverLifetime),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	for _, host := range hosts {
		if address := net.ParseIP(host); address != nil {
			template.IPAddresses = append(template.IPAddresses, address)
		} else {
			template.DNSNames = append(template.DNSNames, host)
		}
	}
	return x509.CreateCertificate(rand.Reader, template, ca, &key.PublicKey, caKey)
}

func readKey(path string) (*ecdsa.PrivateKey, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(content)
	if block == nil {
		return nil, fmt.Errorf("%s is no key in PEM", path)
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	private, ok := key.(*ecdsa.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("%s is no ECDSA key", path)
	}
	return private, nil
}

func writePEM(file, kind string, der []byte) error {
	return os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600)
}
