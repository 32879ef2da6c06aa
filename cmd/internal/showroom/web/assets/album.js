// What was taken in a conversation, as the server has it.

import {Backoff} from './backoff.js';
import {time} from './words.js';

const TRIES = 6; // then the next news are waited for

/** Asks for the list when told to, and again where that fails. on.list(items), newest first. */
export class Album {
  #asking = false;
  #outdated = false;
  #timer = 0;
  #failed = 0;
  #backoff = new Backoff(500, 15000);

  constructor(name, on) {
    this.url = `/api/sessions/${name}/media`;
    this.on = on;
  }

  /** There may be something new. */
  refresh() {
    this.#failed = 0;
    this.#backoff.reset();
    this.#start();
  }

  // What comes while an answer is awaited is asked for after it.
  async #start() {
    this.#outdated = true;
    if (this.#asking) return;
    clearTimeout(this.#timer);
    this.#asking = true;
    while (this.#outdated && await this.#ask());
    this.#asking = false;
    if (this.#outdated && ++this.#failed < TRIES) this.#timer = setTimeout(() => this.#start(), this.#backoff.next());
  }

  // Says whether there was an answer. A refusal is one: asking again changes nothing.
  async #ask() {
    this.#outdated = false;
    let items;
    try {
      const answer = await fetch(this.url, {cache: 'no-store', signal: AbortSignal.timeout(8000)});
      if (answer.status >= 500) throw new Error(answer.statusText);
      items = answer.ok ? (await answer.json()).items : null;
    } catch {
      this.#outdated = true;
      return false;
    }
    if (items) this.on.list(newestFirst(items));
    return true;
  }
}

function newestFirst(items) {
  return [...items].sort((a, b) => Date.parse(b.taken_at) - Date.parse(a.taken_at));
}

/** When it was taken, in the customer's own zone and way of writing; empty when not known. */
export function timeOf({taken_at: at}) {
  const taken = new Date(at);
  return taken.getFullYear() < 2020 || Number.isNaN(taken.valueOf()) ? '' : time(taken, {hour: 'numeric', minute: '2-digit'});
}

/** What to call it: the text's key and values. */
export function title(item) {
  const key = item.kind === 'clip' ? 'item.clip' : 'item.photo';
  return timeOf(item) ? [`${key}.at`, {time: () => timeOf(item)}] : [key];
}
