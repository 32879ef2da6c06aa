package privacy

import (
	"fmt"
	"io"

	"github.com/bril-edge/bril/cmd/internal/showroom/records"
)

// Record is the record of processing (Article 30 GDPR) of what the program stores,
// made of what stands beside the schema of each store.
type Record struct {
	SchemaVersion int             `json:"schema_version"`
	Tables        []records.Table `json:"tables"` // in showroom.db and its backups
	Files         []Files         `json:"files"`
	NotStored     []string        `json:"not_stored"`
}

// Files describes files of the data directory.
type Files struct {
	Path string `json:"path"`
	What string `json:"what"`
	records.Purpose
	Fields []Field `json:"fields,omitempty"` // of a description in JSON
}

// Field describes a field. It has its file's purpose where it says none.
type Field struct {
	Name string `json:"name"`
	What string `json:"what"`
	Why  string `json:"why"`
}

// NewRecord returns the record. Tests fail for a column or a field that is missing
// here, and for a file of the data directory.
func NewRecord() Record {
	return Record{SchemaVersion: schemaVersion, Tables: records.Schema(), Files: files(), NotStored: []string{
		"What the customer says: it goes to the advisor's ear, encrypted, and is kept nowhere.",
		"What is seen and heard of the advisor, but for the photos and clips that are taken.",
		"IP addresses: they bound guesses of codes while the server runs, and are in no file of it.",
		"What a browser looked at: the page counts nothing and loads nothing from elsewhere.",
	}}
}

const (
	retention = "the retention, six months at most"
	team      = "advisors and managers of the showroom"
	customer  = "the customer with the link, and " + team
	operator  = "who runs the server"
)

func files() []Files {
	service := records.Purpose{Why: "the customer asked for them", Ground: records.Contract, Kept: retention + ", after they were taken", Who: customer}
	secret := records.Purpose{Why: "nobody else gets in", Ground: records.NotPersonal, Kept: "until it is replaced", Who: operator}
	return []Files{
		{Path: "sessions/CONVERSATION/ID.jpg, .mp4", What: "photos and clips of the showroom's cars", Purpose: service},
		{Path: "sessions/CONVERSATION/ID.json", What: "what describes a photo or clip", Purpose: service, Fields: itemFields()},
		{Path: "uploads/ID, ID.info", What: "photos and clips on their way, encrypted", Purpose: records.Purpose{
			Why: "an upload that breaks off goes on", Ground: records.Contract, Kept: "until they have arrived, or a day after nothing more comes", Who: operator}},
		{Path: "incoming/", What: "photos and clips while they are decrypted", Purpose: records.Purpose{
			Why: "nothing half made is shown", Ground: records.Contract, Kept: "seconds; emptied at each start", Who: operator}},
		{Path: "receipts/ID.json", What: "random numbers and checksums of what has arrived", Purpose: records.Purpose{
			Why: "the glasses delete theirs once it is safe", Ground: records.NotPersonal, Kept: "as long as the photo or clip and 30 days", Who: "the glasses"}},
		{Path: "outbox/", What: "e-mail: letters that wait, or all of them where there is no SMTP server, and a list of what became of them", Purpose: records.Purpose{
			Why: "confirmations, reminders, and photos and clips that were asked for", Ground: records.Contract, Kept: retention, Who: team}, Fields: mailFields()},
		{Path: "showroom.db, -wal, -shm", What: "the tables above", Purpose: records.Purpose{
			Why: "as each table says", Ground: records.Contract, Kept: "as each table says", Who: operator}},
		{Path: "backups/showroom-TIME-vVERSION.db", What: "copies of showroom.db; purges and erasures reach them, too", Purpose: records.Purpose{
			Why: "what a disk or an update breaks is not lost", Ground: records.Legitimate, Kept: retention + "; what is in them, as in showroom.db", Who: operator}},
		{Path: "access.key", What: "the secret that links are made of", Purpose: secret},
		{Path: "age.key", What: "the key that glasses encrypt to", Purpose: secret},
		{Path: "admin.sock", What: "the way of the command line to the server; no data", Purpose: secret},
	}
}

func itemFields() []Field {
	return []Field{
		{"schema_version", "the version of the description", "a later program reads it"},
		{"id", "a random number", "names it in links"},
		{"session", "the conversation's random number", "finds it for access and erasure"},
		{"kind", "photo or clip", "how it is shown"},
		{"content_type", "JPEG or MP4", "how it is shown"},
		{"bytes", "its size", "how it is sent"},
		{"sha256", "its checksum", "damage is found"},
		{"taken_at", "when it was taken", "the order in which they are shown"},
		{"clock", "whether the glasses knew the time", "how long it is kept is not left to a wrong clock"},
		{"received_at", "when it arrived", "what arrives late is found"},
		{"kept_from", "from when the retention counts", "it is gone in time"},
		{"show", "whether it came up at once", "the page shows it"},
		{"state", "whole, or cut short", "a cut clip is told from a broken one"},
		{"upload_sha256", "the checksum of what was uploaded", "the glasses' question is answered"},
		{"audit", "a checksum of the glasses' log", "a log that was changed is found"},
	}
}

func mailFields() []Field {
	return []Field{
		{"id", "a random number", "names it in the list"},
		{"kind", "what it is about", "the list says so"},
		{"state", "waiting, sent, in the outbox or failed", "bounced mail is seen"},
		{"attempts", "how often it was tried", "bounced mail is seen"},
		{"next_try", "when it is tried again", "a server that is away for a while is no loss"},
		{"problem", "what the mail server said, without addresses", "bounced mail is understood"},
		{"at", "when it was written", "the order of the list"},
		{"done", "when it was sent or given up", "the retention counts from here"},
		{"customer", "the customer's random number", "finds it for access and erasure"},
		{"conversation", "the conversation's random number", "finds what was sent of it"},
		{"appointment", "the appointment's random number", "a reminder of what was moved is dropped"},
	}
}

// WriteText writes the record for people.
func (r Record) WriteText(w io.Writer) error {
	p := &printer{w: w}
	p.line("RECORD OF PROCESSING")
	p.line("What this showroom stores, what for, on which legal ground, how long, and who sees it.")
	for _, t := range r.Tables {
		p.line("\nTable %s: %s", t.Name, t.What)
		p.purpose(t.Purpose)
		for _, c := range t.Columns {
			p.line("  - %s: %s. %s.%s", c.Name, c.What, sentence(c.Why), exceptions(c.Purpose, t.Purpose))
		}
	}
	for _, f := range r.Files {
		p.line("\nFiles %s: %s", f.Path, f.What)
		p.purpose(f.Purpose)
		for _, field := range f.Fields {
			p.line("  - %s: %s. %s.", field.Name, field.What, sentence(field.Why))
		}
	}
	p.line("\nNot stored:")
	for _, text := range r.NotStored {
		p.line("  - %s", text)
	}
	return p.err
}

// exceptions says in what a column differs from its table.
func exceptions(c, table records.Purpose) (text string) {
	if c.Ground != table.Ground {
		text += fmt.Sprintf(" Ground: %s.", c.Ground)
	}
	if c.Kept != table.Kept {
		text += fmt.Sprintf(" Kept: %s.", c.Kept)
	}
	if c.Who != table.Who {
		text += fmt.Sprintf(" Who: %s.", c.Who)
	}
	return text
}

func sentence(text string) string {
	if text == "" {
		return text
	}
	if first := text[0]; first >= 'a' && first <= 'z' {
		return string(first-'a'+'A') + text[1:]
	}
	return text
}

// printer keeps the first error.
type printer struct {
	w   io.Writer
	err error
}

func (p *printer) line(format string, a ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.w, format+"\n", a...)
	}
}

func (p *printer) purpose(of records.Purpose) {
	p.line("  why:    %s", of.Why)
	p.line("  ground: %s", of.Ground)
	p.line("  kept:   %s", of.Kept)
	p.line("  who:    %s", of.Who)
}
