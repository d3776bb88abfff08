package mlp

import (
	"encoding/json"
	"fmt"
	"math"
)

// LayersType is the media type of the topologies that are understood: Keras layers JSON.
const LayersType = "application/vnd.tensorflow.layers+json"

// topology reads the names of the layers: dense ones, with ReLU between them and softmax at the end.
func topology(text []byte, mediaType string) ([]string, error) {
	if mediaType != LayersType {
		return nil, fmt.Errorf("the federation's topology is %q, not %s", mediaType, LayersType)
	}
	var model struct {
		Config struct {
			Layers []struct {
				Class  string `json:"class_name"`
				Config struct{ Name, Activation string }
			}
		}
	}
	if err := json.Unmarshal(text, &model); err != nil {
		return nil, fmt.Errorf("the federation's topology: %w", err)
	}
	layers := model.Config.Layers
	var names []string
	for i, layer := range layers {
		activation := "relu"
		if i == len(layers)-1 {
			activation = "softmax"
		}
		if layer.Class != "Dense" || layer.Config.Activation != activation {
			return nil, fmt.Errorf("only Dense layers with relu, then softmax, can be built here")
		}
		names = append(names, layer.Config.Name)
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("the federation's topology has no layers")
	}
	return names, nil
}

// network is a model's layers, each with room for what goes through it and its gradients.
type network []*layer

type layer struct {
	name           string
	kernel, bias   []float32 // kernel: a row for each input
	in, out        int
	output, errors []float32 // of one sample
	// Sums over a batch, and the velocities of momentum; kernel first, then bias.
	gradient, velocity, start [2][]float32
}

func build(w weights, names []string, width int) (network, error) {
	var n network
	for _, name := range names {
		kernel, shape, err := w.floats(name + "/kernel")
		if err != nil {
			return nil, err
		}
		bias, _, err := w.floats(name + "/bias")
		if err != nil {
			return nil, err
		}
		if len(shape) != 2 || shape[0] != width || shape[1] != len(bias) || len(kernel) != width*len(bias) {
			return nil, fmt.Errorf("layer %s of shape %v does not take %d inputs", name, shape, width)
		}
		l := &layer{name: name, kernel: kernel, bias: bias, in: width, out: len(bias)}
		l.output, l.errors = make([]float32, l.out), make([]float32, l.out)
		for i, values := range [2][]float32{kernel, bias} {
			l.gradient[i] = make([]float32, len(values))
			l.velocity[i] = make([]float32, len(values))
			l.start[i] = append([]float32(nil), values...)
		}
		n = append(n, l)
		width = l.out
	}
	return n, nil
}

func (n network) save(w weights) {
	for _, l := range n {
		w.put(l.name+"/kernel", l.kernel)
		w.put(l.name+"/bias", l.bias)
	}
}

// score gives the log-probability of each class.
func (n network) score(x []float32) []float32 {
	for i, l := range n {
		copy(l.output, l.bias)
		for j, value := range x {
			if value == 0 {
				continue // most pixels are
			}
			for k, weight := range l.kernel[j*l.out : (j+1)*l.out] {
				l.output[k] += value * weight
			}
		}
		if i < len(n)-1 {
			for k := range l.output {
				l.output[k] = max(l.output[k], 0)
			}
		}
		x = l.output
	}
	highest, sum := x[0], 0.0
	for _, logit := range x {
		highest = max(highest, logit)
	}
	for _, logit := range x {
		sum += math.Exp(float64(logit - highest))
	}
	for k := range x {
		x[k] -= highest + float32(math.Log(sum))
	}
	return x
}

// learn adds one sample's gradient of the cross-entropy, and gives its loss in nats.
func (n network) learn(x []float32, label int) float64 {
	scores := n.score(x)
	last := n[len(n)-1]
	for k, score := range scores {
		last.errors[k] = float32(math.Exp(float64(score)))
	}
	last.errors[label]--
	for i := len(n) - 1; i >= 0; i-- {
		l, input := n[i], x
		if i > 0 {
			input = n[i-1].output
		}
		for k, e := range l.errors {
			l.gradient[1][k] += e
		}
		for j, value := range input {
			if value == 0 {
				continue // neither its weights nor, behind a ReLU, what made it count
			}
			row := j * l.out
			for k, e := range l.errors {
				l.gradient[0][row+k] += value * e
			}
		}
		if i > 0 {
			l.pass(n[i-1])
		}
	}
	return -float64(scores[label])
}

// pass hands the errors to the layer before, through its ReLU.
func (l *layer) pass(before *layer) {
	for j, value := range before.output {
		before.errors[j] = 0
		if value == 0 {
			continue
		}
		for k, e := range l.errors {
			before.errors[j] += e * l.kernel[j*l.out+k]
		}
	}
}

// step goes down the mean gradient of a batch, with momentum and FedProx's pull to the start.
func (n network) step(batch int, rate, momentum, mu float32) {
	for _, l := range n {
		for i, values := range [2][]float32{l.kernel, l.bias} {
			gradient, velocity, start := l.gradient[i], l.velocity[i], l.start[i]
			for k := range values {
				velocity[k] = momentum*velocity[k] + gradient[k]/float32(batch) + mu*(values[k]-start[k])
				values[k] -= rate * velocity[k]
				gradient[k] = 0
			}
		}
	}
}
