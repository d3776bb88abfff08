// A client over MQTT 5, on eclipse paho.golang.
//
//	mqtt_client --data IMAGES,LABELS mqtt://127.0.0.1:1883/default
//	mqtt_client --data IMAGES,LABELS --ca ca.pem --token TOKEN mqtts://192.0.2.1:1883/default
package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/eclipse/paho.golang/paho"
	"google.golang.org/protobuf/proto"

	"example/tributary/tributary"
	pb "example/tributary/wire"
)

const (
	timeout   = 15 * time.Second
	keepAlive = 30 // seconds
	// More than a window of parts and their Receipts, so that what comes in never holds back the
	// PUBACKs that Send may wait for.
	waiting = 1000
)

type session struct {
	conn     net.Conn
	client   *paho.Client
	up       string
	messages chan *pb.ServerMessage
	closing  chan struct{}
}

func connect(ctx context.Context, server tributary.Server, id string, will *pb.ClientMessage) (tributary.Wire, error) {
	conn, err := dial(server)
	if err != nil {
		return nil, err
	}
	federation := strings.TrimPrefix(server.Address.EscapedPath(), "/") // percent-encoded, as in the topics
	s := &session{
		conn:     conn,
		up:       fmt.Sprintf("fl/%s/up/%s", federation, id),
		messages: make(chan *pb.ServerMessage, waiting),
		closing:  make(chan struct{}),
	}
	s.client = paho.NewClient(paho.ClientConfig{
		ClientID:          id,
		Conn:              conn,
		OnPublishReceived: []func(paho.PublishReceived) (bool, error){s.receive},
	})
	lastWords, err := proto.Marshal(will)
	if err != nil {
		conn.Close()
		return nil, err
	}
	limited, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	_, err = s.client.Connect(limited, &paho.Connect{
		ClientID:    id,
		CleanStart:  true,
		KeepAlive:   keepAlive,
		WillMessage: &paho.WillMessage{Topic: s.up, Payload: lastWords, QoS: 1},
	})
	if err != nil {
		conn.Close()
		return nil, err
	}
	go func() {
		<-s.client.Done() // after the last message was received
		close(s.messages)
	}()
	// Before Hello: its answers come here.
	down := fmt.Sprintf("fl/%s/down/%s", federation, id)
	_, err = s.client.Subscribe(limited, &paho.Subscribe{
		Subscriptions: []paho.SubscribeOptions{{Topic: down, QoS: 1}},
	})
	if err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

func dial(server tributary.Server) (net.Conn, error) {
	dialer := &net.Dialer{Timeout: timeout}
	if server.TLS == nil {
		return dialer.Dial("tcp", server.Host("1883"))
	}
	return tls.DialWithDialer(dialer, "tcp", server.Host("8883"), server.TLS)
}

// receive is called for one message after the other; PUBACK follows it.
func (s *session) receive(received paho.PublishReceived) (bool, error) {
	message := &pb.ServerMessage{}
	if err := proto.Unmarshal(received.Packet.Payload, message); err != nil {
		return false, err
	}
	select {
	case s.messages <- message:
	case <-s.closing:
	}
	return true, nil
}

func (s *session) Send(message *pb.ClientMessage) {
	payload, err := proto.Marshal(message)
	if err == nil {
		// PUBACK says that a verdict was given; the Receipt says which.
		_, err = s.client.PublishWithOptions(
			context.Background(),
			&paho.Publish{Topic: s.up, QoS: 1, Payload: payload},
			paho.PublishOptions{Method: paho.PublishMethod_AsyncSend},
		)
	}
	if err != nil {
		s.conn.Close()
	}
}

func (s *session) Messages() <-chan *pb.ServerMessage { return s.messages }

func (s *session) Close() {
	close(s.closing)
	s.client.Disconnect(&paho.Disconnect{}) // takes the will back
}

func main() { tributary.Main("mqtt", connect) }
