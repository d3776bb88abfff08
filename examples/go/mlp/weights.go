// Package mlp learns a classifier of dense layers: softmax regression where there is one layer.
package mlp

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
)

// weights is a safetensors file whose tensors are read and overwritten in place, so that names,
// dtypes, order, and tensors nobody asks for stay as the server sent them.
type weights struct {
	file    []byte
	tensors map[string]tensor
}

type tensor struct {
	Dtype   string `json:"dtype"`
	Shape   []int  `json:"shape"`
	Offsets [2]int `json:"data_offsets"`
	bytes   []byte // a view of the file, which need not be aligned
}

func openWeights(file []byte) (weights, error) {
	if len(file) < 8 {
		return weights{}, fmt.Errorf("a model of %d bytes is no safetensors file", len(file))
	}
	length, rest := binary.LittleEndian.Uint64(file), file[8:]
	if length > uint64(len(rest)) {
		return weights{}, fmt.Errorf("the model's header of %d bytes goes beyond its end", length)
	}
	var header map[string]json.RawMessage
	if err := json.Unmarshal(rest[:length], &header); err != nil {
		return weights{}, fmt.Errorf("the model's header: %w", err)
	}
	delete(header, "__metadata__")
	data, tensors := rest[length:], map[string]tensor{}
	for name, text := range header {
		var t tensor
		if err := json.Unmarshal(text, &t); err != nil {
			return weights{}, fmt.Errorf("the model's tensor %q: %w", name, err)
		}
		begin, end := t.Offsets[0], t.Offsets[1]
		if begin < 0 || end < begin || end > len(data) {
			return weights{}, fmt.Errorf("the model's tensor %q goes beyond the file", name)
		}
		t.bytes = data[begin:end]
		tensors[name] = t
	}
	return weights{file, tensors}, nil
}

// floats copies an F32 tensor, row by row.
func (w weights) floats(name string) ([]float32, []int, error) {
	t, ok := w.tensors[name]
	if !ok || t.Dtype != "F32" {
		return nil, nil, fmt.Errorf("the model has no F32 tensor %q", name)
	}
	values := make([]float32, len(t.bytes)/4)
	for i := range values {
		values[i] = math.Float32frombits(binary.LittleEndian.Uint32(t.bytes[4*i:]))
	}
	return values, t.Shape, nil
}

// put writes the values back to where floats found them.
func (w weights) put(name string, values []float32) {
	for i, value := range values {
		binary.LittleEndian.PutUint32(w.tensors[name].bytes[4*i:], math.Float32bits(value))
	}
}
