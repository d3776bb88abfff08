package main

import (
	"bytes"
	"encoding/hex"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/eclipse/paho.golang/packets"
	"google.golang.org/protobuf/proto"

	pb "example/tributary/wire"
)

var (
	block = regexp.MustCompile("(?s)\nMQTT 5:\n\n```\n(.*?)```")
	// A frame's line has a label; those without one go on with it.
	line = regexp.MustCompile(`(?m)^([<>] \w+)? +([0-9a-f]+)$`)
)

// TestFramesOfWireMdAreThisLibrarysPackets decodes what wire.md shows of MQTT 5.
func TestFramesOfWireMdAreThisLibrarysPackets(t *testing.T) {
	page, err := os.ReadFile("../../../../proto/wire.md")
	if err != nil {
		t.Fatal(err)
	}
	shown := block.FindSubmatch(page)
	if shown == nil {
		t.Fatal("wire.md shows no MQTT 5")
	}
	var stream bytes.Buffer
	for _, each := range line.FindAllStringSubmatch(string(shown[1]), -1) {
		frame, err := hex.DecodeString(each[2])
		if err != nil {
			t.Fatal(err)
		}
		stream.Write(frame)
	}
	said, receipts := []*pb.ClientMessage{}, []*pb.Receipt{}
	for stream.Len() > 0 {
		packet, err := packets.ReadPacket(&stream)
		if err != nil {
			t.Fatal(err)
		}
		publish, ok := packet.Content.(*packets.Publish)
		if !ok {
			continue
		}
		if strings.HasPrefix(publish.Topic, "fl/default/up/") {
			message := &pb.ClientMessage{}
			err = proto.Unmarshal(publish.Payload, message)
			said = append(said, message)
		} else {
			message := &pb.ServerMessage{}
			err = proto.Unmarshal(publish.Payload, message)
			receipts = append(receipts, message.GetReceipt())
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(said) != 2 || said[0].GetHello().GetSoftware() != "stock" || len(said[1].GetUpdatePart().GetBytes()) != 8 {
		t.Errorf("%v", said)
	}
	if len(receipts) != 2 || receipts[1].GetVerdict() != pb.Verdict_VERDICT_ACCEPTED || receipts[1].NextOffset != 8 {
		t.Errorf("%v", receipts)
	}
}
