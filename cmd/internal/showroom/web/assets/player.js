// The conversation's picture and sound.

import {Line} from './line.js';
import {Session} from './session.js';

const STALL = 4000; // ms without a picture, while one should come

export class Player extends Line {
  #watchdog = 0;
  #lastFrame = 0;

  /** on.stream(stream), on.link(state), on.refused() */
  constructor(endpoint, on) {
    super((onLink) => new Session(endpoint, (pc) => receive(pc, on.stream), onLink), on);
  }

  rest() {
    super.rest();
    clearTimeout(this.#watchdog);
  }

  /** A picture was shown. */
  sawFrame() {
    this.#lastFrame = performance.now();
    this.works();
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
}

function receive(pc, onStream) {
  const stream = new MediaStream();
  for (const kind of ['video', 'audio']) {
    const {receiver} = pc.addTransceiver(kind, {direction: 'recvonly'});
    showAtOnce(receiver);
    stream.addTrack(receiver.track);
  }
  pc.ontrack = () => {
    pc.ontrack = null; // once for both tracks
    onStream(stream);
  };
}

// A showroom visit is a conversation: better a late packet lost than all others late.
function showAtOnce(receiver) {
  if ('jitterBufferTarget' in receiver) receiver.jitterBufferTarget = 0;
  if ('playoutDelayHint' in receiver) receiver.playoutDelayHint = 0;
}
