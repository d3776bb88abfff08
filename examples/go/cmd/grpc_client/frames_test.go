package main

import (
	"encoding/binary"
	"encoding/hex"
	"os"
	"regexp"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	pb "example/tributary/wire"
)

// HTTP/2's 9 bytes of a DATA frame, then gRPC's flag, length and message.
var data = regexp.MustCompile("```\n([0-9a-f]{6} 00 00 00000001 [0-9a-f \n]+)```")

const header = 9 + 5

// TestFramesOfWireMdHoldTheMessages decodes the DATA frames that wire.md shows of gRPC.
func TestFramesOfWireMdHoldTheMessages(t *testing.T) {
	page, err := os.ReadFile("../../../../proto/wire.md")
	if err != nil {
		t.Fatal(err)
	}
	hello, part := &pb.ClientMessage{}, &pb.ClientMessage{}
	first, second := &pb.ServerMessage{}, &pb.ServerMessage{}
	order := []proto.Message{hello, first, part, second}
	frames := data.FindAllStringSubmatch(string(page), -1)
	if len(frames) != len(order) {
		t.Fatalf("wire.md shows %d DATA frames", len(frames))
	}
	for i, each := range frames {
		frame, err := hex.DecodeString(strings.Join(strings.Fields(each[1]), ""))
		if err != nil {
			t.Fatal(err)
		}
		message := frame[header:]
		length := binary.BigEndian.Uint32(frame[header-4:])
		if int(length) != len(message) || int(frame[2]) != len(message)+5 {
			t.Errorf("frame %d does not have the lengths it names", i)
		}
		if err := proto.Unmarshal(message, order[i]); err != nil {
			t.Fatal(err)
		}
	}
	if hello.GetHello().GetSoftware() != "stock" || len(part.GetUpdatePart().GetBytes()) != 8 {
		t.Errorf("%v, %v", hello, part)
	}
	if first.GetReceipt().GetSequence() != 1 || second.GetReceipt().GetNextOffset() != 8 {
		t.Errorf("%v, %v", first, second)
	}
}
