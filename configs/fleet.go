package configs

import "time"

// Fleet says what the fleet's signed configuration may do on this board. Nothing that
// is signed can change it.
type Fleet struct {
	Enabled      bool     `json:"enabled"`
	MaxBitRate   BitRate  `json:"max_bitrate"`   // of video.max_bitrate
	MaxRetention Duration `json:"max_retention"` // of spool.retention
}

// The bounds of video.max_bitrate.
const (
	minBitRate = BitRate(100_000)
	maxBitRate = BitRate(8_000_000)
)

func (v *checker) fleet(f Fleet) {
	between(v, "fleet.max_bitrate", f.MaxBitRate, minBitRate, maxBitRate)
	between(v, "fleet.max_retention", f.MaxRetention, Duration(time.Hour), maxRetention)
}
