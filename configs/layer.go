package configs

import (
	"reflect"
	"slices"
)

// Layer is a text of the form of a configuration file that is laid over another
// configuration: the keys that it has take the place of what is below.
type Layer struct {
	Name string // in errors, such as a path or "bundle 12"
	Data []byte
	// Refuse says why a key, or all that is below one, may not be set here; "" when it
	// may. All may when nil.
	Refuse func(key string) (why string)
	// Told says that the text is what a board tells of itself: flags may have named places
	// relative to where its daemon was started.
	Told bool
	// Resolve turns what only this layer knows into what Config holds, before that is
	// checked; what it finds wrong are Problems by their keys. It may be nil.
	Resolve func(cfg *Config, set Lines) Problems
}

// Lines are the keys that a layer sets, with the lines on which they stand, from 1.
type Lines map[string]int

// Has says whether the layer sets a key, or anything below it.
func (l Lines) Has(key string) bool {
	_, ok := l[key]
	return ok
}

// LoadLayer is LoadOver that tells which keys the file sets.
func LoadLayer(base Config, path string) (Config, Lines, error) {
	data, err := read(path)
	if err != nil {
		return Config{}, nil, Problems{{File: path, Message: err.Error(), cause: err}}
	}
	return Layer{Name: path, Data: data}.Over(base)
}

// Over lays a layer over base. Its errors are Problems, as those of Parse.
func (l Layer) Over(base Config) (Config, Lines, error) {
	d := decoder{file: l.Name, lines: map[string]int{}, refuse: l.Refuse}
	cfg := base.clone()
	if root, ok := d.document(l.Data); ok {
		d.value(root, reflect.ValueOf(&cfg).Elem(), "")
	}
	var found Problems
	if l.Resolve != nil {
		found = l.Resolve(&cfg, d.lines)
	}
	if !l.Told {
		found = append(found, cfg.paths()...)
	}
	for _, p := range append(found, cfg.check()...) {
		p.File, p.Line = l.Name, d.lines[p.Key]
		d.problems = append(d.problems, p)
	}
	if err := d.problems.orNil(); err != nil {
		return Config{}, nil, err
	}
	return cfg, d.lines, nil
}

// ParseTold reads the configuration that a board tells of itself.
func ParseTold(data []byte, name string) (Config, error) {
	cfg, _, err := Layer{Name: name, Data: data, Told: true}.Over(Default())
	return cfg, err
}

// clone returns a configuration whose lists are its own.
func (c Config) clone() Config {
	c.Uplink.TrustedOrigins = slices.Clone(c.Uplink.TrustedOrigins)
	c.Uplink.ICEServers = slices.Clone(c.Uplink.ICEServers)
	return c
}
