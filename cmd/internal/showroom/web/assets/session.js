// One WHEP or WHIP session (draft-ietf-wish-whep, RFC 9725): an offer, its answer,
// and the end.

/** Thrown when the server has nothing to play, or no room; retryAfter is in ms. */
export class NotNow extends Error {
  constructor(status, retryAfter) {
    super(`the server answered ${status}`);
    this.status = status;
    this.retryAfter = retryAfter;
  }
}

export class Session {
  #resource = null;
  #closed = false;
  askedAt = -Infinity; // when start() called the server

  /** prepare(pc) says what is to be sent or received; onLink(state) as the connection changes. */
  constructor(endpoint, prepare, onLink) {
    this.endpoint = endpoint;
    this.onLink = onLink;
    const pc = this.pc = new RTCPeerConnection({bundlePolicy: 'max-bundle'});
    prepare(pc);
    pc.onconnectionstatechange = () => this.#closed || onLink(pc.connectionState);
    // Made while waiting for the other side: its keys take time, and an offer keeps.
    this.prepared = pc.createOffer().then((offer) => pc.setLocalDescription(offer));
    this.prepared.catch(() => {}); // start() tells
  }

  /**
   * Connects. Candidates are not waited for: the server is an ICE lite agent and
   * learns this side's address from its checks.
   */
  async start() {
    await this.prepared;
    this.askedAt = performance.now();
    const answer = await fetch(this.endpoint, {
      method: 'POST',
      headers: {'Content-Type': 'application/sdp'},
      body: this.pc.localDescription.sdp,
      signal: AbortSignal.timeout(8000),
    });
    if (!answer.ok) {
      throw new NotNow(answer.status, 1000 * Number(answer.headers.get('Retry-After') ?? 0));
    }
    this.#resource = new URL(answer.headers.get('Location'), answer.url);
    const sdp = await answer.text();
    if (this.#closed) {
      this.#delete();
      return;
    }
    await this.pc.setRemoteDescription({type: 'answer', sdp});
    // The server ends a session by closing DTLS, which is no state of the connection.
    const {transport} = this.pc.getReceivers()[0];
    transport.onstatechange = () => {
      if (!this.#closed && transport.state === 'closed') this.onLink('closed');
    };
  }

  close() {
    if (this.#closed) return;
    this.#closed = true;
    this.pc.close();
    this.#delete();
  }

  #delete() {
    if (!this.#resource) return;
    // keepalive: also while the page is being left.
    fetch(this.#resource, {method: 'DELETE', keepalive: true}).catch(() => {});
    this.#resource = null;
  }
}
