// Keeps a session while there is something to send or receive, whatever happens to
// the network, the server or the other side.

import {Backoff} from './backoff.js';
import {NotNow} from './session.js';

const PATIENCE = 2500; // ms that a broken link may take to mend itself

export class Line {
  #session = null;
  #wanted = false;
  #starting = false;
  #timer = 0;
  #backoff = new Backoff(250, 8000);

  /**
   * make(onLink) makes a session; on.link(state), on.refused(status): trying again
   * is of no use, which isFinal(status) decides.
   */
  constructor(make, on, isFinal = (status) => status === 401 || status === 403) {
    this.make = make;
    this.on = on;
    this.isFinal = isFinal;
    this.attempts = 0;
    this.#prepare();
  }

  get pc() {
    return this.#session?.pc ?? null;
  }

  /** The session is wanted. The call may be repeated. */
  play() {
    this.#wanted = true;
    if (!this.#starting && !this.#timer && !this.#isUp()) this.#start();
  }

  /** It is not. A session that stands is kept for its return. */
  rest() {
    this.#wanted = false;
    this.#again(null);
  }

  /** What the server knew before that moment it has forgotten: a restart. */
  forgotten(before) {
    const anew = this.#session?.askedAt > before && (this.#starting || this.#isUp());
    if (!anew) this.renew();
  }

  /** The session is of no use any more, begin a new one. */
  renew() {
    this.#prepare();
    this.works();
    this.#again(null);
    if (this.#wanted) this.#start();
  }

  /** Media flows: the next trouble is a new one. */
  works() {
    this.#backoff.reset();
  }

  close() {
    this.rest();
    this.#session?.close();
    this.#session = null;
  }

  #isUp() {
    return ['connected', 'connecting'].includes(this.#session?.pc.connectionState);
  }

  #prepare() {
    this.#session?.close();
    this.#starting = false;
    const session = this.#session = this.make((state) => session === this.#session && this.#link(state));
  }

  async #start() {
    const session = this.#session;
    this.#starting = true;
    this.attempts++;
    try {
      await session.start();
    } catch (error) {
      if (session === this.#session) this.#refused(error);
      return;
    }
    if (session === this.#session) this.#starting = false;
  }

  #refused(error) {
    this.#prepare();
    if (error instanceof NotNow && this.isFinal(error.status)) {
      this.on.refused(error.status);
      return;
    }
    this.#again(Math.max(error.retryAfter ?? 0, this.#backoff.next()));
  }

  #again(wait) {
    clearTimeout(this.#timer);
    this.#timer = 0;
    if (wait === null) return;
    this.#timer = setTimeout(() => {
      this.#timer = 0;
      if (this.#wanted) this.#start();
    }, wait);
  }

  #link(state) {
    this.on.link(state);
    if (state === 'failed' || state === 'closed') {
      this.#prepare();
      this.#again(this.#wanted ? this.#backoff.next() : null);
    } else if (state === 'disconnected') {
      const session = this.#session;
      setTimeout(() => {
        if (session === this.#session && session.pc.connectionState === 'disconnected') this.renew();
      }, PATIENCE);
    }
  }
}
