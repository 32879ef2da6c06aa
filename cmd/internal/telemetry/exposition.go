package telemetry

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strconv"
)

// expositionType is Prometheus's text format (prometheus.io/docs, exposition formats).
// It is written here, as the client library takes more of the board's memory than all
// that is counted, for a page of text.
const expositionType = "text/plain; version=0.0.4; charset=utf-8"

// histogram counts values by the bounds that they do not exceed.
type histogram struct {
	bounds []float64
	counts []uint64 // one more than bounds: of what exceeds them all
	sum    float64
}

func newHistogram(bounds ...float64) histogram {
	return histogram{bounds: bounds, counts: make([]uint64, len(bounds)+1)}
}

func (h *histogram) observe(value float64) {
	at, _ := slices.BinarySearch(h.bounds, value)
	h.counts[at]++
	h.sum += value
}

// exposition is the text of metrics, of this namespace.
type exposition struct{ bytes.Buffer }

const namespace = "bril_"

func (e *exposition) head(name, kind, help string) {
	fmt.Fprintf(e, "# HELP %s%s %s\n# TYPE %s%s %s\n", namespace, name, help, namespace, name, kind)
}

// sample writes a value; labels are as in {stage="send"}, or "".
func (e *exposition) sample(name, labels string, value float64) {
	fmt.Fprintf(e, "%s%s%s %s\n", namespace, name, labels, number(value))
}

func number(value float64) string { return strconv.FormatFloat(value, 'g', -1, 64) }

func (e *exposition) counter(name, help string, value float64) {
	e.head(name, "counter", help)
	e.sample(name, "", value)
}

// counters are one for each value of a label; the values are words of ours.
func (e *exposition) counters(name, help, label string, values map[string]uint64) {
	e.head(name, "counter", help)
	for _, key := range slices.Sorted(maps.Keys(values)) {
		e.sample(name, fmt.Sprintf("{%s=%q}", label, key), float64(values[key]))
	}
}

func (e *exposition) histogram(name, help string, h histogram) {
	e.head(name, "histogram", help)
	var count uint64
	for i, n := range h.counts {
		bound := "+Inf"
		if i < len(h.bounds) {
			bound = number(h.bounds[i])
		}
		count += n
		e.sample(name+"_bucket", `{le="`+bound+`"}`, float64(count))
	}
	e.sample(name+"_sum", "", h.sum)
	e.sample(name+"_count", "", float64(count))
}
