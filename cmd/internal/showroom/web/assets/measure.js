// With ?measure in the address: every picture's latency, the sound's at each whole
// second, and the difference, which is the error of the lips.

const PLAUSIBLE = 2000; // ms; more means that the clocks are different machines'
const KEPT = 20000; // values of each kind

export function plausible(ms) {
  return ms >= 0 && ms <= PLAUSIBLE;
}

export function keep(list, value) {
  list.push(value);
  if (list.length > KEPT) list.shift();
}

/** Measures sound and lips from the stream into stats. Needs a clock on this machine. */
export class SoundMeter {
  #recent = []; // [when, latency] of pictures

  constructor(stream, pc, stats) {
    this.stats = stats;
    this.pc = pc;
    this.context = new AudioContext({latencyHint: 'interactive'});
    this.#listen(stream).catch((error) => stats.errors.push(`measure sound: ${error}`));
    this.timer = setInterval(() => this.#askBrowser(), 1000);
  }

  /** Notes a picture's latency, as shown at the moment when, in ms. */
  picture(when, latency) {
    this.#recent.push([when, latency]);
    while (this.#recent[0][0] < when - 1000) this.#recent.shift();
  }

  close() {
    clearInterval(this.timer);
    this.context.close();
  }

  async #listen(stream) {
    await this.context.audioWorklet.addModule('/assets/onset.js');
    const node = new AudioWorkletNode(this.context, 'onset', {numberOfOutputs: 0});
    node.port.onmessage = ({data}) => this.#onset(data);
    this.context.createMediaStreamSource(new MediaStream(stream.getAudioTracks())).connect(node);
    await this.context.resume();
  }

  // The burst began at a whole second; what is past it is the latency.
  #onset(at) {
    const heard = this.#wallClock(at);
    const latency = heard - Math.floor(heard / 1000) * 1000;
    if (latency > 900) return; // before its time: another sound
    keep(this.stats.soundLatencies, latency);
    const pictures = this.#recent.map(([, value]) => value).sort((a, b) => a - b);
    if (pictures.length > 0) {
      keep(this.stats.lipSync, latency - pictures[pictures.length >> 1]);
    }
  }

  // When a moment of the context's time leaves the loudspeaker, in Unix ms.
  #wallClock(at) {
    const {contextTime, performanceTime} = this.context.getOutputTimestamp();
    return performance.timeOrigin + performanceTime + (at - contextTime) * 1000;
  }

  // The browser's own view: the capture times of what plays now, of both tracks.
  async #askBrowser() {
    const playing = {};
    for (const report of (await this.pc.getStats()).values()) {
      if (report.type === 'inbound-rtp') playing[report.kind] = report.estimatedPlayoutTimestamp;
    }
    if (playing.audio && playing.video) {
      keep(this.stats.browserLipSync, playing.video - playing.audio);
    }
  }
}
