package ogg

// table is for the checksum of a page: polynomial 0x04c11db7, highest bit first,
// from 0, not inverted (RFC 3533, section 6).
var table = makeTable()

func makeTable() (t [256]uint32) {
	for i := range t {
		crc := uint32(i) << 24
		for range 8 {
			if crc&(1<<31) != 0 {
				crc = crc<<1 ^ 0x04c11db7
			} else {
				crc <<= 1
			}
		}
		t[i] = crc
	}
	return t
}

// checksum computes a page's checksum, its own field taken as 0.
func checksum(page []byte) (crc uint32) {
	for i, b := range page {
		if i >= 22 && i < 26 {
			b = 0
		}
		crc = crc<<8 ^ table[byte(crc>>24)^b]
	}
	return crc
}
