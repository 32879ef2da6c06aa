package openh264

import "fmt"

// levels are the limits that matter here, from ITU-T H.264 table A-1, from the
// level on that every browser takes. The bitrate is the baseline profile's.
var levels = [...]struct {
	id         int // level_idc
	rate, size int // macroblocks a second, macroblocks
	bits       int // a second
}{
	{31, 108_000, 3_600, 14_000_000},
	{32, 216_000, 5_120, 20_000_000},
	{40, 245_760, 8_192, 20_000_000},
	{42, 522_240, 8_704, 50_000_000},
	{50, 589_824, 22_080, 135_000_000},
	{51, 983_040, 36_864, 240_000_000},
	{52, 2_073_600, 36_864, 240_000_000},
}

// level returns the level_idc for what is to be encoded: 3.1, or a higher one
// when that is too small.
func level(c Config) int {
	size := ((c.Width + 15) / 16) * ((c.Height + 15) / 16)
	rate := float64(size) * c.FPS
	for _, l := range levels {
		if l.size >= size && float64(l.rate) >= rate && l.bits >= int(c.BitRate) {
			return l.id
		}
	}
	return levels[len(levels)-1].id
}

// ProfileLevelID returns what an offer says of the stream (RFC 6184 section
// 8.1): constrained baseline at the level in use.
func (e *Encoder) ProfileLevelID() string { return fmt.Sprintf("42e0%02x", level(e.config)) }
