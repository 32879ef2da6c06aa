package configs

import (
	"reflect"
	"strings"
)

// field finds the field of a struct type by its key.
func field(t reflect.Type, key string) (int, bool) {
	for i := range t.NumField() {
		if t.Field(i).Tag.Get("json") == key {
			return i, true
		}
	}
	return 0, false
}

// keys returns the keys of a struct type in their order.
func keys(t reflect.Type) []string {
	names := make([]string, t.NumField())
	for i := range names {
		names[i] = t.Field(i).Tag.Get("json")
	}
	return names
}

// suggest names the key of t that was probably meant by key: one that differs
// by a slip of the fingers, or the same key in its own section.
func suggest(t reflect.Type, key string) string {
	if near := nearest(key, keys(t)); near != "" {
		return "did you mean " + near + "?"
	}
	if near := nearest(key, elsewhere()); near != "" {
		return "did you mean " + near + "?"
	}
	return "known here: " + strings.Join(keys(t), ", ")
}

// elsewhere returns all keys of all sections by their full names.
func elsewhere() (full []string) {
	t := reflect.TypeFor[Config]()
	for i := range t.NumField() {
		for _, key := range keys(t.Field(i).Type) {
			full = append(full, join(t.Field(i).Tag.Get("json"), key))
		}
	}
	return full
}

// nearest returns the candidate whose last part is at most a third of its
// letters away from key; empty when none is. Another number is not a slip but
// another thing: who wires a Raspberry Pi 5 as a 3 has no light.
func nearest(key string, candidates []string) (best string) {
	if len(key) > 40 {
		return ""
	}
	least := 1 << 10
	for _, c := range candidates {
		last := c[strings.LastIndexByte(c, '.')+1:]
		if digits(key) != digits(last) {
			continue
		}
		if d := distance(strings.ReplaceAll(key, "-", "_"), last); d < least && d <= (len(last)+1)/3 {
			best, least = c, d
		}
	}
	return best
}

func digits(s string) string {
	return strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, s)
}

// distance is the number of letters to insert, delete or change (Levenshtein)
// to get from a to b.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost = 1 + min(diagonal, row[j], row[j+1])
			}
			diagonal, row[j+1] = row[j+1], cost
		}
	}
	return row[len(b)]
}
