// Package wire holds the messages of proto/federation.proto, made by `go generate ./wire`.
package wire

//go:generate sh -c "cd .. && npx -y @bufbuild/buf@1.74.0 generate ../../proto"
