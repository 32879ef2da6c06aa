// The live picture: its shape, its latency, its sound, and what tests and support
// want to know of it.

import {find} from './dom.js';
import {keep, now, plausible, SoundMeter} from './measure.js';
import {TimecodeReader} from './timecode.js';
import {put} from './words.js';

const SHOWN_EVERY = 250; // ms between two figures of the latency

export class Picture {
  #measuring = new URLSearchParams(location.search).has('measure');
  #reader = new TimecodeReader();
  #meter = null;
  #shownAt = 0;

  /** on.frame() with each picture that is shown. */
  constructor(stats, on) {
    this.video = find('picture');
    this.stats = stats;
    this.on = on;
    find('sound').addEventListener('click', () => this.hear(this.video.muted));
    find('full').addEventListener('click', () => this.#toggleFull());
    this.video.requestVideoFrameCallback((_, metadata) => this.#frame(metadata));
  }

  static isPossible() {
    return 'RTCPeerConnection' in window && 'requestVideoFrameCallback' in HTMLVideoElement.prototype;
  }

  attach(stream, pc) {
    this.stats.sessions++;
    this.stats.pc = pc;
    this.video.srcObject = stream;
    this.#start();
    if (!this.#measuring) return;
    this.#meter?.close();
    this.#meter = new SoundMeter(stream, pc, this.stats);
  }

  /** Turns the sound on or off: on needs a tap, which may come before the picture. */
  hear(wanted) {
    this.video.muted = !wanted;
    this.#start();
    find('sound').ariaPressed = String(wanted);
    put(find('sound-label'), wanted ? 'sound.on' : 'sound.off');
  }

  drop() {
    this.#meter?.close();
    this.video.srcObject = null;
  }

  #start() {
    this.video.play().catch((error) => {
      if (error.name !== 'NotAllowedError') return;
      // Sound wants a tap of its own; a browser that saves power, even a silent picture.
      if (!this.video.muted) this.hear(false);
      find('sound').hidden = false;
    });
  }

  #frame(metadata) {
    const {stats} = this;
    const at = now();
    stats.framesDecoded++;
    stats.lastFrameAt = at;
    if (!stats.firstFrameAt) stats.firstFrameAt = at;
    if (stats.width !== metadata.width || stats.height !== metadata.height) this.#shape(metadata);
    if (!('picture' in document.body.dataset)) this.#appear();
    this.on.frame();
    if (this.#measuring || at - this.#shownAt > SHOWN_EVERY) this.#clock(at, metadata);
    this.video.requestVideoFrameCallback((_, next) => this.#frame(next));
  }

  #appear() {
    document.body.dataset.picture = '';
    find('sound').hidden = false;
    find('full').hidden = !this.#canFill();
  }

  #shape({width, height}) {
    Object.assign(this.stats, {width, height});
    find('stage').style.setProperty('--shape', (width / height).toFixed(4));
    document.body.toggleAttribute('data-upright', height > width);
  }

  #clock(at, metadata) {
    const {stats} = this;
    const made = this.#reader.read(this.video);
    const latency = at - made;
    if (made === null || !plausible(latency)) {
      find('latency').hidden = true;
      return;
    }
    if (this.#measuring) {
      keep(stats.latencies, latency);
      const shown = performance.timeOrigin + metadata.expectedDisplayTime;
      keep(stats.displayLatencies, shown - made);
      this.#meter?.picture(shown, shown - made);
    }
    if (at - this.#shownAt > SHOWN_EVERY) {
      this.#shownAt = at;
      find('latency').hidden = false;
      put(find('latency'), 'latency', {ms: Math.round(latency)});
    }
  }

  #canFill() {
    return Boolean(document.fullscreenEnabled || this.video.webkitEnterFullscreen);
  }

  #toggleFull() {
    if (document.fullscreenElement) document.exitFullscreen();
    else if (document.fullscreenEnabled) find('stage').requestFullscreen();
    else this.video.webkitEnterFullscreen(); // iPhone
  }
}
