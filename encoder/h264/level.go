package h264

// levels are the limits that matter here, from table A-1, from the level on that
// every browser takes. The bitrate is the baseline profile's.
var levels = [...]struct {
	id         uint8 // level_idc
	rate, size int   // macroblocks a second, macroblocks
	bits       int   // a second
}{
	{31, 108_000, 3_600, 14_000_000},
	{32, 216_000, 5_120, 20_000_000},
	{40, 245_760, 8_192, 20_000_000},
	{42, 522_240, 8_704, 50_000_000},
	{50, 589_824, 22_080, 135_000_000},
	{51, 983_040, 36_864, 240_000_000},
	{52, 2_073_600, 36_864, 240_000_000},
}

// LevelFor returns the level_idc for pictures of this size and rate at a bitrate:
// 3.1, or a higher one when that is too small.
func LevelFor(width, height int, fps float64, bitRate int64) uint8 {
	size := ((width + 15) / 16) * ((height + 15) / 16)
	rate := float64(size) * fps
	for _, l := range levels {
		if l.size >= size && float64(l.rate) >= rate && int64(l.bits) >= bitRate {
			return l.id
		}
	}
	return levels[len(levels)-1].id
}
