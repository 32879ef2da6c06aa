// The words of the fleet's page beside those of its door, in Dutch, German and English.
// A test compares the keys. In texts, {x} stands for a value.

import {Language as Words} from './language.js';

export const WORDS = {
  nl: {
    title: 'Vloot',
    ended: 'U bent uitgelogd. Log opnieuw in.', managers: 'Deze pagina is voor managers.',
    offline: 'Geen verbinding met de server. Wat u ziet is van {time}. Er wordt vanzelf opnieuw geprobeerd.', noFleet: 'Deze server heeft geen vloot.',
    fleet: 'Vloot {name}', total: 'alle', online: 'online', current: 'actueel', waiting: 'wacht', drift: 'afwijkend', failed: 'mislukt', unmanaged: 'niet beheerd', filter: 'Toon alleen: {word}',
    rollout: 'Uitrol', noRollout: 'Er is nog geen configuratie uitgerold.', bundle: 'bundel {n}', rolloutText: 'bundel {n} voor {audience}, door {author}, {time}: {reason}',
    running: 'loopt', paused: 'gepauzeerd', stopped: 'gestopt', done: 'klaar', superseded: 'vervangen', pause: 'Pauzeren', resume: 'Verdergaan', pauseTitle: 'Bundel {n} pauzeren', resumeTitle: 'Bundel {n} verder uitrollen',
    wave: 'tot {n} %', figures: '{confirmed} van {devices} bevestigd, {offered} bezig, {pending} te gaan, {offline} offline, {failed} mislukt',
    devices: 'Brillen', search: 'Zoek op naam, label of reden', sort: 'Volgorde', status: 'status', runs: 'draait', wants: 'wil', state: 'doet', battery: 'batterij', version: 'versie', seen: 'gezien', reason: 'Reden', why: 'waarom',
    none: 'Er is geen bril die past.', noDevices: 'Er is nog geen bril ingeschreven: showroom token new maakt een token.', more: 'Toon {n} meer', shown: '{n} van {all}', never: 'nooit', nowSeen: 'nu', nothing: 'niets',
    history: 'Geschiedenis', noBundles: 'Nog geen bundels.', pushText: 'Configuratie wordt ondertekend waar de sleutel is, niet hier:', copy: 'Kopiëren', copied: 'Gekopieerd.',
    audit: 'Logboek', intact: 'onveranderd', tampered: 'veranderd', close: 'Sluiten', cancel: 'Annuleren', needReason: 'Zeg waarom; het staat in het logboek.',
    model: 'model', labels: 'labels', problems: 'Problemen', attempted: 'laatste poging', log: 'Laatste regels', effective: 'Configuratie die geldt', hint: 'raad', told: 'De server is op de hoogte.',
  },
  de: {
    title: 'Flotte',
    ended: 'Sie sind abgemeldet. Bitte melden Sie sich erneut an.', managers: 'Diese Seite ist für die Leitung.',
    offline: 'Keine Verbindung zum Server. Was Sie sehen, ist von {time}. Es wird von selbst weiter versucht.', noFleet: 'Dieser Server hat keine Flotte.',
    fleet: 'Flotte {name}', total: 'alle', online: 'online', current: 'aktuell', waiting: 'wartet', drift: 'abweichend', failed: 'gescheitert', unmanaged: 'nicht verwaltet', filter: 'Nur zeigen: {word}',
    rollout: 'Verteilung', noRollout: 'Es wurde noch keine Konfiguration verteilt.', bundle: 'Bündel {n}', rolloutText: 'Bündel {n} für {audience}, von {author}, {time}: {reason}',
    running: 'läuft', paused: 'angehalten', stopped: 'gestoppt', done: 'fertig', superseded: 'ersetzt', pause: 'Anhalten', resume: 'Fortsetzen', pauseTitle: 'Bündel {n} anhalten', resumeTitle: 'Bündel {n} weiter verteilen',
    wave: 'bis {n} %', figures: '{confirmed} von {devices} bestätigt, {offered} dabei, {pending} offen, {offline} offline, {failed} gescheitert',
    devices: 'Brillen', search: 'Nach Name, Label oder Grund suchen', sort: 'Reihenfolge', status: 'Status', runs: 'läuft mit', wants: 'soll', state: 'tut', battery: 'Akku', version: 'Version', seen: 'gesehen', reason: 'Grund', why: 'warum',
    none: 'Keine Brille passt dazu.', noDevices: 'Es ist noch keine Brille eingeschrieben: showroom token new macht ein Token.', more: '{n} mehr zeigen', shown: '{n} von {all}', never: 'nie', nowSeen: 'jetzt', nothing: 'nichts',
    history: 'Verlauf', noBundles: 'Noch keine Bündel.', pushText: 'Konfiguration wird dort unterschrieben, wo der Schlüssel ist, nicht hier:', copy: 'Kopieren', copied: 'Kopiert.',
    audit: 'Protokoll', intact: 'unverändert', tampered: 'verändert', close: 'Schließen', cancel: 'Abbrechen', needReason: 'Bitte sagen, warum; es steht im Protokoll.',
    model: 'Modell', labels: 'Labels', problems: 'Probleme', attempted: 'letzter Versuch', log: 'Letzte Zeilen', effective: 'Konfiguration, die gilt', hint: 'Rat', told: 'Der Server weiß es.',
  },
  en: {
    title: 'Fleet',
    ended: 'You are logged out. Please log in again.', managers: 'This page is for managers.',
    offline: 'No connection to the server. What you see is from {time}. It goes on trying by itself.', noFleet: 'This server has no fleet.',
    fleet: 'Fleet {name}', total: 'all', online: 'online', current: 'current', waiting: 'waiting', drift: 'drift', failed: 'failed', unmanaged: 'unmanaged', filter: 'Show only: {word}',
    rollout: 'Rollout', noRollout: 'No configuration has been rolled out yet.', bundle: 'bundle {n}', rolloutText: 'bundle {n} for {audience}, by {author}, {time}: {reason}',
    running: 'running', paused: 'paused', stopped: 'stopped', done: 'done', superseded: 'superseded', pause: 'Pause', resume: 'Resume', pauseTitle: 'Pause bundle {n}', resumeTitle: 'Resume bundle {n}',
    wave: 'to {n} %', figures: '{confirmed} of {devices} confirmed, {offered} at it, {pending} to go, {offline} offline, {failed} failed',
    devices: 'Glasses', search: 'Search by name, label or reason', sort: 'Order', status: 'status', runs: 'runs', wants: 'wants', state: 'does', battery: 'battery', version: 'version', seen: 'seen', reason: 'Reason', why: 'why',
    none: 'No glasses match.', noDevices: 'No glasses are enrolled yet: showroom token new makes a token.', more: 'Show {n} more', shown: '{n} of {all}', never: 'never', nowSeen: 'now', nothing: 'nothing',
    history: 'History', noBundles: 'No bundles yet.', pushText: 'Configuration is signed where the key is, not here:', copy: 'Copy', copied: 'Copied.',
    audit: 'Audit', intact: 'unchanged', tampered: 'tampered with', close: 'Close', cancel: 'Cancel', needReason: 'Say why; it stands in the audit.',
    model: 'model', labels: 'labels', problems: 'Problems', attempted: 'last attempt', log: 'Last lines', effective: 'Configuration in effect', hint: 'hint', told: 'The server knows.',
  },
};

/** The words of one language, and its times. */
export class Language extends Words {
  constructor() { super(WORDS); }

  moment(time) { return new Intl.DateTimeFormat(this.region, {dateStyle: 'medium', timeStyle: 'short'}).format(new Date(time)); }

  ago(time) {
    const minutes = Math.max(0, (Date.now() - Date.parse(time)) / 60_000);
    const relative = new Intl.RelativeTimeFormat(this.region, {style: 'narrow', numeric: 'auto'});
    if (minutes < 90) return relative.format(-Math.round(minutes), 'minute');
    if (minutes < 48 * 60) return relative.format(-Math.round(minutes / 60), 'hour');
    return relative.format(-Math.round(minutes / 1440), 'day');
  }
}
