// Tells the server, for the advisor, how the customer's network does and whether the
// microphone is on.

import {ask} from './api.js';

export class Report {
  #now = {network: 'good', microphone: false};
  #told = {...this.#now}; // what the server takes for granted
  #telling = false;

  constructor(cid) {
    this.url = `/api/conversations/${cid}/status`;
  }

  /** Tells what has changed, or could not be told before. */
  async tell(news = {}) {
    Object.assign(this.#now, news);
    if (this.#telling) return;
    this.#telling = true;
    try {
      while (this.#now.network !== this.#told.network || this.#now.microphone !== this.#told.microphone) {
        const told = {...this.#now};
        await ask('POST', this.url, {body: told});
        this.#told = told;
      }
    } catch { // with the next second
    } finally {
      this.#telling = false;
    }
  }

  /** The server may have forgotten it. */
  again() {
    this.#told = {network: 'good', microphone: false};
  }
}
