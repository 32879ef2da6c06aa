package records

const operators = "who runs the server"

func enrolmentTokensTable() Table {
	return Table{
		Name: "enrolment_tokens", What: "tokens by which boards are enrolled, once each",
		Purpose: Purpose{Why: "only boards that were meant become glasses of this endpoint", Ground: NotPersonal, Kept: "a day after they expire", Who: operators},
		Columns: []Column{
			column("id", "a random number", "names the token where it is revoked"),
			secretColumn("secret_hash", "a hash of the token's secret", "recognises the token without storing it"),
			column("name", "what the glasses are called", "where they publish"),
			column("label", "what people call them", "tells them apart in lists"),
			column("serial", "the serial number of the board that alone may use it; empty for any", "a token that got lost is of no use"),
			timeColumn("created", "when it was made", "old ones are found"),
			timeColumn("expires", "until when it can be used", "a token that got lost is of no use for long"),
			timeColumn("used", "when it was used", "it can be used once"),
			column("device", "the device that used it", "a board whose answer got lost gets it again"),
		},
	}
}

func devicesTable() Table {
	return Table{
		Name: "devices", What: "boards that are enrolled",
		Purpose: Purpose{Why: "only enrolled glasses publish, upload and are called", Ground: NotPersonal, Kept: forGood, Who: operators},
		Columns: []Column{
			column("id", "a random number", "stands in the device's certificate"),
			column("name", "what the glasses are called", "where they publish"),
			column("label", "what people call them", "tells them apart in lists"),
			column("serial", "the board's serial number", "finds the board"),
			column("model", "the board's model", "what may be wrong with it"),
			column("version", "the program's version, when it last asked for a certificate", "what may be wrong with it"),
			secretColumn("key_hash", "a hash of its public key", "tells a repeated question from another board's"),
			timeColumn("enrolled", "when it was enrolled", ""),
			timeColumn("renewed", "when it last got a certificate", "finds boards that are away for long"),
			timeColumn("not_after", "when that certificate ends", "finds boards that need a new token"),
			timeColumn("revoked", "when it was revoked", "from then on it is refused"),
		},
	}
}
