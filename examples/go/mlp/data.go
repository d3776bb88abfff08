package mlp

import (
	"compress/gzip"
	"encoding/binary"
	"encoding/csv"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
)

// samples are rows of features, side by side, and a label each.
type samples struct {
	features []float32
	labels   []int
	width    int
}

func (s samples) row(i int) []float32 { return s.features[i*s.width : (i+1)*s.width] }

// load reads IMAGES.idx,LABELS.idx, gzip or not, or FILE.csv (the label is in the column of that
// name, else in the last).
func load(data string) (samples, error) {
	images, labels, pair := strings.Cut(data, ",")
	if !pair {
		return loadCSV(data)
	}
	pixels, shape, err := loadIDX(images)
	if err != nil {
		return samples{}, err
	}
	classes, _, err := loadIDX(labels)
	if err != nil {
		return samples{}, err
	}
	if shape[0] == 0 || shape[0] != len(classes) {
		return samples{}, fmt.Errorf("%s has %d images and %s %d labels", images, shape[0], labels, len(classes))
	}
	s := samples{width: len(pixels) / shape[0]}
	for _, pixel := range pixels {
		s.features = append(s.features, float32(pixel)/255)
	}
	for _, label := range classes {
		s.labels = append(s.labels, int(label))
	}
	return s, nil
}

// loadIDX reads a file of unsigned bytes as MNIST is published in.
func loadIDX(path string) ([]byte, []int, error) {
	data, err := readAll(path)
	if err != nil {
		return nil, nil, err
	}
	if len(data) < 4 || string(data[:3]) != "\x00\x00\x08" || len(data) < 4+4*int(data[3]) {
		return nil, nil, fmt.Errorf("%s is no IDX file of unsigned bytes", path)
	}
	shape, size, values := make([]int, data[3]), 1, data[4+4*int(data[3]):]
	for i := range shape {
		shape[i] = int(binary.BigEndian.Uint32(data[4+4*i:]))
		size *= shape[i]
	}
	if len(shape) == 0 || size != len(values) {
		return nil, nil, fmt.Errorf("%s has %d bytes of values, not the %d of its shape", path, len(values), size)
	}
	return values, shape, nil
}

func readAll(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	if !strings.HasSuffix(path, ".gz") {
		return io.ReadAll(file)
	}
	unpacked, err := gzip.NewReader(file)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(unpacked)
}

func loadCSV(path string) (samples, error) {
	file, err := os.Open(path)
	if err != nil {
		return samples{}, err
	}
	defer file.Close()
	rows, err := csv.NewReader(file).ReadAll()
	if err != nil {
		return samples{}, err
	}
	if len(rows) == 0 {
		return samples{}, fmt.Errorf("%s is empty", path)
	}
	s := samples{width: len(rows[0]) - 1}
	label := s.width
	if _, err := strconv.ParseFloat(strings.TrimSpace(rows[0][0]), 32); err != nil { // a header
		if named := slices.Index(rows[0], "label"); named >= 0 {
			label = named
		}
		rows = rows[1:]
	}
	for _, row := range rows {
		for column, cell := range row {
			value, err := strconv.ParseFloat(strings.TrimSpace(cell), 32)
			if err != nil {
				return samples{}, fmt.Errorf("%s: %w", path, err)
			}
			if column == label {
				s.labels = append(s.labels, int(value))
			} else {
				s.features = append(s.features, float32(value))
			}
		}
	}
	return s, nil
}

// share keeps the k-th of n shares: every n-th sample, from the k-th.
func (s samples) share(share string) (samples, error) {
	var k, n int
	if _, err := fmt.Sscanf(share, "%d/%d", &k, &n); err != nil || k < 1 || k > n {
		return samples{}, fmt.Errorf("a share is K/N with K of 1 to N, not %q", share)
	}
	own := samples{width: s.width}
	for i := k - 1; i < len(s.labels); i += n {
		own.features = append(own.features, s.row(i)...)
		own.labels = append(own.labels, s.labels[i])
	}
	if len(own.labels) == 0 {
		return samples{}, fmt.Errorf("share %s has no samples", share)
	}
	return own, nil
}
