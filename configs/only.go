package configs

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/goccy/go-yaml"
)

// Only returns the keys that keep names, such as camera.source, in the order of the
// reference and in the form that Parse reads. Above each stands what keep says of it,
// as a comment, where it says anything.
func (c Config) Only(keep map[string]string) ([]byte, error) {
	all, err := c.YAML()
	if err != nil {
		return nil, err
	}
	var root yaml.MapSlice
	if err := yaml.UnmarshalWithOptions(all, &root, yaml.UseOrderedMap()); err != nil {
		return nil, fmt.Errorf("write configuration as YAML: %w", err)
	}
	var b bytes.Buffer
	if err := writeOnly(&b, root, "", keep, ""); err != nil {
		return nil, fmt.Errorf("write configuration as YAML: %w", err)
	}
	return b.Bytes(), nil
}

func writeOnly(b *bytes.Buffer, m yaml.MapSlice, prefix string, keep map[string]string, indent string) error {
	for _, item := range m {
		key := prefix + fmt.Sprint(item.Key)
		if sub, ok := item.Value.(yaml.MapSlice); ok {
			var inner bytes.Buffer
			if err := writeOnly(&inner, sub, key+".", keep, indent+"  "); err != nil {
				return err
			}
			if inner.Len() > 0 {
				fmt.Fprintf(b, "%s%v:\n%s", indent, item.Key, inner.Bytes())
			}
			continue
		}
		reason, kept := keep[key]
		if !kept {
			continue
		}
		text, err := yaml.MarshalWithOptions(yaml.MapSlice{item}, yaml.IndentSequence(true))
		if err != nil {
			return err
		}
		if reason != "" {
			fmt.Fprintf(b, "%s# %s\n", indent, strings.Join(strings.Fields(reason), " "))
		}
		for line := range bytes.Lines(text) {
			b.WriteString(indent)
			b.Write(line)
		}
	}
	return nil
}

// Keys returns the keys that a configuration file sets, such as camera.source. What
// the file says of them is Parse's business.
func Keys(data []byte) ([]string, error) {
	var root yaml.MapSlice
	if err := yaml.UnmarshalWithOptions(data, &root, yaml.UseOrderedMap()); err != nil {
		return nil, errors.New("read the keys of the configuration: it is no YAML")
	}
	return setKeys(nil, root, ""), nil
}

func setKeys(list []string, m yaml.MapSlice, prefix string) []string {
	for _, item := range m {
		key := prefix + fmt.Sprint(item.Key)
		switch sub, isMap := item.Value.(yaml.MapSlice); {
		case isMap:
			list = setKeys(list, sub, key+".")
		case key == "session": // session: NAME is short for its name
			list = append(list, "session.name")
		case item.Value != nil: // which keeps the default
			list = append(list, key)
		}
	}
	return list
}
