package post

// ConsentVersion is that of the texts below. Whoever changes one counts it up: what
// is stored of a consent is this number.
const ConsentVersion = "1"

// ConsentText is what a customer agrees to by the box that is not ticked, in nl, de
// or else en. The pages show the same words.
func ConsentText(locale string) string {
	switch locale {
	case "nl":
		return "Ja, de showroom mag mij per e-mail op de hoogte houden van aanbiedingen en nieuws. Ik kan dit op elk moment intrekken."
	case "de":
		return "Ja, der Showroom darf mich per E-Mail über Angebote und Neuigkeiten informieren. Ich kann das jederzeit widerrufen."
	}
	return "Yes, the showroom may e-mail me about offers and news. I can withdraw this at any time."
}
