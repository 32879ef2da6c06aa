package letters

func dutch() *words {
	return &words{
		Lang: "nl", Dear: "Beste {name},", Hello: "Goedendag,",
		Date: "Datum", Time: "Tijd", Code: "Uw persoonlijke code", Kept: "Bewaard tot", GivenAt: "Gegeven op", Version: "Versie van de tekst",
		Join: "Deelnemen aan het gesprek", Manage: "Afspraak verzetten of annuleren", Again: "Nieuwe afspraak maken",
		View: "Bekijk uw {what}", Confirm: "Ja, stuur mij nieuws", Privacy: "Zo gaan we met uw gegevens om",
		IfBroken: "Werkt de knop niet? Open dan dit adres:",
		SameCode: "De code uit onze eerdere e-mail blijft geldig: daarmee neemt u deel aan het gesprek.",
		Event:    "Gesprek met {title}",
		Booked: text{
			Subject: "Uw afspraak bij {title}: {start}",
			Heading: "Uw afspraak staat vast",
			Intro: []string{
				"Bedankt voor uw afspraak. Op het afgesproken moment is een adviseur van {title} live voor u in de showroom, om te laten zien wat u wilt zien en uw vragen te beantwoorden. U heeft alleen een browser nodig, op uw telefoon of computer.",
			},
			After: []string{
				"U kunt deelnemen vanaf 10 minuten voor het begin. De code is alleen voor u; geef hem niet door.",
				"Uw microfoon staat uit tot u hem zelf aanzet, en uw stem wordt nooit opgenomen.",
			},
			Footer: "U ontvangt deze e-mail omdat met dit adres een afspraak is gemaakt bij {title}. Was u dat niet? Dan kunt u de afspraak met de link hierboven annuleren.",
		},
		Changed: text{
			Subject: "Uw afspraak bij {title} is verzet: {start}",
			Heading: "Uw afspraak is verzet",
			Intro:   []string{"Uw afspraak bij {title} van {was} is verzet. Dit is het nieuwe moment:"},
			After:   []string{"U kunt deelnemen vanaf 10 minuten voor het begin. De code is alleen voor u; geef hem niet door."},
			Footer:  "U ontvangt deze e-mail omdat met dit adres een afspraak is gemaakt bij {title}.",
		},
		Reminder: text{
			Subject: "Herinnering: uw afspraak bij {title}, {start}",
			Heading: "Tot binnenkort",
			Intro:   []string{"Graag herinneren we u aan uw gesprek met {title}. Hieronder staat alles wat u nodig heeft om deel te nemen."},
			After: []string{
				"U kunt deelnemen vanaf 10 minuten voor het begin, met een browser op uw telefoon of computer.",
				"Uw microfoon staat uit tot u hem zelf aanzet, en uw stem wordt nooit opgenomen.",
			},
			Footer: "U ontvangt deze e-mail omdat met dit adres een afspraak is gemaakt bij {title}.",
		},
		Cancelled: text{
			Subject: "Geannuleerd: uw afspraak bij {title}, {start}",
			Heading: "Uw afspraak is geannuleerd",
			Intro:   []string{"Deze afspraak bij {title} gaat niet door. De code werkt niet meer."},
			After:   []string{"Staat de afspraak nog in uw agenda? Open dan de bijlage om hem daaruit te verwijderen."},
			Footer:  "U ontvangt deze e-mail omdat met dit adres een afspraak was gemaakt bij {title}.",
		},
		Media: text{
			Subject: "Uw {what} van {title}",
			Heading: "Uw {what}",
			Intro:   []string{"U vroeg ons om de {what} van uw gesprek met {title}. Ze staan voor u klaar: {items}."},
			After: []string{
				"Iedereen die deze link heeft, kan ze bekijken. Deel hem dus alleen met mensen die u vertrouwt.",
				"Na de datum hierboven verwijderen we alles. Hoe u dat eerder laat doen, leest u op onze privacypagina.",
			},
			Footer: "U ontvangt deze e-mail omdat tijdens een gesprek met {title} is gevraagd om de {what} naar dit adres te sturen.",
		},
		Consent: text{
			Subject: "Graag bevestigen: nieuws van {title}",
			Heading: "Nog één stap",
			Intro:   []string{"Met dit adres is aangegeven dat {title} u per e-mail nieuws mag sturen. Was u dat? Bevestig het dan. Dit is de tekst waarmee is ingestemd:"},
			After:   []string{"Zonder uw bevestiging sturen we geen nieuws. U kunt uw toestemming op elk moment intrekken, met één klik en zonder in te loggen. Voor uw afspraken en gesprekken maakt dat geen verschil."},
			Footer:  "U ontvangt deze e-mail, eenmalig, omdat met dit adres toestemming is gegeven. Was u dat niet? Dan hoeft u niets te doen.",
		},
		Days:     [7]string{"zondag", "maandag", "dinsdag", "woensdag", "donderdag", "vrijdag", "zaterdag"},
		Months:   [12]string{"januari", "februari", "maart", "april", "mei", "juni", "juli", "augustus", "september", "oktober", "november", "december"},
		DateForm: "{day} {d} {month} {year}", SpanForm: "{from} tot {to} uur ({zone})", MomentForm: "{date} om {from} uur",
		Zones: map[string]string{"CET": "Midden-Europese tijd", "CEST": "Midden-Europese zomertijd"},
		And:   "en", Photo: "foto", Photos: "foto's", Clip: "video", Clips: "video's",
	}
}
