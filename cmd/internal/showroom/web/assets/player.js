// Keeps a WHEP session while there is something to play, whatever happens to the
// network, the server or the publisher.

import {Backoff} from './backoff.js';
import {NotNow, Session} from './whep.js';

const PATIENCE = 2500; // ms that a broken link may take to mend itself
const STALL = 4000; // ms without a picture, while one should come

export class Player {
  #session = null;
  #wanted = false;
  #starting = false;
  #timer = 0;
  #watchdog = 0;
  #backoff = new Backoff(250, 8000);
  #lastFrame = 0;

  /** on.stream(stream), on.link(state), on.refused() */
  constructor(endpoint, on) {
    this.endpoint = endpoint;
    this.on = on;
    this.attempts = 0;
    this.#prepare();
  }

  get pc() {
    return this.#session?.pc ?? null;
  }

  /** There is something to play. The call may be repeated. */
  play() {
    this.#wanted = true;
    if (!this.#starting && !this.#timer && !this.#isUp()) this.#start();
  }

  /** There is nothing to play. A session that stands is kept for its return. */
  rest() {
    this.#wanted = false;
    this.#again(null);
    clearTimeout(this.#watchdog);
  }

  /** The session is of no use any more, begin a new one. */
  renew() {
    this.#prepare();
    this.#backoff.reset();
    this.#again(null);
    if (this.#wanted) this.#start();
  }

  /** A picture was shown. */
  sawFrame() {
    this.#lastFrame = performance.now();
    this.#backoff.reset();
  }

  /** A picture is expected from now on, or none. */
  expectFrames(expected) {
    clearInterval(this.#watchdog);
    if (!expected) return;
    this.#lastFrame = performance.now();
    this.#watchdog = setInterval(() => {
      if (!document.hidden && performance.now() - this.#lastFrame > STALL) {
        this.#lastFrame = performance.now();
        this.renew();
      }
    }, 1000);
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
    const session = this.#session = new Session(this.endpoint, {
      onStream: (stream) => this.on.stream(stream),
      onLink: (state) => session === this.#session && this.#link(state),
    });
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
    if (error instanceof NotNow && (error.status === 401 || error.status === 403)) {
      this.on.refused();
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
