// Every word of the staff's page, in Dutch, German and English. A test compares
// the keys. In texts, {x} stands for a value.

export const WORDS = {
  nl: {
    title: 'Team', skip: 'Naar de inhoud', language: 'Taal', showroom: 'Showroom', overview: 'Overzicht',
    login: 'Inloggen', name: 'Naam', password: 'Wachtwoord', enter: 'Inloggen', entering: 'Bezig met inloggen', logout: 'Uitloggen',
    forgotten: 'Wachtwoord vergeten? De beheerder van de showroom kan een nieuw wachtwoord instellen.',
    ended: 'U bent uitgelogd, omdat u uw sessie hebt beëindigd, omdat die verlopen is of omdat iemand haar heeft ingetrokken. Log opnieuw in.',
    left: 'U bent uitgelogd.',
    wrong: 'Deze naam en dit wachtwoord horen niet bij elkaar.', missing: 'Vul naam en wachtwoord in.',
    patience: 'Te veel pogingen. Probeer het over {time} opnieuw.',
    busy: 'De server heeft het druk. Probeer het zo opnieuw.',
    unreachable: 'De server is niet bereikbaar. Probeer het opnieuw.',
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
    failed: 'Dat is niet gelukt: {detail}', unknownDevice: 'Onbekend programma',
    loading: 'Bezig met laden', broken: 'Dit kan nu niet worden getoond.',
  },
  de: {
    title: 'Team', skip: 'Zum Inhalt', language: 'Sprache', showroom: 'Showroom', overview: 'Übersicht',
    login: 'Anmelden', name: 'Name', password: 'Passwort', enter: 'Anmelden', entering: 'Anmeldung läuft', logout: 'Abmelden',
    forgotten: 'Passwort vergessen? Wer den Showroom verwaltet, kann ein neues setzen.',
    ended: 'Sie sind abgemeldet, weil Sie Ihre Sitzung beendet haben, weil sie abgelaufen ist oder weil jemand sie widerrufen hat. Bitte melden Sie sich erneut an.',
    left: 'Sie sind abgemeldet.',
    wrong: 'Dieser Name und dieses Passwort gehören nicht zusammen.', missing: 'Bitte Name und Passwort eingeben.',
    patience: 'Zu viele Versuche. Bitte in {time} noch einmal versuchen.',
    busy: 'Der Server ist beschäftigt. Bitte gleich noch einmal versuchen.',
    unreachable: 'Der Server ist nicht erreichbar. Bitte noch einmal versuchen.',
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
    failed: 'Das ist nicht gelungen: {detail}', unknownDevice: 'Unbekanntes Programm',
    loading: 'Wird geladen', broken: 'Das lässt sich gerade nicht zeigen.',
  },
  en: {
    title: 'Team', skip: 'Skip to the content', language: 'Language', showroom: 'Showroom', overview: 'Overview',
    login: 'Log in', name: 'Name', password: 'Password', enter: 'Log in', entering: 'Logging in', logout: 'Log out',
    forgotten: 'Forgotten your password? Whoever manages the showroom can set a new one.',
    ended: 'You are logged out, because you ended your session, because it ran out or because somebody revoked it. Please log in again.',
    left: 'You are logged out.',
    wrong: 'This name and this password do not belong together.', missing: 'Please enter name and password.',
    patience: 'Too many attempts. Please try again in {time}.',
    busy: 'The server is busy. Please try again in a moment.',
    unreachable: 'The server cannot be reached. Please try again.',
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
    failed: 'That did not work: {detail}', unknownDevice: 'Unknown program',
    loading: 'Loading', broken: 'This cannot be shown right now.',
  },
};

const REGIONS = {nl: 'nl-NL', de: 'de-DE', en: 'en-GB'}; // how times are written

/** Days for which what was sent is listed. */
export const SENT_DAYS = 14;

/** The words of one language, and how it writes times. */
export class Language {
  /** Begins with what the address asks for, else with what the browser prefers. */
  constructor() {
    const wanted = [new URLSearchParams(location.search).get('lang') ?? '', ...navigator.languages];
    this.use(wanted.map((tag) => tag.toLowerCase().split('-')[0]).find((tag) => Object.hasOwn(WORDS, tag)) ?? 'en');
  }

  /** Takes another one, also when the page is loaded anew. Nothing is kept in the browser. */
  choose(tag) {
    this.use(tag);
    history.replaceState(null, '', `?lang=${tag}`);
  }

  use(tag) {
    this.tag = tag;
    this.region = REGIONS[tag];
    document.documentElement.lang = tag;
    document.title = this.say('title') + ' \u2013 Bril';
    for (const element of document.querySelectorAll('[data-word]')) element.textContent = this.say(element.dataset.word, {days: SENT_DAYS});
  }

  say(key, values = {}) {
    return WORDS[this.tag][key].replace(/\{(\w+)\}/g, (_, name) => values[name] ?? '');
  }

  /** A time of day where the showroom is. */
  clock(time, timeZone) {
    return new Intl.DateTimeFormat(this.region, {hour: '2-digit', minute: '2-digit', timeZone}).format(new Date(time));
  }

  day(time, timeZone) {
    return new Intl.DateTimeFormat(this.region, {weekday: 'long', day: 'numeric', month: 'long', timeZone}).format(new Date(time));
  }

  moment(time, timeZone) {
    return new Intl.DateTimeFormat(this.region, {day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit', timeZone}).format(new Date(time));
  }

  /** Seconds, in the unit that suits. */
  span(seconds) {
    const [unit, value] = seconds < 90 ? ['second', seconds] : ['minute', Math.ceil(seconds / 60)];
    return new Intl.NumberFormat(this.region, {style: 'unit', unit, unitDisplay: 'long'}).format(value);
  }

  percent(share) {
    return new Intl.NumberFormat(this.region, {style: 'percent', maximumFractionDigits: 0}).format(share);
  }
}
