package configs

import (
	"fmt"
	"reflect"

	"github.com/goccy/go-yaml"
)

// Difference is one key in which two configurations differ, with its values as YAML
// has them, on one line.
type Difference struct {
	Key  string `json:"key"`
	From string `json:"from"`
	To   string `json:"to"`
}

// Diff returns the keys in which two configurations differ, in the reference's order.
func Diff(from, to Config) []Difference {
	from, to = from.filled(), to.filled()
	return diff(nil, reflect.ValueOf(from), reflect.ValueOf(to), "")
}

func diff(list []Difference, from, to reflect.Value, key string) []Difference {
	if section(from) {
		for i := range from.NumField() {
			name := from.Type().Field(i).Tag.Get("json")
			list = diff(list, from.Field(i), to.Field(i), join(key, name))
		}
		return list
	}
	if reflect.DeepEqual(from.Interface(), to.Interface()) {
		return list
	}
	return append(list, Difference{key, flow(from), flow(to)})
}

// Value is one key with its value, as YAML has it, on one line.
type Value struct{ Key, Text string }

// Values returns all keys with their values, in the reference's order.
func (c Config) Values() []Value { return values(nil, reflect.ValueOf(c.filled()), "") }

func values(list []Value, v reflect.Value, key string) []Value {
	if !section(v) {
		return append(list, Value{key, flow(v)})
	}
	for i := range v.NumField() {
		list = values(list, v.Field(i), join(key, v.Type().Field(i).Tag.Get("json")))
	}
	return list
}

// section says whether a value is a part with keys of its own, and no value with a text
// of its own.
func section(v reflect.Value) bool {
	_, text := reflect.New(v.Type()).Interface().(interface{ UnmarshalText([]byte) error })
	return v.Kind() == reflect.Struct && !text
}

// flow is a value on one line.
func flow(v reflect.Value) string {
	data, err := yaml.MarshalWithOptions(v.Interface(), yaml.Flow(true))
	if err != nil {
		return fmt.Sprint(v.Interface())
	}
	for len(data) > 0 && data[len(data)-1] == '\n' {
		data = data[:len(data)-1]
	}
	return string(data)
}
