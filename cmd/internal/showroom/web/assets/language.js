// What pages behind a door say alike, and how all of them write times.

const REGIONS = {nl: 'nl-NL', de: 'de-DE', en: 'en-GB'}; // how times are written

/** The words of the door, beside which each page has its own. */
export const DOOR = {
  nl: {
    skip: 'Naar de inhoud', language: 'Taal',
    login: 'Inloggen', name: 'Naam', password: 'Wachtwoord', enter: 'Inloggen', entering: 'Bezig met inloggen', logout: 'Uitloggen',
    left: 'U bent uitgelogd.', wrong: 'Deze naam en dit wachtwoord horen niet bij elkaar.', missing: 'Vul naam en wachtwoord in.',
    patience: 'Te veel pogingen. Probeer het over {time} opnieuw.', busy: 'De server heeft het druk. Probeer het zo opnieuw.', unreachable: 'De server is niet bereikbaar. Probeer het opnieuw.',
    refused: 'Dat is niet gelukt: {detail}',
  },
  de: {
    skip: 'Zum Inhalt', language: 'Sprache',
    login: 'Anmelden', name: 'Name', password: 'Passwort', enter: 'Anmelden', entering: 'Anmeldung läuft', logout: 'Abmelden',
    left: 'Sie sind abgemeldet.', wrong: 'Dieser Name und dieses Passwort gehören nicht zusammen.', missing: 'Bitte Name und Passwort eingeben.',
    patience: 'Zu viele Versuche. Bitte in {time} noch einmal versuchen.', busy: 'Der Server ist beschäftigt. Bitte gleich noch einmal versuchen.', unreachable: 'Der Server ist nicht erreichbar. Bitte noch einmal versuchen.',
    refused: 'Das ist nicht gelungen: {detail}',
  },
  en: {
    skip: 'Skip to the content', language: 'Language',
    login: 'Log in', name: 'Name', password: 'Password', enter: 'Log in', entering: 'Logging in', logout: 'Log out',
    left: 'You are logged out.', wrong: 'This name and this password do not belong together.', missing: 'Please enter name and password.',
    patience: 'Too many attempts. Please try again in {time}.', busy: 'The server is busy. Please try again in a moment.', unreachable: 'The server cannot be reached. Please try again.',
    refused: 'That did not work: {detail}',
  },
};

/** The words of one language, and how it writes times. */
export class Language {
  /**
   * Begins with what the address asks for, else with what the browser prefers. words are
   * those of the page by language, values what stands for {x} in those of its HTML.
   */
  constructor(words, values = {}) {
    this.words = words;
    this.values = values;
    const wanted = [new URLSearchParams(location.search).get('lang') ?? '', ...navigator.languages];
    this.use(wanted.map((tag) => tag.toLowerCase().split('-')[0]).find((tag) => Object.hasOwn(words, tag)) ?? 'en');
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
    for (const element of document.querySelectorAll('[data-word]')) element.textContent = this.say(element.dataset.word, this.values);
  }

  say(key, values = {}) {
    return (this.words[this.tag][key] ?? DOOR[this.tag][key]).replace(/\{(\w+)\}/g, (_, name) => values[name] ?? '');
  }

  /** A time of day, in a time zone or that of the browser. */
  clock(time, timeZone) {
    return new Intl.DateTimeFormat(this.region, {hour: '2-digit', minute: '2-digit', timeZone}).format(new Date(time));
  }

  moment(time, timeZone) {
    return new Intl.DateTimeFormat(this.region, {day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit', timeZone}).format(new Date(time));
  }

  /** Seconds, in the unit that suits. */
  span(seconds) {
    const [unit, value] = seconds < 90 ? ['second', seconds] : ['minute', Math.ceil(seconds / 60)];
    return new Intl.NumberFormat(this.region, {style: 'unit', unit, unitDisplay: 'long'}).format(value);
  }
}
