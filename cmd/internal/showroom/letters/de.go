package letters

func german() *words {
	return &words{
		Lang: "de", Dear: "Guten Tag {name},", Hello: "Guten Tag,",
		Date: "Datum", Time: "Uhrzeit", Code: "Ihr persönlicher Code", Kept: "Aufbewahrt bis", GivenAt: "Erteilt am", Version: "Fassung des Textes",
		Join: "Am Gespräch teilnehmen", Manage: "Termin verschieben oder absagen", Again: "Neuen Termin buchen",
		View: "{what} ansehen", Confirm: "Ja, senden Sie mir Neuigkeiten", Privacy: "So gehen wir mit Ihren Daten um",
		IfBroken: "Falls die Schaltfläche nicht funktioniert, öffnen Sie diese Adresse:",
		SameCode: "Der Code aus unserer früheren E-Mail gilt weiterhin: Mit ihm nehmen Sie am Gespräch teil.",
		Event:    "Gespräch mit {title}",
		Booked: text{
			Subject: "Ihr Termin bei {title}: {start}",
			Heading: "Ihr Termin ist gebucht",
			Intro: []string{
				"vielen Dank für Ihre Buchung. Zur vereinbarten Zeit ist jemand aus dem Beratungsteam von {title} live für Sie im Showroom, zeigt Ihnen, was Sie sehen möchten, und beantwortet Ihre Fragen. Sie brauchen dafür nur einen Browser auf Ihrem Telefon oder Computer.",
			},
			After: []string{
				"Sie können ab 10 Minuten vor Beginn teilnehmen. Der Code gilt nur für Sie; bitte geben Sie ihn nicht weiter.",
				"Ihr Mikrofon ist aus, bis Sie es selbst einschalten, und Ihre Stimme wird nie aufgezeichnet.",
			},
			Footer: "Sie erhalten diese E-Mail, weil mit dieser Adresse ein Termin bei {title} gebucht wurde. Waren Sie das nicht? Dann können Sie den Termin über den Link oben absagen.",
		},
		Changed: text{
			Subject: "Ihr Termin bei {title} wurde verschoben: {start}",
			Heading: "Ihr Termin wurde verschoben",
			Intro:   []string{"Ihr Termin bei {title} (bisher: {was}) wurde verschoben. Der neue Termin:"},
			After:   []string{"Sie können ab 10 Minuten vor Beginn teilnehmen. Der Code gilt nur für Sie; bitte geben Sie ihn nicht weiter."},
			Footer:  "Sie erhalten diese E-Mail, weil mit dieser Adresse ein Termin bei {title} gebucht wurde.",
		},
		Reminder: text{
			Subject: "Erinnerung: Ihr Termin bei {title}, {start}",
			Heading: "Bis bald",
			Intro:   []string{"wir möchten Sie an Ihr Gespräch mit {title} erinnern. Unten finden Sie alles, was Sie zur Teilnahme brauchen."},
			After: []string{
				"Sie können ab 10 Minuten vor Beginn teilnehmen, mit einem Browser auf Ihrem Telefon oder Computer.",
				"Ihr Mikrofon ist aus, bis Sie es selbst einschalten, und Ihre Stimme wird nie aufgezeichnet.",
			},
			Footer: "Sie erhalten diese E-Mail, weil mit dieser Adresse ein Termin bei {title} gebucht wurde.",
		},
		Cancelled: text{
			Subject: "Abgesagt: Ihr Termin bei {title}, {start}",
			Heading: "Ihr Termin ist abgesagt",
			Intro:   []string{"dieser Termin bei {title} findet nicht statt. Der Code funktioniert nicht mehr."},
			After:   []string{"Steht der Termin noch in Ihrem Kalender? Dann öffnen Sie den Anhang, um ihn daraus zu entfernen."},
			Footer:  "Sie erhalten diese E-Mail, weil mit dieser Adresse ein Termin bei {title} gebucht worden war.",
		},
		Media: text{
			Subject: "Ihre {what} von {title}",
			Heading: "Ihre {what}",
			Intro:   []string{"Sie haben uns um die {what} aus Ihrem Gespräch mit {title} gebeten. Hier sind sie: {items}."},
			After: []string{
				"Wer diesen Link hat, kann alles ansehen. Geben Sie ihn deshalb nur an Menschen weiter, denen Sie vertrauen.",
				"Nach dem oben genannten Datum löschen wir alles. Wie Sie es früher löschen lassen, steht auf unserer Datenschutzseite.",
			},
			Footer: "Sie erhalten diese E-Mail, weil in einem Gespräch mit {title} darum gebeten wurde, die {what} an diese Adresse zu senden.",
		},
		Consent: text{
			Subject: "Bitte bestätigen: Neuigkeiten von {title}",
			Heading: "Noch ein Schritt",
			Intro:   []string{"Mit dieser Adresse wurde zugestimmt, dass {title} Ihnen Neuigkeiten per E-Mail sendet. Waren Sie das? Dann bestätigen Sie es bitte. Diesem Text wurde zugestimmt:"},
			After:   []string{"Ohne Ihre Bestätigung senden wir keine Neuigkeiten. Sie können Ihre Einwilligung jederzeit widerrufen, mit einem Klick und ohne Anmeldung. Auf Ihre Termine und Gespräche hat das keinen Einfluss."},
			Footer:  "Sie erhalten diese E-Mail einmalig, weil mit dieser Adresse eine Einwilligung erteilt wurde. Waren Sie das nicht? Dann müssen Sie nichts tun.",
		},
		Days:     [7]string{"Sonntag", "Montag", "Dienstag", "Mittwoch", "Donnerstag", "Freitag", "Samstag"},
		Months:   [12]string{"Januar", "Februar", "März", "April", "Mai", "Juni", "Juli", "August", "September", "Oktober", "November", "Dezember"},
		DateForm: "{day}, {d}. {month} {year}", SpanForm: "{from} bis {to} Uhr ({zone})", MomentForm: "{date}, {from} Uhr",
		Zones: map[string]string{"CET": "MEZ", "CEST": "MESZ"},
		And:   "und", Photo: "Foto", Photos: "Fotos", Clip: "Video", Clips: "Videos",
	}
}
