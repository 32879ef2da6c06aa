package post

// ConsentVersion is that of the texts below. Whoever changes one counts it up: what
// is stored of a consent is this number.
const ConsentVersion = "1"

// ConsentText is what a customer agrees to by the box that is not ticked, in nl, de
// or else en, word by word as the pages show it.
func ConsentText(locale string) string {
	switch locale {
	case "nl":
		return "Ja, stuur mij nieuws en aanbiedingen per e-mail. Ik kan dit altijd intrekken met de link in elke e-mail. Uw afspraak of uw foto’s hangen er niet van af."
	case "de":
		return "Ja, senden Sie mir Neuigkeiten und Angebote per E-Mail. Das kann ich jederzeit über den Link in jeder E-Mail widerrufen. Ihr Termin oder Ihre Fotos hängen nicht davon ab."
	}
	return "Yes, send me news and offers by e-mail. I can withdraw this at any time with the link in each e-mail. Your appointment or your photos do not depend on it."
}
