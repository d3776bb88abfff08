package wire

import (
	"encoding/hex"
	"os"
	"regexp"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

var vector = regexp.MustCompile(
	"\\*\\*(.+?)\\*\\* \\((Client|Server)Message\\)\n\n```json\n([^`]*)```\n\n```hex\n([^`]*)```",
)

func TestVectorsOfWireMdDecodeToWhatTheySay(t *testing.T) {
	text, err := os.ReadFile("../../../proto/wire.md")
	if err != nil {
		t.Fatal(err)
	}
	vectors := vector.FindAllStringSubmatch(string(text), -1)
	if len(vectors) < 10 {
		t.Fatalf("wire.md has %d vectors", len(vectors))
	}
	for _, each := range vectors {
		t.Run(each[1], func(t *testing.T) {
			var decoded, said proto.Message = &ClientMessage{}, &ClientMessage{}
			if each[2] == "Server" {
				decoded, said = &ServerMessage{}, &ServerMessage{}
			}
			bytes, err := hex.DecodeString(strings.Join(strings.Fields(each[4]), ""))
			if err != nil {
				t.Fatal(err)
			}
			if err := proto.Unmarshal(bytes, decoded); err != nil {
				t.Fatal(err)
			}
			if err := protojson.Unmarshal([]byte(each[3]), said); err != nil {
				t.Fatal(err)
			}
			if !proto.Equal(decoded, said) {
				t.Errorf("%v is not %v", decoded, said)
			}
		})
	}
}
