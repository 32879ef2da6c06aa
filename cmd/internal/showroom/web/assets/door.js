// The door of a page that only some may see, and what every page behind one does: it
// says when it last heard of the server, and leaves a session alone that nobody uses.

import {find} from './dom.js';
import {ask, Refusal} from './staff-api.js';

const TOUCHED = 60_000; // ms for which somebody counts as there after a touch

export class Door {
  me = null; // who is logged in
  #page;
  #language;
  #why = '';
  #touchedAt = 0;
  #seenAt = 0; // when the server last answered, Unix ms

  /**
   * page has what goes on behind the door:
   *   state(word)  'door' or 'desk' is to be seen
   *   refuses(me)  the word that says why somebody is not let in, or ''
   *   open(me)     somebody came in
   *   close()      nobody is there any longer: forget what was shown
   *   look()       somebody looks again, after the page was hidden
   *   translate()  the language changed
   */
  constructor(language, page) {
    this.#language = language;
    this.#page = page;
    find('language').value = language.tag;
    find('login').addEventListener('submit', (event) => this.#login(event));
    find('language').addEventListener('change', () => this.#translate());
    for (const touch of ['pointerdown', 'keydown', 'wheel']) addEventListener(touch, () => { this.#touchedAt = Date.now(); }, {passive: true});
    document.addEventListener('visibilitychange', () => { if (this.me && !document.hidden) page.look(); });
  }

  /** Whether nobody has touched the page for a while. */
  get idle() { return Date.now() - this.#touchedAt > TOUCHED; }

  /** Opens, where the session's cookie is good. */
  async begin() {
    try {
      await this.#open();
    } catch (error) {
      this.close();
      if (!(error instanceof Refusal && error.status === 401)) this.#wrong(this.refused(error));
    }
  }

  /** Closes; reason is the word that says why, or ''. */
  close(reason = '') {
    this.me = null;
    this.#why = reason;
    this.#page.close();
    find('who').textContent = '';
    find('offline').hidden = true;
    find('password').value = '';
    this.#wrong('');
    this.#show('door');
    this.#sayWhy();
    find(find('name').value ? 'password' : 'name').focus();
  }

  /** Says whether the server answers. */
  reached(yes) {
    if (yes) this.#seenAt = Date.now();
    this.trouble(yes ? '' : this.#language.say('offline', {time: this.#seenAt ? this.#language.clock(this.#seenAt) : '\u2013'}));
  }

  /** Says above the page what is wrong; '' for nothing. */
  trouble(text) {
    find('offline').hidden = !text;
    if (find('offline').textContent !== text) find('offline').textContent = text;
  }

  /** What to say of an error of ask. */
  refused(error) {
    const say = (word, values) => this.#language.say(word, values);
    if (!(error instanceof Refusal)) return say('unreachable');
    if (error.status === 401) return say('wrong');
    if (error.status === 429) return say('patience', {time: this.#language.span(error.retryAfter || 30)});
    if (error.status === 503 && error.retryAfter) return say('busy');
    return say('refused', {detail: error.message});
  }

  async #open() {
    const me = await ask('GET', 'me');
    const refusal = this.#page.refuses(me);
    if (refusal) return this.close(refusal);
    this.me = me;
    find('password').value = '';
    this.#touchedAt = Date.now();
    this.#show('desk');
    await this.#page.open(me);
  }

  async #login(event) {
    event.preventDefault();
    const button = find('enter');
    if (button.ariaDisabled === 'true') return;
    const name = find('name').value.trim();
    const password = find('password').value;
    if (!name || !password) return void this.#wrong(this.#language.say('missing'));
    this.#wrong('');
    button.ariaDisabled = 'true';
    button.textContent = this.#language.say('entering');
    try {
      await ask('POST', 'login', {body: {name, password}});
      this.#why = '';
      await this.#open();
      if (this.me) find('desk-title').focus();
    } catch (error) {
      this.#wrong(this.refused(error));
      find('password').select();
    } finally {
      button.ariaDisabled = 'false';
      button.textContent = this.#language.say('enter');
    }
  }

  #translate() {
    this.#language.choose(find('language').value);
    this.#sayWhy();
    this.#wrong('');
    this.#page.translate();
  }

  #show(state) {
    document.body.dataset.state = state;
    find('door').hidden = state !== 'door';
    find('desk').hidden = state !== 'desk';
    find('logout').hidden = find('who').hidden = state !== 'desk';
    this.#page.state(state);
  }

  #sayWhy() {
    find('why').hidden = !this.#why;
    find('why').textContent = this.#why && this.#language.say(this.#why);
  }

  #wrong(text) {
    find('wrong').textContent = text;
    for (const id of ['name', 'password']) find(id).setAttribute('aria-invalid', String(Boolean(text)));
  }
}
