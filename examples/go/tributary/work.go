package tributary

import (
	"bytes"
	"context"
	"strings"
	"time"

	pb "example/tributary/wire"
)

const train = pb.TaskKind_TASK_KIND_TRAIN

// goOn begins whatever has all it needs: a task whose model is held, or the end.
func (s *Session) goOn() error {
	if s.model == nil || s.leaving {
		return nil
	}
	if s.finish != nil && s.model.round == s.finish.Round {
		return s.leave()
	}
	for kind, task := range s.tasks {
		if task.ModelRound == s.model.round {
			delete(s.tasks, kind)
			s.begin(task)
		}
	}
	return nil
}

func (s *Session) begin(task *pb.Task) {
	if known, ok := s.work[task.Kind]; ok && known.task.TaskId == task.TaskId {
		return // told again, after a reconnection
	}
	s.stop(task.Kind)
	ctx, stop := context.WithCancel(context.Background())
	s.work[task.Kind] = work{task, ctx, stop}
	model := s.model.bytes
	if task.Kind != train {
		go func() {
			metrics, err := s.trainer.Evaluate(ctx, model)
			s.call(ctx, func() { s.evaluated(task, metrics, err) })
		}()
		return
	}
	s.say("round %d training", task.Round)
	go func() {
		weights, metrics, err := s.trainer.Train(ctx, model, task.Settings)
		s.call(ctx, func() { s.trained(task, weights, metrics, err) })
	}()
}

// call has Run's goroutine do something, unless its work has been stopped.
func (s *Session) call(ctx context.Context, action func()) {
	select {
	case <-ctx.Done():
	case s.calls <- func() {
		if ctx.Err() == nil {
			action()
		}
	}:
	}
}

func (s *Session) stop(kind pb.TaskKind) {
	if known, ok := s.work[kind]; ok {
		known.stop()
		delete(s.work, kind)
	}
	if kind == train {
		s.upload = nil
	}
}

// roundClosed drops work for a round that has closed: it is in vain.
func (s *Session) roundClosed(closed *pb.RoundClosed) {
	s.say("round %d closed with %d clients", closed.Round, closed.Clients)
	if task, ok := s.tasks[train]; ok && task.Round <= closed.Round {
		delete(s.tasks, train)
	}
	if known, ok := s.work[train]; ok && known.task.Round <= closed.Round {
		s.stop(train)
	}
}

func (s *Session) evaluated(task *pb.Task, metrics map[string]float64, err error) {
	s.stop(task.Kind)
	if err != nil {
		s.say("round %d not evaluated: %v", task.Round, err)
		return
	}
	s.say("round %d evaluated: %v", task.Round, metrics)
	if s.welcome == nil {
		return // the server asks again after Hello
	}
	evaluation := &pb.Evaluation{TaskId: task.TaskId, Samples: uint32(s.trainer.Samples()), Metrics: metrics}
	s.ask(&pb.ClientMessage{Body: &pb.ClientMessage_Evaluation{Evaluation: evaluation}}, nil)
}

func (s *Session) trained(task *pb.Task, weights []byte, metrics map[string]float64, err error) {
	if err != nil {
		s.say("round %d not trained: %v", task.Round, err)
		return
	}
	s.say("round %d trained: %v", task.Round, metrics)
	s.upload = newUpload(task, weights, s.trainer.Samples(), metrics)
	s.sendParts()
}

// sendParts keeps a window ahead of the Receipts.
func (s *Session) sendParts() {
	if s.welcome == nil {
		return // between connections
	}
	most, window := uint64(s.welcome.LargestPartBytes), uint64(s.welcome.WindowBytes)
	for u := s.upload; u != nil && u.due(most, window); {
		turn := u.turn
		message := &pb.ClientMessage{Body: &pb.ClientMessage_UpdatePart{UpdatePart: u.part(most)}}
		s.ask(message, func(receipt *pb.Receipt) error {
			if s.upload == u && u.turn == turn { // else sent before the server sent us back
				s.partJudged(receipt)
			}
			return nil
		})
	}
}

func (s *Session) partJudged(receipt *pb.Receipt) {
	u := s.upload
	u.flying--
	switch receipt.Verdict {
	case pb.Verdict_VERDICT_HELD:
		u.held = max(u.held, receipt.NextOffset)
		if u.flying == 0 && u.sent == uint64(len(u.bytes)) {
			u.backTo(receipt.NextOffset) // the server forgot the end
		}
	case pb.Verdict_VERDICT_GAP:
		u.backTo(receipt.NextOffset)
	case pb.Verdict_VERDICT_BUSY, pb.Verdict_VERDICT_FAILED:
		u.backTo(receipt.NextOffset)
		ctx := s.work[train].ctx
		time.AfterFunc(milliseconds(receipt.RetryAfterMs), func() { s.call(ctx, s.sendParts) })
		return
	default:
		verdict := strings.ToLower(strings.TrimPrefix(receipt.Verdict.String(), "VERDICT_"))
		s.say("update of round %d: %s", u.task.Round, strings.TrimSpace(verdict+" "+receipt.Detail))
		s.stop(train)
	}
	s.sendParts()
}

// leave confirms the final model.
func (s *Session) leave() error {
	if !bytes.Equal(s.model.sha256, s.finish.ModelSha256) {
		return refused{"the final model is not the one the server announced"}
	}
	s.say("finished after round %d: %s", s.finish.Round, s.finish.Reason)
	s.leaving = true
	leave := &pb.Leave{Reason: pb.LeaveReason_LEAVE_REASON_DONE, ModelSha256: s.model.sha256}
	s.ask(&pb.ClientMessage{Body: &pb.ClientMessage_Leave{Leave: leave}}, func(*pb.Receipt) error {
		s.done = true
		return nil
	})
	return nil
}
