package tributary

import (
	"crypto/rand"
	"crypto/sha256"

	pb "example/tributary/wire"
)

// download is a model being put together from its parts.
type download struct {
	round  uint32
	bytes  []byte
	offset uint64 // bytes held
	told   uint64 // bytes held when the server was last told
	sha256 []byte // once it is whole
}

func newDownload(part *pb.ModelPart) *download {
	return &download{round: part.ModelRound, bytes: make([]byte, part.TotalBytes)}
}

// take says whether the server is to be told: every step bytes, at the end, and at a gap.
func (d *download) take(part *pb.ModelPart, step uint64) bool {
	end := part.Offset + uint64(len(part.Bytes))
	if d.sha256 != nil || end > uint64(len(d.bytes)) {
		return false
	}
	if part.Offset > d.offset {
		return true // repeating the offset asks for what is missing
	}
	if end > d.offset {
		copy(d.bytes[part.Offset:], part.Bytes)
		d.offset = end
	}
	if d.offset == uint64(len(d.bytes)) {
		sum := sha256.Sum256(d.bytes)
		d.sha256 = sum[:]
		return true
	}
	return d.offset-d.told >= step
}

func (d *download) held() *pb.ModelHeld {
	d.told = d.offset
	return &pb.ModelHeld{ModelRound: d.round, Offset: d.offset, Sha256: d.sha256}
}

// upload is an update on its way. It outlives the connection it began on.
type upload struct {
	task       *pb.Task
	id         []byte
	bytes      []byte
	samples    uint32
	metrics    map[string]float64
	held, sent uint64 // bytes the server is known to hold; bytes on their way or held
	flying     int    // parts without a Receipt
	turn       int    // counts how often the server sent us back
}

func newUpload(task *pb.Task, bytes []byte, samples int, metrics map[string]float64) *upload {
	return &upload{task: task, id: random16(), bytes: bytes, samples: uint32(samples), metrics: metrics}
}

// backTo goes on from offset; Receipts of parts sent before no longer move it.
func (u *upload) backTo(offset uint64) {
	u.held, u.sent, u.flying = offset, offset, 0
	u.turn++
}

// due says whether another part may go: at most window bytes are unjudged, and always one part.
func (u *upload) due(most, window uint64) bool {
	return u.sent < uint64(len(u.bytes)) && (u.flying == 0 || u.sent-u.held+most <= window)
}

func (u *upload) part(most uint64) *pb.UpdatePart {
	total := uint64(len(u.bytes))
	end := min(u.sent+most, total)
	part := &pb.UpdatePart{
		TaskId: u.task.TaskId, ModelRound: u.task.ModelRound, UploadId: u.id, Samples: u.samples,
		TotalBytes: total, Offset: u.sent, Bytes: u.bytes[u.sent:end],
	}
	if end == total {
		part.Metrics = u.metrics
	}
	u.sent = end
	u.flying++
	return part
}

func random16() []byte {
	bytes := make([]byte, 16)
	rand.Read(bytes) // never fails
	return bytes
}
