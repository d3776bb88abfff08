package mlp

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
)

// Trainer learns on a client's own samples, which never leave it.
type Trainer struct {
	samples samples
	mutex   sync.Mutex // training may be under way while another connection is welcomed
	layers  []string
}

// Open reads the K-th of N shares of the samples.
func Open(data, share string) (*Trainer, error) {
	all, err := load(data)
	if err != nil {
		return nil, err
	}
	own, err := all.share(share)
	return &Trainer{samples: own}, err
}

// Samples counts them: what Hello declares.
func (t *Trainer) Samples() int { return len(t.samples.labels) }

// Prepare learns from Welcome what to build.
func (t *Trainer) Prepare(text []byte, mediaType string) (err error) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	t.layers, err = topology(text, mediaType)
	return err
}

// open builds the network of a copy of the model.
func (t *Trainer) open(model []byte) (network, weights, error) {
	w, err := openWeights(bytes.Clone(model))
	if err != nil {
		return nil, w, err
	}
	t.mutex.Lock()
	layers := t.layers
	t.mutex.Unlock()
	n, err := build(w, layers, t.samples.width)
	if err != nil {
		return nil, w, err
	}
	classes := n[len(n)-1].out
	for _, label := range t.samples.labels {
		if label < 0 || label >= classes {
			return nil, w, fmt.Errorf("there is a label %d, but the model knows %d classes", label, classes)
		}
	}
	return n, w, nil
}

// Train does mini-batch gradient descent from the model: new weights, and the newest epoch's loss.
func (t *Trainer) Train(
	ctx context.Context, model []byte, settings map[string]float64,
) ([]byte, map[string]float64, error) {
	n, w, err := t.open(model)
	if err != nil {
		return nil, nil, err
	}
	setting := func(name string, otherwise float64) float64 {
		if value, ok := settings[name]; ok {
			return value
		}
		return otherwise
	}
	epochs, size := int(setting("epochs", 2)), int(setting("batch_size", 64))
	rate, momentum := setting("learning_rate", 0.05), setting("momentum", 0.9)
	mu := setting("mu", 0)
	if size < 1 {
		return nil, nil, fmt.Errorf("batch_size must not be %d", size)
	}
	loss := 0.0
	for range epochs {
		loss = 0
		order := rand.Perm(t.Samples())
		for begin := 0; begin < len(order); begin += size {
			if ctx.Err() != nil {
				return nil, nil, ctx.Err()
			}
			batch := order[begin:min(begin+size, len(order))]
			for _, i := range batch {
				loss += n.learn(t.samples.row(i), t.samples.labels[i])
			}
			n.step(len(batch), float32(rate), float32(momentum), float32(mu))
		}
		loss /= float64(len(order))
	}
	if math.IsNaN(loss) || math.IsInf(loss, 0) {
		return nil, nil, fmt.Errorf("training diverged: the loss is %v; lower learning_rate", loss)
	}
	n.save(w)
	return w.file, map[string]float64{"loss": loss}, nil
}

// Evaluate gives the model's loss (nats) and accuracy on all samples.
func (t *Trainer) Evaluate(ctx context.Context, model []byte) (map[string]float64, error) {
	n, _, err := t.open(model)
	if err != nil {
		return nil, err
	}
	loss, right := 0.0, 0
	for i, label := range t.samples.labels {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		scores := n.score(t.samples.row(i))
		loss -= float64(scores[label])
		best := 0
		for class, score := range scores {
			if score > scores[best] {
				best = class
			}
		}
		if best == label {
			right++
		}
	}
	count := float64(t.Samples())
	return map[string]float64{"loss": loss / count, "accuracy": float64(right) / count}, nil
}
