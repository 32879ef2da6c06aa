//go:build race

package showroom

// raceDetector slows the encoder under test down to a few pictures a second.
const raceDetector = true
