package tributary

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/url"
	"os"
)

// Server is where a client goes, and whom it trusts there.
type Server struct {
	Address *url.URL
	// TLS is nil where the connection is not encrypted.
	TLS *tls.Config
}

// Host is the address to dial, with the port that a wire has by itself.
func (s Server) Host(port string) string {
	if own := s.Address.Port(); own != "" {
		port = own
	}
	return net.JoinHostPort(s.Address.Hostname(), port)
}

// find reads an address of a wire: grpc://... or, over TLS, grpcs://... . ca names a PEM file of the
// authority that vouches for the server; without it a public one must.
func find(text, wire, ca, token string) (Server, error) {
	address, err := url.Parse(text)
	if err != nil {
		return Server{}, err
	}
	encrypted := address.Scheme == wire+"s"
	if address.Scheme != wire && !encrypted || address.Hostname() == "" {
		return Server{}, fmt.Errorf("%s is no %s address; the server prints %s://... or %ss://...", text, wire, wire, wire)
	}
	if !encrypted {
		if ca != "" {
			return Server{}, fmt.Errorf("--ca is for %ss://..., and %s is not encrypted", wire, text)
		}
		if token != "" && !isLoopback(address.Hostname()) {
			return Server{}, fmt.Errorf("others could read the token on its way to %s; use %ss://...", text, wire)
		}
		return Server{Address: address}, nil
	}
	config := &tls.Config{ServerName: address.Hostname(), MinVersion: tls.VersionTLS12}
	if ca != "" {
		pem, err := os.ReadFile(ca)
		if err != nil {
			return Server{}, err
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return Server{}, fmt.Errorf("--ca %s holds no certificate in PEM", ca)
		}
	}
	return Server{Address: address, TLS: config}, nil
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
