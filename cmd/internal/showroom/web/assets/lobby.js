// Before a conversation: what it is, what becomes of what is said in it, and the tap
// that joins.

import {unlock} from './access.js';
import {ask, Refused, trouble} from './api.js';
import {find} from './dom.js';
import {Form} from './form.js';
import {language, link, moment, put, time} from './words.js';

const SOON = 24 * 3600e3; // ms; what is further away is a date, not a countdown

// The server's refusals that the lobby has words for, as its problems name them.
const REFUSALS = ['unknown', 'used', 'expired', 'cancelled', 'early', 'closed', 'busy'];

/** Where the address leads: {showroom} to talk now, {code} of an appointment, {cid}; null for an open room. */
export function routeOf({pathname, search}) {
  const [, kind, name] = /^\/(c|j)\/([^/]+)$/.exec(pathname) ?? [];
  if (kind === 'j') return {code: decodeURIComponent(name)};
  if (kind === 'c' && name === 'now') return {showroom: new URLSearchParams(search).get('showroom') ?? ''};
  return kind === 'c' ? {cid: name} : null;
}

export class Lobby {
  #timer = 0;
  #opens = 0; // when the door opens, in Unix ms; 0 for no waiting

  /**
   * on.tapped() in the tap itself, which may turn on sound; then on.joined(cid).
   * on.over(cid): it has ended. on.locked(): the link is not complete.
   */
  constructor(route, on) {
    this.route = route;
    this.on = on;
    find('join').addEventListener('click', () => this.#join());
    new Form(find('enter'), ({code}) => this.#enter(code));
    document.addEventListener('words', () => this.#tick());
  }

  /** Asks what the address is about. Throws when the server is not reached. */
  async open() {
    try {
      if (this.route.code !== undefined) await this.#enter(this.route.code, location.hash.slice(1));
      else if (this.route.cid) await this.#look(this.route.cid);
      else await this.#present(this.route.showroom);
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      this.#refuse(error);
    }
  }

  close() {
    clearInterval(this.#timer);
  }

  // A mail's link has more behind the #, by which no count of wrong codes holds.
  async #enter(code, more = '') {
    this.route = {code};
    try {
      const joined = await ask('POST', '/api/join', {body: more ? {code, link: more} : {code}});
      this.#become(joined.conversation);
      this.#show(joined);
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      this.#refuse(error);
    }
  }

  async #look(cid) {
    if (location.hash && !await unlock(cid)) return this.on.locked();
    try {
      const conversation = await ask('GET', `/api/conversations/${cid}`);
      if (conversation.state === 'ended') return this.on.over(cid);
      this.#show(conversation);
    } catch (error) {
      if (error instanceof Refused && [401, 403, 404].includes(error.status)) return this.on.locked();
      throw error;
    }
  }

  async #present(id) {
    const {showrooms} = await ask('GET', '/api/showrooms');
    const showroom = showrooms.find((one) => one.id === id) ?? showrooms[0];
    this.route = {showroom: showroom.id};
    this.#show(showroom);
  }

  // The code has done its work: it is not to stay in the address, nor in the history.
  #become(cid) {
    this.route = {cid};
    history.replaceState(null, '', link(`/c/${cid}`));
  }

  #show({title, state, start, time_zone: zone}) {
    Object.assign(this, {state, zone});
    this.#opens = 0;
    this.#draw('ready');
    find('lobby-showroom').textContent = title;
    put(find('lobby-title'), 'lobby.title');
    put(find('lobby-text'), start ? 'lobby.appointment' : 'lobby.text', {when: () => moment(start, zone)});
  }

  async #join() {
    const button = find('join');
    if (button.ariaDisabled === 'true') return;
    this.on.tapped();
    button.ariaDisabled = 'true';
    try {
      if (this.route.showroom !== undefined) {
        const {conversation} = await ask('POST', '/api/calls', {body: {showroom: this.route.showroom, locale: language()}});
        this.#become(conversation);
      } else if (!this.state || this.state === 'booked') {
        await ask('POST', `/api/conversations/${this.route.cid}/ring`);
      }
      this.on.joined(this.route.cid);
    } catch (error) {
      this.#refuse(error);
    } finally {
      button.ariaDisabled = 'false';
    }
  }

  #refuse(error) {
    const why = error.word;
    if (why === 'ended' && this.route.cid) return this.on.over(this.route.cid);
    if (!REFUSALS.includes(why)) {
      this.#draw('ready');
      find('problem').hidden = false;
      return put(find('problem'), ...trouble(error));
    }
    const {opens_at: opens, next_slot: next} = error.problem;
    this.#opens = opens ? Date.parse(opens) : 0;
    this.#draw(why);
    put(find('lobby-title'), `lobby.${why}`);
    put(find('lobby-text'), opens && why === 'closed' ? 'lobby.closed.when' : next && why === 'busy' ? 'lobby.busy.when' : `lobby.${why}.text`,
      {when: () => moment(opens ?? next, this.zone)});
    this.#tick();
    find('lobby-title').focus();
  }

  // The look of the lobby: ready to join, or why not.
  #draw(look) {
    find('lobby').dataset.look = look;
    find('problem').hidden = true;
    clearInterval(this.#timer);
    find('countdown').hidden = look !== 'early';
    if (look === 'early') this.#timer = setInterval(() => this.#tick(), 1000);
  }

  #tick() {
    if (find('lobby').dataset.look !== 'early') return;
    const left = this.#opens - Date.now();
    find('countdown').toggleAttribute('data-far', left > SOON);
    find('countdown').textContent = left > SOON ? time(this.#opens, {dateStyle: 'full', timeStyle: 'short'}) : clock(left);
    if (left > 0 || !this.#opens) return;
    clearInterval(this.#timer);
    this.open().catch(() => this.#again());
  }

  #again() {
    this.#timer = setInterval(() => this.#tick(), 1000);
  }
}

/** What is left, in hours, minutes and seconds: "1:05:09". */
export function clock(ms) {
  const seconds = Math.max(0, Math.ceil(ms / 1000));
  const parts = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  if (parts[0] === 0) parts.shift();
  return parts.map((part, at) => at > 0 ? String(part).padStart(2, '0') : part).join(':');
}
