// The words of the staff's page beside those of its door, in Dutch, German and English.
// A test compares the keys. In texts, {x} stands for a value.

import {Language as Words} from './language.js';

export const WORDS = {
  nl: {
    title: 'Team', showroom: 'Showroom', overview: 'Overzicht',
    forgotten: 'Wachtwoord vergeten? De beheerder van de showroom kan een nieuw wachtwoord instellen.',
    ended: 'U bent uitgelogd, omdat u uw sessie hebt beëindigd, omdat die verlopen is of omdat iemand haar heeft ingetrokken. Log opnieuw in.',
    offline: 'Geen verbinding met de showroom. Wat u ziet is van {time}. Er wordt vanzelf opnieuw geprobeerd.',
    advisor: 'adviseur', manager: 'manager', all: 'Alle showrooms',
    unassigned: 'U bent aan geen showroom toegewezen. De beheerder kan dat doen.',
    live: 'Gesprekken nu', liveText: 'Wie belt en hoe het gaat. Beeld en geluid zijn hier niet te volgen.', liveEmpty: 'Op dit moment is er geen gesprek.',
    since: 'sinds {time}', glasses: 'bril {name}', viewers: '{n} kijkers', viewer: '1 kijker', noViewers: 'geen kijkers',
    now: 'Direct gesprek', booked: 'Afspraak',
    networkGood: 'verbinding goed', networkPoor: 'verbinding zwak', networkFrozen: 'beeld staat stil',
    today: 'Afspraken vandaag', todayEmpty: 'Vandaag zijn er geen afspraken.',
    stateBooked: 'Gepland', stateWaiting: 'Klant wacht', stateRinging: 'Gaat over', stateConnecting: 'Verbindt', stateLive: 'In gesprek',
    stateDone: 'Afgerond', stateMissed: 'Niet verschenen', stateCancelled: 'Afgezegd',
    sent: 'Verstuurde foto’s en clips', sentText: 'Wat klanten zich de laatste {days} dagen lieten mailen.', sentEmpty: 'Er is niets verstuurd.',
    items: '{n} bestanden', item: '1 bestand', to: 'aan {to}',
    mailQueued: 'In de wachtrij', mailSent: 'Verstuurd', mailOutbox: 'In de outbox', mailFailed: 'Niet bezorgd', mailGone: 'Niet meer bekend',
    retry: 'poging {n} mislukt, opnieuw om {time}', outboxText: 'Er is geen mailserver ingesteld; het bericht ligt in de map outbox.', failures: '{n} niet bezorgd',
    mailProblem: 'E-mail aan de klant kwam niet aan: {why}', older: 'Oudere worden niet getoond.',
    ratings: 'Waardering', ratingsText: 'Duim omhoog of omlaag, opgeteld in blokken van tien gesprekken. Nooit per gesprek of persoon.',
    tooFew: 'Te weinig om te tonen: minder dan {n} gesprekken', rated: '{up} van {all} duim omhoog ({percent})', ratingsEmpty: 'Er zijn geen showrooms.',
    usage: '{n} gesprekken van gemiddeld {minutes} min, {photos} foto’s, {clips} clips',
    sessions: 'Waar u bent ingelogd', sessionsText: 'Herkent u iets niet? Beëindig die sessie en vraag om een nieuw wachtwoord.',
    thisOne: 'Deze browser', used: 'laatst gebruikt {time}', begun: 'begonnen {time}', until: 'uiterlijk tot {time}',
    revoke: 'Beëindigen', revokeOf: 'Sessie beëindigen: {device}', revoked: 'De sessie is beëindigd.', revokeAll: 'Overal uitloggen',
    unknownDevice: 'Onbekend programma',
    loading: 'Bezig met laden', broken: 'Dit kan nu niet worden getoond.',
  },
  de: {
    title: 'Team', showroom: 'Showroom', overview: 'Übersicht',
    forgotten: 'Passwort vergessen? Wer den Showroom verwaltet, kann ein neues setzen.',
    ended: 'Sie sind abgemeldet, weil Sie Ihre Sitzung beendet haben, weil sie abgelaufen ist oder weil jemand sie widerrufen hat. Bitte melden Sie sich erneut an.',
    offline: 'Keine Verbindung zum Showroom. Was Sie sehen, ist von {time}. Es wird von selbst weiter versucht.',
    advisor: 'Beratung', manager: 'Leitung', all: 'Alle Showrooms',
    unassigned: 'Sie sind keinem Showroom zugeordnet. Wer den Showroom verwaltet, kann das tun.',
    live: 'Gespräche jetzt', liveText: 'Wer spricht und wie es läuft. Bild und Ton lassen sich hier nicht verfolgen.', liveEmpty: 'Im Moment gibt es kein Gespräch.',
    since: 'seit {time}', glasses: 'Brille {name}', viewers: '{n} schauen zu', viewer: '1 schaut zu', noViewers: 'niemand schaut zu',
    now: 'Direktes Gespräch', booked: 'Termin',
    networkGood: 'Verbindung gut', networkPoor: 'Verbindung schwach', networkFrozen: 'Bild steht still',
    today: 'Termine heute', todayEmpty: 'Heute gibt es keine Termine.',
    stateBooked: 'Geplant', stateWaiting: 'Kunde wartet', stateRinging: 'Es klingelt', stateConnecting: 'Verbindet', stateLive: 'Im Gespräch',
    stateDone: 'Beendet', stateMissed: 'Nicht erschienen', stateCancelled: 'Abgesagt',
    sent: 'Gesendete Fotos und Clips', sentText: 'Was Kunden sich in den letzten {days} Tagen mailen ließen.', sentEmpty: 'Es wurde nichts gesendet.',
    items: '{n} Dateien', item: '1 Datei', to: 'an {to}',
    mailQueued: 'In der Warteschlange', mailSent: 'Gesendet', mailOutbox: 'In der Outbox', mailFailed: 'Nicht zugestellt', mailGone: 'Nicht mehr bekannt',
    retry: 'Versuch {n} gescheitert, der nächste um {time}', outboxText: 'Es ist kein Mailserver eingerichtet; die Nachricht liegt im Verzeichnis outbox.', failures: '{n} nicht zugestellt',
    mailProblem: 'E-Mail an den Kunden kam nicht an: {why}', older: 'Ältere werden nicht gezeigt.',
    ratings: 'Bewertungen', ratingsText: 'Daumen hoch oder runter, zusammengezählt in Blöcken von zehn Gesprächen. Nie für ein Gespräch oder eine Person.',
    tooFew: 'Zu wenige, um sie zu zeigen: weniger als {n} Gespräche', rated: '{up} von {all} Daumen hoch ({percent})', ratingsEmpty: 'Es gibt keine Showrooms.',
    usage: '{n} Gespräche von im Mittel {minutes} min, {photos} Fotos, {clips} Clips',
    sessions: 'Wo Sie angemeldet sind', sessionsText: 'Etwas kommt Ihnen fremd vor? Beenden Sie die Sitzung und bitten Sie um ein neues Passwort.',
    thisOne: 'Dieser Browser', used: 'zuletzt benutzt {time}', begun: 'begonnen {time}', until: 'spätestens bis {time}',
    revoke: 'Beenden', revokeOf: 'Sitzung beenden: {device}', revoked: 'Die Sitzung ist beendet.', revokeAll: 'Überall abmelden',
    unknownDevice: 'Unbekanntes Programm',
    loading: 'Wird geladen', broken: 'Das lässt sich gerade nicht zeigen.',
  },
  en: {
    title: 'Team', showroom: 'Showroom', overview: 'Overview',
    forgotten: 'Forgotten your password? Whoever manages the showroom can set a new one.',
    ended: 'You are logged out, because you ended your session, because it ran out or because somebody revoked it. Please log in again.',
    offline: 'No connection to the showroom. What you see is of {time}. Trying again by itself.',
    advisor: 'advisor', manager: 'manager', all: 'All showrooms',
    unassigned: 'You are not assigned to a showroom. Whoever manages it can do that.',
    live: 'Conversations now', liveText: 'Who is talking and how it goes. Picture and sound cannot be followed here.', liveEmpty: 'There is no conversation at the moment.',
    since: 'since {time}', glasses: 'glasses {name}', viewers: '{n} viewers', viewer: '1 viewer', noViewers: 'no viewers',
    now: 'Talk now', booked: 'Appointment',
    networkGood: 'network good', networkPoor: 'network poor', networkFrozen: 'picture frozen',
    today: 'Appointments today', todayEmpty: 'There are no appointments today.',
    stateBooked: 'Booked', stateWaiting: 'Customer waits', stateRinging: 'Ringing', stateConnecting: 'Connecting', stateLive: 'Talking',
    stateDone: 'Done', stateMissed: 'Did not come', stateCancelled: 'Cancelled',
    sent: 'Photos and clips sent', sentText: 'What customers had e-mailed to them in the last {days} days.', sentEmpty: 'Nothing was sent.',
    items: '{n} items', item: '1 item', to: 'to {to}',
    mailQueued: 'Queued', mailSent: 'Sent', mailOutbox: 'In the outbox', mailFailed: 'Not delivered', mailGone: 'No longer known',
    retry: 'attempt {n} failed, the next is at {time}', outboxText: 'No mail server is set up; the message is in the directory outbox.', failures: '{n} not delivered',
    mailProblem: 'E-mail to the customer did not arrive: {why}', older: 'Older ones are not shown.',
    ratings: 'Ratings', ratingsText: 'Thumbs up or down, added up in blocks of ten conversations. Never of one conversation or person.',
    tooFew: 'Too few to show: fewer than {n} conversations', rated: '{up} of {all} thumbs up ({percent})', ratingsEmpty: 'There are no showrooms.',
    usage: '{n} conversations of {minutes} min on average, {photos} photos, {clips} clips',
    sessions: 'Where you are logged in', sessionsText: 'Is one of these not yours? End it and ask for a new password.',
    thisOne: 'This browser', used: 'last used {time}', begun: 'begun {time}', until: 'until {time} at the latest',
    revoke: 'End', revokeOf: 'End session: {device}', revoked: 'The session is ended.', revokeAll: 'Log out everywhere',
    unknownDevice: 'Unknown program',
    loading: 'Loading', broken: 'This cannot be shown right now.',
  },
};

/** Days for which what was sent is listed. */
export const SENT_DAYS = 14;

/** The words of one language, and how it writes what this page shows. */
export class Language extends Words {
  constructor() { super(WORDS, {days: SENT_DAYS}); }

  day(time, timeZone) {
    return new Intl.DateTimeFormat(this.region, {weekday: 'long', day: 'numeric', month: 'long', timeZone}).format(new Date(time));
  }

  percent(share) {
    return new Intl.NumberFormat(this.region, {style: 'percent', maximumFractionDigits: 0}).format(share);
  }
}
