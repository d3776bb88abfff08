package tributary

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestFindTrustsTLSByTheAddress(t *testing.T) {
	plain, err := find("grpc://127.0.0.1/default", "grpc", "", "token")
	if err != nil || plain.TLS != nil || plain.Host("50051") != "127.0.0.1:50051" {
		t.Fatal(plain, err)
	}
	encrypted, err := find("grpcs://[2001:db8::1]:443/default", "grpc", "", "token")
	if err != nil || encrypted.TLS.ServerName != "2001:db8::1" || encrypted.Host("1") != "[2001:db8::1]:443" {
		t.Fatal(encrypted, err)
	}
	if encrypted.TLS.RootCAs != nil {
		t.Fatal("without --ca this machine's authorities vouch")
	}
}

func TestFindRefusesInASentence(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "empty.pem")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, each := range []struct{ url, ca, token, sentence string }{
		{"mqtt://127.0.0.1/default", "", "", "is no grpc address"},
		{"grpc:///default", "", "", "is no grpc address"},
		{"grpc://192.0.2.1/default", "", "token", "others could read the token"},
		{"grpc://127.0.0.1/default", empty, "", "is not encrypted"},
		{"grpcs://127.0.0.1/default", empty, "", "holds no certificate"},
		{"grpcs://127.0.0.1/default", empty + ".not", "", "no such file"},
	} {
		_, err := find(each.url, "grpc", each.ca, each.token)
		if err == nil || !strings.Contains(err.Error(), each.sentence) {
			t.Errorf("%s: %v", each.url, err)
		}
	}
}
