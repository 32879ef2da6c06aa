package records

// Ground is why the law allows keeping something (Article 6(1) GDPR).
type Ground string

// The grounds, as they are printed.
const (
	Contract    Ground = "steps at the customer's request, Art. 6(1)(b)"
	Agreed      Ground = "consent, Art. 6(1)(a)"
	Obligation  Ground = "proof that is owed, Art. 6(1)(c) with Art. 7(1)"
	Legitimate  Ground = "legitimate interest, Art. 6(1)(f)"
	NotPersonal Ground = "none needed: not about a person"
)

// Purpose is what the record of processing says of a piece of data (Article 30).
type Purpose struct {
	Why    string `json:"why"`
	Ground Ground `json:"ground"`
	Kept   string `json:"kept"` // how long
	Who    string `json:"who"`  // sees it
}

// Table describes a table of the schema. Its purpose is that of each column that
// has none of its own.
type Table struct {
	Name string `json:"name"`
	What string `json:"what"`
	Purpose
	Columns []Column `json:"columns"`

	customer     string // the column with the ID of whom a row is of
	conversation string // the column with the ID of what a row is of
	owns         bool   // the conversation of a row is its customer's
}

// Column describes a column.
type Column struct {
	Name string `json:"name"`
	What string `json:"what"`
	Purpose
	secret bool // not for export: it opens something
	time   bool // in milliseconds
}

const (
	untilPurged = "until the retention after the last service is over, six months at most"
	untilOver   = "until the retention after the conversation is over, six months at most"
	team        = "advisors and managers of the showroom"
	nobody      = "nobody; the program compares it"
)

// Schema describes each table and column. TestEveryColumnIsDescribed fails for one
// that is missing here, or that the schema does not have.
func Schema() []Table {
	tables := []Table{customersTable(), appointmentsTable(), conversationsTable(), consentsTable(), deliveriesTable(), wishesTable(),
		staffTable(), staffSessionsTable(), enrolmentTokensTable(), devicesTable(),
		fleetBundlesTable(), fleetDevicesTable(), fleetManagersTable(), fleetAuditTable(), ratingsTable(), usageTable(), erasuresTable(), erasedTable()}
	for _, t := range tables {
		for i := range t.Columns {
			t.Columns[i].fill(t.Purpose)
		}
	}
	return tables
}

// fill takes over what the column does not say itself.
func (c *Column) fill(p Purpose) {
	if c.Why == "" {
		c.Why = p.Why
	}
	if c.Ground == "" {
		c.Ground = p.Ground
	}
	if c.Kept == "" {
		c.Kept = p.Kept
	}
	if c.Who == "" {
		c.Who = p.Who
	}
}

func column(name, what, why string) Column {
	return Column{Name: name, What: what, Purpose: Purpose{Why: why}}
}

func timeColumn(name, what, why string) Column {
	return Column{Name: name, What: what, Purpose: Purpose{Why: why}, time: true}
}

func secretColumn(name, what, why string) Column {
	return Column{Name: name, What: what, Purpose: Purpose{Why: why, Who: nobody}, secret: true}
}

func customersTable() Table {
	return Table{
		Name: "customers", What: "who booked a conversation, or asked for photos and clips", customer: "id",
		Purpose: Purpose{Why: "to give the service that was asked for", Ground: Contract, Kept: untilPurged, Who: team},
		Columns: []Column{
			column("id", "a random number", "ties together what is stored of one customer, and finds it for access and erasure"),
			column("name", "the name given", "the advisor addresses the customer by it"),
			column("email", "the e-mail address given", "confirmation, reminder, and the photos and clips asked for go there"),
			column("email_key", "the address in lower case", "one person is one customer, however the address is typed"),
			column("phone", "the telephone number given, if any", "the showroom calls when an appointment cannot take place"),
			column("locale", "the language of the page: nl, de or en", "e-mail is written in it"),
			timeColumn("created", "when the customer was first taken down", "answers since when there are data, when asked"),
			timeColumn("last_service", "when the customer was last given service", "the retention counts from here"),
		},
	}
}

func appointmentsTable() Table {
	return Table{
		Name: "appointments", What: "booked conversations", customer: "customer", conversation: "conversation", owns: true,
		Purpose: Purpose{Why: "to keep the slot for the customer", Ground: Contract, Kept: untilPurged, Who: team},
		Columns: []Column{
			column("id", "a random number", "names the appointment in calendar files"),
			column("showroom", "which showroom", "its advisors see it"),
			column("glasses", "which pair of glasses", "one pair has one conversation at a time"),
			column("customer", "whose it is", "who is expected, and to whom changes are mailed"),
			timeColumn("starts", "when it starts", "the slot"),
			timeColumn("ends", "when it ends", "the slot"),
			column("state", "booked, done, missed or cancelled", "a code of what is over opens nothing, and is told so"),
			column("conversation", "the conversation it became", "one code is for one conversation"),
			column("sequence", "how often it was changed", "calendars take the latest"),
			secretColumn("code_hash", "a hash of the access code, by a key that is not in this file", "recognises the code without storing it"),
			secretColumn("token_hash", "a hash of the token in the e-mail", "join, change and cancel by the links, without storing them"),
			column("name", "the name given for it", "the advisor greets by it; it says nothing of the address's owner, who may be another"),
			column("phone", "the telephone number given for it, if any", "the showroom calls when it cannot take place"),
			column("locale", "the language of the page: nl, de or en", "its e-mail is written in it"),
		},
	}
}

func conversationsTable() Table {
	return Table{
		Name: "conversations", What: "conversations; nothing of what was seen or said", customer: "customer", conversation: "id", owns: true,
		Purpose: Purpose{Why: "to hold the conversation, and to go on with it after a restart", Ground: Contract, Kept: untilOver, Who: team},
		Columns: []Column{
			column("id", "a random number", "names it in links; photos and clips are kept under it"),
			column("showroom", "which showroom", "its advisors see it"),
			column("glasses", "which pair of glasses", "rings there, and shows from there"),
			column("appointment", "the appointment it came of, if any", "one appointment has one conversation"),
			column("customer", "whose it is, once known", "what was taken in it is found for access and erasure"),
			column("locale", "the language of the page", "the page and e-mail are in it"),
			timeColumn("created", "when it was asked for", "waiting has an end; the retention counts from here where it never began"),
			timeColumn("started", "when it began", "its length, for aggregate figures"),
			timeColumn("ended", "when it ended", "the retention counts from here"),
			column("state", "where it is between ringing and ended", "what the page and the glasses may do"),
			column("reason", "why it ended", "the page says so"),
			column("kind", "at once, or booked", "what happens when nobody answers"),
			column("rated", "that a thumb was given, not which", "each conversation gives one"),
		},
	}
}

func consentsTable() Table {
	return Table{
		Name: "consents", What: "what customers agreed to beyond the service", customer: "customer",
		Purpose: Purpose{Why: "proof of consent, and its withdrawal", Ground: Obligation, Kept: untilPurged, Who: "managers of the showroom"},
		Columns: []Column{
			column("id", "a random number", "tells two consents apart"),
			column("customer", "whose it is", "who agreed"),
			column("purpose", "what it is for, as marketing", "nothing else is done with it"),
			column("text_version", "the version of the text that was shown", "what was agreed to"),
			column("locale", "the language of the text", "what was agreed to"),
			timeColumn("given", "when it was given", "proof"),
			timeColumn("confirmed", "when it was confirmed by the link in the e-mail", "until then the address may be somebody else's, and nothing is sent"),
			timeColumn("withdrawn", "when it was withdrawn", "from then on nothing is sent"),
			secretColumn("token_hash", "a hash of the token in the links that confirm and withdraw it", "both without a login, without storing the token"),
		},
	}
}

func deliveriesTable() Table {
	return Table{
		Name: "deliveries", What: "which photos and clips were sent", customer: "customer", conversation: "conversation",
		Purpose: Purpose{Why: "to see that what was asked for has arrived", Ground: Contract, Kept: untilPurged, Who: team},
		Columns: []Column{
			column("id", "a random number", "tells two deliveries apart"),
			column("conversation", "of which conversation", "finds what was sent"),
			column("customer", "to whom", "who asked for it"),
			column("items", "the random numbers of the photos and clips", "what was sent"),
			column("mail", "the random number of the mail", "shows whether it bounced"),
			timeColumn("at", "when it was sent", "the retention counts from here"),
		},
	}
}

func wishesTable() Table {
	return Table{
		Name: "wishes", What: "which photos and clips are still to be sent", customer: "customer", conversation: "conversation",
		Purpose: Purpose{Why: "to send what was asked for once it has arrived, also after a restart", Ground: Contract, Kept: "until all of it is sent, a few days at most", Who: nobody},
		Columns: []Column{
			column("id", "a random number", "tells two wishes apart"),
			column("conversation", "of which conversation", "finds what is to be sent"),
			column("customer", "to whom", "who asked for it"),
			column("items", "the random numbers of the photos and clips; none for all", "what is to be sent"),
			column("mailed", "those that have been sent", "nothing is sent twice"),
			column("mails", "how many mails there were", "there are few"),
			timeColumn("asked", "when it was asked for", "waiting has an end"),
			column("name", "the name given for it, if any", "its e-mail greets by it; it says nothing of the address's owner, who may be another"),
			column("locale", "the language of the page: nl, de or en", "its e-mail is written in it"),
		},
	}
}

func staffTable() Table {
	return Table{
		Name: "staff", What: "logins of who works at the showroom",
		Purpose: Purpose{Why: "only staff sees the showroom's pages", Ground: Legitimate, Kept: "until the login is removed", Who: "who runs the server"},
		Columns: []Column{
			column("name", "the name of the login", "who may log in"),
			secretColumn("hash", "a hash of the password (argon2id)", "checks the password without storing it"),
			column("role", "advisor or manager", "what the login may see"),
			column("showroom", "an advisor's showroom", "its appointments are shown, and no other's"),
			timeColumn("created", "when the login was made", "logins that nobody remembers are found"),
		},
	}
}

func staffSessionsTable() Table {
	return Table{
		Name: "staff_sessions", What: "who of the staff is logged in",
		Purpose: Purpose{Why: "a login holds for a while, and can be revoked", Ground: Legitimate, Kept: "until it expires or is revoked", Who: "staff of the showroom"},
		Columns: []Column{
			column("id", "a random number", "names the session where it is revoked"),
			secretColumn("hash", "a hash of the token in the cookie", "recognises the cookie without storing it"),
			column("staff", "whose session it is", "what it may see"),
			column("device", "browser and system, as \"Firefox, Linux\"", "its owner knows it again"),
			timeColumn("created", "when it began", "old ones are found"),
			timeColumn("used", "when it was last used", "ends it when nobody does"),
			timeColumn("expires", "when it ends by itself", "a lost device is logged out"),
		},
	}
}

const forGood = "for good: there is no person in it"

func ratingsTable() Table {
	return Table{
		Name: "ratings", What: "thumbs by showroom and week, in blocks of ten conversations or more",
		Purpose: Purpose{Why: "to see whether conversations are liked", Ground: NotPersonal, Kept: forGood, Who: team},
		Columns: []Column{
			column("showroom", "which showroom", "showrooms are compared"),
			column("week", "the ISO week in which the block became full; empty while it is not", "shows a trend, and no day or hour"),
			column("up", "how many thumbs up", ""),
			column("down", "how many thumbs down", ""),
		},
	}
}

func usageTable() Table {
	return Table{
		Name: "usage", What: "figures by showroom and week, in blocks of ten conversations or more",
		Purpose: Purpose{Why: "to plan staff and glasses", Ground: NotPersonal, Kept: forGood, Who: team},
		Columns: []Column{
			column("showroom", "which showroom", "showrooms are compared"),
			column("week", "the ISO week in which the block became full; empty while it is not", "shows a trend, and no day or hour"),
			column("conversations", "how many conversations", ""),
			column("seconds", "how long they were, together", ""),
			column("photos", "how many photos, together", ""),
			column("clips", "how many clips, together", ""),
		},
	}
}

func erasuresTable() Table {
	return Table{
		Name: "erasures", What: "removals that have begun and not ended",
		Purpose: Purpose{Why: "a removal that a crash broke off is finished at the next start", Ground: Obligation, Kept: "until the removal has ended, seconds as a rule", Who: nobody},
		Columns: []Column{
			column("kind", "customer, conversation, or sweep for old rows", ""),
			column("id", "the random number of what is removed", ""),
		},
	}
}

func erasedTable() Table {
	return Table{
		Name: "erased", What: "conversations that were removed",
		Purpose: Purpose{Why: "what glasses still upload of them is refused", Ground: Obligation, Kept: "the retention, six months at most", Who: nobody},
		Columns: []Column{
			column("hash", "a hash of the conversation's random number", ""),
			timeColumn("at", "when it was removed", "the hash itself goes in time"),
		},
	}
}
