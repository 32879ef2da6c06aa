package ticket

import "strings"

// alphabet is that of RFC 9285, and of the alphanumeric mode of QR codes.
const alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"

// encode45 writes two bytes as three characters, and a last one as two (RFC 9285,
// section 4).
func encode45(data []byte) string {
	var b strings.Builder
	digits := func(n, count int) {
		for range count {
			b.WriteByte(alphabet[n%45])
			n /= 45
		}
	}
	for ; len(data) >= 2; data = data[2:] {
		digits(int(data[0])<<8|int(data[1]), 3)
	}
	if len(data) == 1 {
		digits(int(data[0]), 2)
	}
	return b.String()
}

// decode45 reads it; false for what encode45 does not write.
func decode45(text string) ([]byte, bool) {
	var data []byte
	for len(text) > 0 {
		size := min(3, len(text))
		n, ok := number45(text[:size])
		switch {
		case !ok || size == 1, n > 0xffff, size == 2 && n > 0xff:
			return nil, false
		case size == 2:
			data = append(data, byte(n))
		default:
			data = append(data, byte(n>>8), byte(n))
		}
		text = text[size:]
	}
	return data, true
}

func number45(text string) (n int, ok bool) {
	for i := len(text) - 1; i >= 0; i-- {
		digit := strings.IndexByte(alphabet, text[i])
		if digit < 0 {
			return 0, false
		}
		n = n*45 + digit
	}
	return n, true
}
