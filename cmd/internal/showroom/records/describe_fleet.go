package records

func fleetBundlesTable() Table {
	return Table{
		Name: "fleet_bundles", What: "signed configurations of the glasses",
		Purpose: Purpose{Why: "glasses get the configuration that a manager has signed", Ground: NotPersonal, Kept: forGood, Who: fleetManagers},
		Columns: []Column{
			column("serial", "the bundle's number", "newer ones take the place of older ones"),
			column("content", "a hash of what it sets", "content that failed is not tried again"),
			secretColumn("envelope", "the bundle as it was signed, with the secrets of relays in it", "it is handed to the glasses"),
			{Name: "author", What: "the manager's name", Purpose: Purpose{Why: "who changed what is known", Ground: Legitimate}},
			column("reason", "why, in the manager's words", "who changed what is known"),
			timeColumn("created", "when it came", ""),
			column("rollout", "how far it has come", "a rollout goes on after a restart"),
		},
	}
}

func fleetDevicesTable() Table {
	return Table{
		Name: "fleet_devices", What: "what glasses tell of their configuration and state",
		Purpose: Purpose{Why: "a manager sees what runs where, and why", Ground: NotPersonal, Kept: forGood, Who: fleetManagers},
		Columns: []Column{
			column("device", "the device", ""),
			column("labels", "words by which configuration is meant for it", ""),
			column("report", "the bundle that runs, what became of the last one, battery, counters", ""),
			column("effective", "the configuration in effect, without secrets", ""),
			column("base", "the configuration without a bundle, without secrets", "what a bundle would change is known before"),
			column("health", "which parts work", ""),
			column("model", "the board's model", ""),
			timeColumn("seen", "when it told anything last", ""),
		},
	}
}

func fleetManagersTable() Table {
	return Table{
		Name: "fleet_managers", What: "who may change the configuration of the glasses",
		Purpose: Purpose{Why: "only managers change configuration", Ground: Legitimate, Kept: forGood, Who: operators},
		Columns: []Column{
			column("name", "the manager's name", "who changed what is known"),
			secretColumn("hash", "a hash of the token", "recognises the token without storing it"),
			timeColumn("created", "when the token was made", ""),
			timeColumn("revoked", "when it was revoked", "from then on it is refused"),
		},
	}
}

func fleetAuditTable() Table {
	return Table{
		Name: "fleet_audit", What: "who changed the configuration of the glasses, and when",
		Purpose: Purpose{Why: "who changed what, when and why is known, and cannot be changed afterwards", Ground: Legitimate, Kept: forGood, Who: fleetManagers},
		Columns: []Column{
			column("seq", "the entry's number", ""),
			timeColumn("at", "when", ""),
			column("who", "the manager's name, or the server", ""),
			column("action", "what was done", ""),
			column("object", "to what", ""),
			column("reason", "why, in the manager's words", ""),
			column("hash", "a hash of this entry and the one before", "a change of the past shows"),
		},
	}
}

const fleetManagers = "managers of the fleet"
