// A client over gRPC, on google.golang.org/grpc.
//
//	grpc_client --data IMAGES,LABELS grpc://127.0.0.1:50051/default
//	grpc_client --data IMAGES,LABELS --ca ca.pem --token TOKEN grpcs://192.0.2.1:50051/default
package main

import (
	"context"
	"io"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/metadata"

	"example/tributary/tributary"
	pb "example/tributary/wire"
)

const (
	timeout        = 15 * time.Second
	grace          = time.Second
	largestMessage = 8 << 20 // bytes; the server's parts have 4 MiB at most
)

type session struct {
	connection *grpc.ClientConn
	stream     grpc.BidiStreamingClient[pb.ClientMessage, pb.ServerMessage]
	cancel     context.CancelFunc
	messages   chan *pb.ServerMessage
}

func connect(ctx context.Context, server tributary.Server, _ string, _ *pb.ClientMessage) (tributary.Wire, error) {
	trust := insecure.NewCredentials()
	if server.TLS != nil {
		trust = credentials.NewTLS(server.TLS)
	}
	connection, err := grpc.NewClient(
		"passthrough:///"+server.Host("50051"),
		grpc.WithTransportCredentials(trust),
		grpc.WithNoProxy(),
		grpc.WithDisableRetry(), // the session alone redials
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(largestMessage)),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 10 * time.Second, Timeout: 20 * time.Second}),
	)
	if err != nil {
		return nil, err
	}
	// Not of ctx: the last words are said after it has ended.
	own, cancel := context.WithCancel(context.Background())
	s := &session{connection: connection, cancel: cancel, messages: make(chan *pb.ServerMessage)}
	federation := strings.TrimPrefix(server.Address.EscapedPath(), "/") // percent-encoded
	named := metadata.AppendToOutgoingContext(own, "tributary-federation", federation)
	letIn := time.AfterFunc(timeout, cancel)
	s.stream, err = pb.NewFederationClient(connection).Session(named)
	if err == nil {
		var header metadata.MD
		header, err = s.stream.Header() // waits until the server has let us in, or not
		if err == nil && header == nil {
			_, err = s.stream.Recv() // a refusal: its status
		}
	}
	if !letIn.Stop() {
		err = context.DeadlineExceeded
	}
	if err != nil {
		cancel()
		connection.Close()
		return nil, err
	}
	go s.read(own)
	return s, nil
}

// read ends with the stream, whose status says nothing that the session needs to know.
func (s *session) read(ctx context.Context) {
	defer close(s.messages)
	for {
		message, err := s.stream.Recv()
		if err != nil {
			return
		}
		select {
		case s.messages <- message:
		case <-ctx.Done():
			return
		}
	}
}

func (s *session) Send(message *pb.ClientMessage) {
	if err := s.stream.Send(message); err != nil && err != io.EOF { // EOF: the stream has ended
		s.cancel()
	}
}

func (s *session) Messages() <-chan *pb.ServerMessage { return s.messages }

func (s *session) Close() {
	s.stream.CloseSend() // the server ends the call when it has answered
	end := time.After(grace)
	for open := true; open; {
		select {
		case _, open = <-s.messages:
		case <-end:
			open = false
		}
	}
	s.cancel()
	s.connection.Close()
}

func main() { tributary.Main("grpc", connect) }
