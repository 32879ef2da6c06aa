package configs

import _ "embed" // for the schema

//go:embed bril.schema.json
var schema string

// JSONSchema returns the JSON Schema (draft 2020-12) of the configuration file, for
// editors and for what makes such files. It is made of this package's types, limits and
// reference by the tests, and is strict about keys: what it cannot say, as how keys
// depend on each other, Parse finds.
func JSONSchema() string { return schema }
