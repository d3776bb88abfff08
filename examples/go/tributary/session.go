// Package tributary is the client's side of proto/federation.proto, without a wire: one session.
package tributary

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	pb "example/tributary/wire"
)

// Wire is one connection to the server.
type Wire interface {
	// Send takes a message. Where that fails, the connection is lost, and Messages says so.
	Send(*pb.ClientMessage)
	// Messages of the server, in their order; closed when the connection is lost.
	Messages() <-chan *pb.ServerMessage
	// Close lets what was sent leave first.
	Close()
}

// Connect reaches the server. will is what a wire may say for a client that vanished.
type Connect func(ctx context.Context, server Server, clientID string, will *pb.ClientMessage) (Wire, error)

// Trainer learns on the client's own samples.
type Trainer interface {
	Samples() int
	Prepare(topology []byte, mediaType string) error
	Train(ctx context.Context, model []byte, settings map[string]float64) ([]byte, map[string]float64, error)
	Evaluate(ctx context.Context, model []byte) (map[string]float64, error)
}

const (
	silentIntervals = 3               // without a word for so many heartbeat intervals, a server is lost
	firstInterval   = 5 * time.Second // until Welcome says it
	pause           = 250 * time.Millisecond
	longestPause    = 30 * time.Second
	mostEarly       = 1000 // messages kept until Welcome; a window of parts is all there should be
)

// refused ends the session: the server does not want this client, or has gone for good.
type refused struct{ reason string }

func (r refused) Error() string { return "refused: " + r.reason }

// redial ends the connection: another one may be at once, or after a while.
type redial struct {
	reason string
	after  time.Duration
}

func (r redial) Error() string { return r.reason }

// Session takes part in one run, over as many connections as it takes. One goroutine: Run's.
type Session struct {
	clientID, token string
	trainer         Trainer
	say             func(format string, values ...any)

	nonce, id []byte // id: the session's, from Welcome
	runID     string
	newest    *download // the newest model
	model     *download // the newest model that is whole
	tasks     map[pb.TaskKind]*pb.Task
	work      map[pb.TaskKind]work
	upload    *upload
	finish    *pb.Finish
	leaving   bool // Leave DONE is said
	done      bool
	failures  int

	// Of the connection.
	wire     Wire
	welcome  *pb.Welcome
	sequence uint32
	awaited  map[uint32]func(*pb.Receipt) error
	early    []*pb.ServerMessage // what overtook Welcome, as it may on wires of several streams
	heard    time.Time
	beat     *time.Timer
	// What other goroutines have to say, carried out by Run's.
	calls chan func()
}

type work struct {
	task *pb.Task
	ctx  context.Context
	stop context.CancelFunc
}

// NewSession begins none yet: Run does.
func NewSession(clientID, token string, trainer Trainer, say func(string, ...any)) *Session {
	s := &Session{clientID: clientID, token: token, trainer: trainer, say: say, calls: make(chan func())}
	s.startAnew()
	return s
}

// startAnew forgets the session, and everything of the run it was in.
func (s *Session) startAnew() {
	for kind := range s.work {
		s.stop(kind)
	}
	s.nonce, s.id, s.runID = random16(), nil, ""
	s.newest, s.model, s.upload, s.finish = nil, nil, nil, nil
	s.tasks, s.work = map[pb.TaskKind]*pb.Task{}, map[pb.TaskKind]work{}
}

// Run gives the final model, as safetensors.
func (s *Session) Run(ctx context.Context, server Server, connect Connect) ([]byte, error) {
	defer s.startAnew() // ends the training
	for {
		err := s.connection(ctx, server, connect)
		if err == nil || s.leaving {
			return s.model.bytes, nil // the server had its time
		}
		if ctx.Err() != nil || errors.As(err, &refused{}) {
			return nil, err
		}
		wait := min(longestPause, pause<<min(s.failures, 30))
		wait = wait/2 + rand.N(wait/2)
		var asked redial
		if errors.As(err, &asked) {
			wait = asked.after
		}
		s.failures++
		s.say("connection lost: %v; again in %.1f s", err, wait.Seconds())
		if err := sleep(ctx, wait); err != nil {
			return nil, err
		}
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// connection is one connection's part of the session.
func (s *Session) connection(ctx context.Context, server Server, connect Connect) error {
	leave := &pb.Leave{Reason: pb.LeaveReason_LEAVE_REASON_LOST, Nonce: s.nonce}
	will := &pb.ClientMessage{ClientId: s.clientID, Body: &pb.ClientMessage_Leave{Leave: leave}}
	wire, err := connect(ctx, server, s.clientID, will)
	if err != nil {
		return err
	}
	defer wire.Close()
	s.wire, s.welcome, s.sequence, s.early = wire, nil, 0, nil
	s.awaited = map[uint32]func(*pb.Receipt) error{}
	s.heard, s.beat = time.Now(), time.NewTimer(firstInterval)
	defer s.beat.Stop()
	s.greet()
	for !s.done {
		if err := s.step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// step waits for the next thing to happen, and does what is due.
func (s *Session) step(ctx context.Context) error {
	select {
	case message, ok := <-s.wire.Messages():
		if !ok {
			return errors.New("the wire's connection is over")
		}
		s.heard = time.Now()
		return s.hear(message)
	case call := <-s.calls:
		call()
		return nil
	case <-s.beat.C:
		return s.heartbeat()
	case <-ctx.Done():
		leave := &pb.Leave{Reason: pb.LeaveReason_LEAVE_REASON_SHUTTING_DOWN}
		s.ask(&pb.ClientMessage{Body: &pb.ClientMessage_Leave{Leave: leave}}, nil)
		return ctx.Err()
	}
}

// ask sends a message; then, if any, is called with its Receipt.
func (s *Session) ask(message *pb.ClientMessage, then func(*pb.Receipt) error) {
	s.sequence++
	s.awaited[s.sequence] = then
	message.ClientId, message.Sequence = s.clientID, s.sequence
	if message.GetHello() == nil {
		message.RunId, message.Session = s.runID, s.id
	}
	s.wire.Send(message)
}

func (s *Session) heartbeat() error {
	interval := firstInterval
	if s.welcome != nil {
		interval = time.Duration(s.welcome.HeartbeatIntervalMs) * time.Millisecond
	}
	if time.Since(s.heard) > silentIntervals*interval {
		return errors.New("the server does not answer")
	}
	s.beat.Reset(interval)
	if s.welcome != nil {
		s.ask(&pb.ClientMessage{Body: &pb.ClientMessage_Heartbeat{Heartbeat: &pb.Heartbeat{}}}, nil)
	}
	return nil
}

func (s *Session) greet() {
	hello := &pb.Hello{
		ContractVersion: 1,
		Nonce:           s.nonce,
		Token:           s.token,
		Software:        "tributary-go-example/1",
		Samples:         uint32(s.trainer.Samples()),
		Session:         s.id,
	}
	if s.newest != nil {
		hello.Held = s.newest.held()
	}
	s.ask(&pb.ClientMessage{Body: &pb.ClientMessage_Hello{Hello: hello}}, func(r *pb.Receipt) error {
		switch r.Verdict {
		case pb.Verdict_VERDICT_ACCEPTED:
			return nil // Welcome comes by itself
		case pb.Verdict_VERDICT_BUSY, pb.Verdict_VERDICT_FAILED:
			return redial{r.Detail, milliseconds(r.RetryAfterMs)}
		default:
			return refused{r.Detail}
		}
	})
}

func (s *Session) hear(message *pb.ServerMessage) error {
	if receipt := message.GetReceipt(); receipt != nil {
		return s.judged(message.RunId, receipt)
	}
	if welcome := message.GetWelcome(); welcome != nil {
		return s.welcomed(message.RunId, welcome)
	}
	if closing := message.GetClosing(); closing != nil && (s.runID == "" || s.runID == message.RunId) {
		if closing.Reason == pb.ClosingReason_CLOSING_REASON_RESTART {
			return redial{closing.Detail, milliseconds(closing.RetryAfterMs)}
		}
		return refused{closing.Detail}
	}
	if s.welcome == nil {
		if len(s.early) < mostEarly {
			s.early = append(s.early, message)
		}
		return nil
	}
	if message.RunId != s.runID {
		return nil // left over from another run
	}
	switch body := message.Body.(type) {
	case *pb.ServerMessage_ModelPart:
		return s.modelPart(body.ModelPart)
	case *pb.ServerMessage_Task:
		s.tasks[body.Task.Kind] = body.Task
		return s.goOn()
	case *pb.ServerMessage_RoundClosed:
		s.roundClosed(body.RoundClosed)
	case *pb.ServerMessage_Finish:
		s.finish = body.Finish
		return s.goOn()
	}
	return nil // a newer server's message
}

func (s *Session) judged(runID string, receipt *pb.Receipt) error {
	gone := receipt.Verdict == pb.Verdict_VERDICT_NO_SESSION ||
		receipt.Verdict == pb.Verdict_VERDICT_OTHER_RUN && runID != s.runID
	if gone && s.id != nil && !s.leaving { // else it is no loss any more
		s.startAnew()
		return redial{reason: receipt.Detail}
	}
	if receipt.Verdict == pb.Verdict_VERDICT_UNAUTHORISED {
		return refused{receipt.Detail} // another client may have this id, too
	}
	then := s.awaited[receipt.Sequence]
	delete(s.awaited, receipt.Sequence)
	if then == nil {
		return nil
	}
	return then(receipt)
}

func (s *Session) welcomed(runID string, welcome *pb.Welcome) error {
	if !bytes.Equal(welcome.Nonce, s.nonce) {
		return nil // answers an older Hello
	}
	s.runID, s.id, s.welcome, s.failures = runID, welcome.Session, welcome, 0
	s.say("welcome to run %s, round %d", runID, welcome.Round)
	if err := s.trainer.Prepare(welcome.Model.GetTopology(), welcome.Model.GetTopologyType()); err != nil {
		return refused{err.Error()}
	}
	s.beat.Reset(milliseconds(welcome.HeartbeatIntervalMs))
	if s.upload != nil {
		s.upload.backTo(s.upload.held)
		s.sendParts()
	}
	early := s.early
	s.early = nil
	for _, message := range early {
		if err := s.hear(message); err != nil {
			return err
		}
	}
	return s.goOn()
}

func (s *Session) modelPart(part *pb.ModelPart) error {
	if s.newest == nil || part.ModelRound > s.newest.round {
		if part.TotalBytes > s.welcome.Model.GetBytes() {
			return fmt.Errorf("a model of %d bytes is longer than announced", part.TotalBytes)
		}
		s.newest = newDownload(part)
	}
	if part.ModelRound < s.newest.round || !s.newest.take(part, uint64(s.welcome.WindowBytes)/4) {
		return nil
	}
	held := s.newest
	message := &pb.ClientMessage{Body: &pb.ClientMessage_ModelHeld{ModelHeld: held.held()}}
	s.ask(message, func(receipt *pb.Receipt) error {
		if receipt.Verdict == pb.Verdict_VERDICT_MALFORMED && s.newest == held {
			s.newest = nil // not the server's bytes; they are sent again
		}
		return nil
	})
	if held.sha256 == nil {
		return nil
	}
	s.model = held
	return s.goOn()
}

func milliseconds(ms uint32) time.Duration { return time.Duration(ms) * time.Millisecond }
