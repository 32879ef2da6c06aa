// Package packagetest installs the Debian packages in real Debian userlands and
// looks at what they leave there. It holds tests only; `make test-package` runs
// them, as root.
package packagetest
