// What the server says of the conversation: a stream of server-sent events, so
// that a waiting page costs nothing and knows at once.

import {Backoff} from './backoff.js';

/**
 * Follows a conversation until stop() is called.
 * on.connected() comes first, and again when the stream had been lost;
 * on.state({state, publication, server}) then, and with each change;
 * on.call({state, reason, retry_at}) at first and with each change, where it is a call;
 * on.media({items, show}) when a photo or clip has been stored;
 * on.offline() when the server is not reached; on.refused() when it wants a key.
 */
export class Events {
  #source = null;
  #timer = 0;
  #stopped = false;
  #backoff = new Backoff(300, 4000);

  constructor(name, on) {
    this.url = `/api/sessions/${name}/events`;
    this.on = on;
    this.#open();
  }

  stop() {
    this.#stopped = true;
    clearTimeout(this.#timer);
    this.#source?.close();
    this.#source = null;
  }

  /** The network is another one: the stream may be dead without knowing. */
  renew() {
    this.stop();
    this.#backoff.reset();
    this.#open();
  }

  #open() {
    this.#stopped = false;
    const source = new EventSource(this.url);
    this.#source = source;
    source.onmessage = (event) => {
      this.#backoff.reset();
      this.on.state(JSON.parse(event.data));
    };
    source.onopen = () => this.on.connected();
    source.addEventListener('call', (event) => this.on.call(JSON.parse(event.data)));
    source.addEventListener('media', (event) => this.on.media(JSON.parse(event.data)));
    source.onerror = () => this.#failed(source);
  }

  // An EventSource does not tell a refusal from a server that is away, and its
  // own pace of trying again is slow: ask, and open a new one.
  async #failed(source) {
    source.close();
    if (source !== this.#source) return;
    this.#source = null;
    this.on.offline();
    const refused = await this.#isRefused();
    if (this.#source || this.#stopped) return; // renewed meanwhile, or of no use any more
    if (refused) {
      this.on.refused();
      return;
    }
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#open(), this.#backoff.next());
  }

  async #isRefused() {
    const cut = new AbortController();
    try {
      const answer = await fetch(this.url, {signal: cut.signal, cache: 'no-store'});
      return answer.status === 401;
    } catch {
      return false;
    } finally {
      cut.abort();
    }
  }
}
