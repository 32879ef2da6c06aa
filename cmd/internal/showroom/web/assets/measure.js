// With ?measure in the address: every picture's latency, the sound's at each whole
// second, and the difference, which is the error of the lips.

import {OnsetFinder} from './onset.js';

const PLAUSIBLE = 2000; // ms; more means that the clocks are different machines'
const KEPT = 20000; // values of each kind
const RECENT = 500; // ms of pictures that a sound is compared with

export function plausible(ms) {
  return ms >= 0 && ms <= PLAUSIBLE;
}

export function keep(list, value) {
  list.push(value);
  if (list.length > KEPT) list.shift();
}

export function now() {
  return performance.timeOrigin + performance.now();
}

/** Measures sound and lips of a stream into stats. Needs a clock on this machine. */
export class SoundMeter {
  #recent = []; // [shown, latency] of pictures
  #finder = new OnsetFinder();
  #device = null; // ms from the browser's mixer to the loudspeaker
  #playout = {totalPlayoutDelay: 0, totalSamplesCount: 0};
  #reader = null;
  #lag = Infinity; // ms, least between a sound's own time and now: the two clocks' offset

  constructor(stream, pc, stats) {
    this.stats = stats;
    this.pc = pc;
    this.#listen(stream.getAudioTracks()[0]).catch((error) => stats.errors.push(`measure sound: ${error}`));
    this.timer = setInterval(() => this.#ask(), 500);
  }

  /** Notes a picture that the display shows at the moment shown, latency ms after it was made. */
  picture(shown, latency) {
    this.#recent.push([shown, latency]);
    while (this.#recent[0][0] < shown - RECENT) this.#recent.shift();
  }

  close() {
    clearInterval(this.timer);
    this.#reader?.cancel();
  }

  // Sound comes here as the mixer takes it from the jitter buffer: what is left is
  // the way to the loudspeaker, which the browser reports. (Web Audio would add
  // queues of its own, which nobody hears.) A sound's own time says when the mixer
  // took it, however busy this thread was when it got here.
  async #listen(track) {
    this.#reader = new MediaStreamTrackProcessor({track}).readable.getReader();
    for (;;) {
      const {value: sound, done} = await this.#reader.read();
      if (done) return;
      this.#lag = Math.min(this.#lag, now() - sound.timestamp / 1000);
      const at = this.#lag + sound.timestamp / 1000;
      const samples = new Float32Array(sound.numberOfFrames);
      sound.copyTo(samples, {planeIndex: 0, format: 'f32-planar'});
      const onset = this.#finder.find(samples, sound.sampleRate);
      sound.close();
      if (onset !== null && this.#device !== null) this.#onset(at + onset * 1000 + this.#device);
    }
  }

  // The burst began at a whole second; what is past it is the latency.
  #onset(heard) {
    const latency = heard - Math.floor(heard / 1000) * 1000;
    if (latency > 900 || this.#recent.length === 0) return; // another sound, or before its time
    keep(this.stats.soundLatencies, latency);
    const pictures = this.#recent.map(([, value]) => value).sort((a, b) => a - b);
    keep(this.stats.lipSync, latency - pictures[pictures.length >> 1]);
  }

  async #ask() {
    const playing = {};
    for (const report of (await this.pc.getStats()).values()) {
      if (report.type === 'inbound-rtp') playing[report.kind] = report.estimatedPlayoutTimestamp;
      if (report.type === 'media-playout') this.#follow(report);
    }
    // The browser's own view: the capture times of what plays now, of both tracks.
    if (playing.audio && playing.video) {
      keep(this.stats.browserLipSync, playing.video - playing.audio);
    }
  }

  // Mean of the time since last asked; the report's own unit is seconds by samples.
  #follow(report) {
    const samples = report.totalSamplesCount - this.#playout.totalSamplesCount;
    if (samples <= 0) return;
    this.#device = 1000 * (report.totalPlayoutDelay - this.#playout.totalPlayoutDelay) / samples;
    this.#playout = report;
  }
}
