// Package cue lets an advisor without a screen hear what the glasses do: a short
// sound for each cue, and where a language is configured the words after it. The
// earpiece is in the ear: what is played here reaches neither the customer nor,
// beyond a whisper, the microphone.
package cue

import (
	"slices"

	"github.com/bril-edge/bril/cmd/internal/session"
)

// Language is in which the cues are spoken.
type Language string

// The languages.
const (
	Silent  Language = "none" // sounds only
	Dutch   Language = "nl"
	German  Language = "de"
	English Language = "en"
)

// Languages returns those that are spoken.
func Languages() []Language { return []Language{Dutch, German, English} }

// All returns the cues, as they are listed to people.
func All() []session.Cue {
	return []session.Cue{
		session.CueLive, session.CuePaused, session.CueEnded, session.CueEndedItself, session.CueEnding,
		session.CueRefused, session.CuePoorNetwork, session.CueFrozen, session.CueBattery, session.CueHeat,
		session.CuePhoto, session.CueClip, session.CueClipEnd, session.CueFull,
		session.CueRing, session.CueJoined, session.CueLeft, session.CueTheirNetwork, session.CueTheyFreeze,
		session.CueThumbUp, session.CueThumbDown,
		session.CueProvisioning, session.CueProvisioned, session.CueCodeRefused,
	}
}

// Meaning returns when a cue is heard, in English, for technicians.
func Meaning(c session.Cue) string {
	return map[session.Cue]string{
		session.CueLive:        "live, or live again",
		session.CuePaused:      "paused: black and silence leave",
		session.CueEnded:       "ended, as the advisor asked",
		session.CueEndedItself: "ended for another reason",
		session.CueEnding:      "live ends soon by itself",
		session.CueRefused:     "what was asked for cannot be done",
		session.CuePoorNetwork: "the connection is lost, or too slow",
		session.CueFrozen:      "live, and no picture leaves",
		session.CueBattery:     "the battery is low",
		session.CueHeat:        "the board is too hot",
		session.CuePhoto:       "a photo is safe on the glasses",
		session.CueClip:        "a clip has begun",
		session.CueClipEnd:     "a clip is safe on the glasses",
		session.CueFull:        "refused: the storage is full",

		session.CueRing:         "a customer calls",
		session.CueJoined:       "the customer is there again",
		session.CueLeft:         "the customer has left, or was cut off",
		session.CueTheirNetwork: "poor network at the customer's end",
		session.CueTheyFreeze:   "frozen picture at the customer's end",
		session.CueThumbUp:      "the customer was content",
		session.CueThumbDown:    "the customer was not",

		session.CueProvisioning: "looking for a QR code, to be set up",
		session.CueProvisioned:  "set up by the code",
		session.CueCodeRefused:  "the code was refused, or none came in time",
	}[c]
}

// Words returns what is said; "" for a language that is not spoken and for a cue
// that does not exist.
func Words(c session.Cue, l Language) string {
	i := slices.Index(Languages(), l)
	if i < 0 {
		return ""
	}
	words := map[session.Cue][3]string{ // in the order of Languages
		session.CueLive:        {"Live.", "Live.", "Live."},
		session.CuePaused:      {"Gepauzeerd.", "Pausiert.", "Paused."},
		session.CueEnded:       {"Beëindigd.", "Beendet.", "Ended."},
		session.CueEndedItself: {"Automatisch beëindigd.", "Automatisch beendet.", "Ended automatically."},
		session.CueEnding:      {"Stopt zo meteen.", "Endet gleich.", "Ending soon."},
		session.CueRefused:     {"Kan nu niet.", "Geht jetzt nicht.", "Not possible now."},
		session.CuePoorNetwork: {"Slecht netwerk.", "Schlechtes Netz.", "Poor network."},
		session.CueFrozen:      {"Beeld staat stil.", "Bild steht still.", "Picture frozen."},
		session.CueBattery:     {"Batterij bijna leeg.", "Akku fast leer.", "Battery low."},
		session.CueHeat:        {"Bril is te warm.", "Brille ist zu warm.", "Glasses too hot."},
		session.CuePhoto:       {"Foto bewaard.", "Foto gespeichert.", "Photo saved."},
		session.CueClip:        {"Clip loopt.", "Clip läuft.", "Clip started."},
		session.CueClipEnd:     {"Clip bewaard.", "Clip gespeichert.", "Clip saved."},
		session.CueFull:        {"Opslag vol.", "Speicher voll.", "Storage full."},

		session.CueRing:         {"Oproep.", "Anruf.", "Incoming call."},
		session.CueJoined:       {"Klant is er.", "Kunde ist da.", "Customer joined."},
		session.CueLeft:         {"Klant is weg.", "Kunde ist weg.", "Customer left."},
		session.CueTheirNetwork: {"Klant: slecht netwerk.", "Kunde: schlechtes Netz.", "Customer: poor network."},
		session.CueTheyFreeze:   {"Klant: beeld staat stil.", "Kunde: Bild steht still.", "Customer: picture frozen."},
		session.CueThumbUp:      {"Duim omhoog.", "Daumen hoch.", "Thumbs up."},
		session.CueThumbDown:    {"Duim omlaag.", "Daumen runter.", "Thumbs down."},

		session.CueProvisioning: {"Toon de code.", "Code zeigen.", "Show the code."},
		session.CueProvisioned:  {"Ingesteld.", "Eingerichtet.", "Set up."},
		session.CueCodeRefused:  {"Code geweigerd.", "Code abgelehnt.", "Code refused."},
	}
	return words[c][i]
}
