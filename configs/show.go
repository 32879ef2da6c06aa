package configs

import (
	_ "embed" // for the reference
	"encoding/json"
	"fmt"

	"github.com/goccy/go-yaml"
)

// SchemaVersion counts the incompatible changes of what JSON returns.
const SchemaVersion = 1

//go:embed bril.yaml
var reference string

// Reference returns the commented configuration file, which holds every key
// with its default.
func Reference() string { return reference }

// YAML returns the effective configuration, every key included, in the form
// that Parse reads.
func (c Config) YAML() ([]byte, error) {
	data, err := yaml.MarshalWithOptions(c.filled(), yaml.IndentSequence(true))
	if err != nil {
		return nil, fmt.Errorf("write configuration as YAML: %w", err)
	}
	return data, nil
}

// JSON returns the effective configuration as
// {"schema_version": 1, "config": {…}}, with values as YAML has them.
func (c Config) JSON() ([]byte, error) {
	data, err := json.MarshalIndent(struct {
		SchemaVersion int    `json:"schema_version"`
		Config        Config `json:"config"`
	}{SchemaVersion, c.filled()}, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("write configuration as JSON: %w", err)
	}
	return data, nil
}

// filled replaces nil lists, which would be printed as null, by empty ones.
func (c Config) filled() Config {
	if c.Uplink.TrustedOrigins == nil {
		c.Uplink.TrustedOrigins = []string{}
	}
	if c.Uplink.ICEServers == nil {
		c.Uplink.ICEServers = []ICEServer{}
	}
	return c
}
