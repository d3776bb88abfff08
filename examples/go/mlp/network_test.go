package mlp

import (
	"math"
	"testing"
)

// TestLearnGivesTheSlopeOfTheLoss compares with differences, weight by weight.
func TestLearnGivesTheSlopeOfTheLoss(t *testing.T) {
	header := `{"a/kernel":{"dtype":"F32","shape":[3,4],"data_offsets":[0,48]},` +
		`"a/bias":{"dtype":"F32","shape":[4],"data_offsets":[48,64]},` +
		`"b/kernel":{"dtype":"F32","shape":[4,2],"data_offsets":[64,96]},` +
		`"b/bias":{"dtype":"F32","shape":[2],"data_offsets":[96,104]}}`
	file := append([]byte{byte(len(header)), byte(len(header) >> 8), 0, 0, 0, 0, 0, 0}, header...)
	w, err := openWeights(append(file, make([]byte, 104)...))
	if err != nil {
		t.Fatal(err)
	}
	n, err := build(w, []string{"a", "b"}, 3)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range n {
		for i, values := range [2][]float32{l.kernel, l.bias} {
			for k := range values {
				values[k] = float32(math.Sin(float64(7*k + 3*i + l.in)))
			}
		}
	}
	x, label := []float32{0.5, -1, 2}, 1
	n.learn(x, label)
	loss := func() float64 { return -float64(n.score(x)[label]) }
	for _, l := range n {
		for i, values := range [2][]float32{l.kernel, l.bias} {
			for k, value := range values {
				const small = 1e-2
				values[k] = value + small
				above := loss()
				values[k] = value - small
				slope := (above - loss()) / (2 * small)
				values[k] = value
				if got := float64(l.gradient[i][k]); math.Abs(got-slope) > 1e-3 {
					t.Errorf("layer %s, %d, weight %d: %v, not %v", l.name, i, k, got, slope)
				}
			}
		}
	}
}
