package tributary

import (
	"bytes"
	"crypto/sha256"
	"testing"

	pb "example/tributary/wire"
)

const (
	most   = 10
	window = 25
)

// sent is what may go without a Receipt.
func sent(u *upload) []byte {
	var all []byte
	for u.due(most, window) {
		all = append(all, u.part(most).Bytes...)
	}
	return all
}

func TestUploadKeepsToTheWindow(t *testing.T) {
	u := newUpload(&pb.Task{}, make([]byte, 100), 1, nil)
	if got := len(sent(u)); got != 2*most {
		t.Fatalf("%d bytes without a Receipt, although the window holds %d", got, window)
	}
	u.held, u.flying = most, 1
	if part := u.part(most); part.Offset != 2*most || u.due(most, window) {
		t.Errorf("a Receipt for %d bytes allows for the part at %d", most, part.Offset)
	}
}

func TestUploadSendsAPartThatIsLargerThanTheWindow(t *testing.T) {
	u := newUpload(&pb.Task{}, make([]byte, 100), 1, nil)
	if !u.due(2*window, window) || len(u.part(2*window).Bytes) != 2*window || u.due(2*window, window) {
		t.Error("one part is always on its way, and then only one")
	}
}

func TestUploadGoesOnFromWhereItIsSentBackTo(t *testing.T) {
	all := []byte("weights of some length, with metrics")
	u := newUpload(&pb.Task{}, all, 1, map[string]float64{"loss": 1})
	sent(u)
	u.backTo(7)
	var got []byte
	for u.sent < uint64(len(all)) {
		part := u.part(most)
		got = append(got, part.Bytes...)
		if last := u.sent == uint64(len(all)); last != (part.Metrics["loss"] == 1) {
			t.Errorf("metrics belong into the last part: %v", part)
		}
	}
	if !bytes.Equal(got, all[7:]) {
		t.Errorf("%q", got)
	}
}

func TestDownloadAsksAgainAtAGapAndIsWholeOnce(t *testing.T) {
	all := []byte("0123456789abcdefghij")
	part := func(offset, end int) *pb.ModelPart {
		return &pb.ModelPart{
			ModelRound: 3, TotalBytes: uint64(len(all)), Offset: uint64(offset), Bytes: all[offset:end],
		}
	}
	d := newDownload(part(0, 5))
	for _, step := range []struct {
		offset, end int
		tell        bool
		held        uint64
	}{
		{0, 5, false, 5},
		{10, 15, true, 5}, // a gap
		{0, 5, false, 5},  // again
		{5, 15, true, 15}, // more than the step of 8
		{10, 20, true, 20},
		{10, 20, false, 20},
	} {
		if tell := d.take(part(step.offset, step.end), 8); tell != step.tell {
			t.Errorf("after %v the server is told: %v", step, tell)
		} else if tell && d.held().Offset != step.held {
			t.Errorf("after %v %d bytes are held", step, d.offset)
		}
	}
	sum := sha256.Sum256(all)
	if !bytes.Equal(d.held().Sha256, sum[:]) {
		t.Errorf("%v", d.held())
	}
}
