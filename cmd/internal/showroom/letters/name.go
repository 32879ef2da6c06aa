package letters

import (
	"strings"
	"unicode"
)

const maxName = 60 // runes

// Name returns a name as it may stand in a letter, or "" for what does not look like
// one. Whoever books types any name and any address: a link or a sentence would be
// sent to a stranger in the showroom's name.
func Name(typed string) string {
	typed = strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Cf, r) { // turns the direction, or is not seen
			return -1
		}
		return r
	}, typed)
	name := strings.Join(strings.Fields(typed), " ")
	runes := []rune(name)
	if len(runes) > maxName || !strings.ContainsFunc(name, unicode.IsLetter) {
		return ""
	}
	marks := 0 // one on the other, which climb out of the line
	for i, r := range runes {
		if marks++; !unicode.IsMark(r) {
			marks = 0
		}
		switch {
		case unicode.IsLetter(r), marks > 0 && marks <= 2, strings.ContainsRune(" '’-", r):
		case r == '.' && (i == len(runes)-1 || runes[i+1] == ' '): // J. de Vries, and no example.com
		default:
			return ""
		}
	}
	return name
}
