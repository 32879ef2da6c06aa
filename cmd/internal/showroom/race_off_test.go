//go:build !race

package showroom

const raceDetector = false
