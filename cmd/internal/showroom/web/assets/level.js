// The level of the customer's own microphone, drawn beside its switch. The sound
// goes nowhere but into a number.

const EVERY = 50; // ms
const FLOOR = -60; // dB; shown as nothing
const FALL = 0.85; // of the level before, where it gets quieter: the eye needs time
const SILENCE = 6000; // ms without a sound after which the customer is told

export class Level {
  #context = null;
  #timer = 0;
  #level = 0;

  /** draw(level) from 0 to 1; silent(is) when nothing is heard for a while, and when it is again. */
  constructor(draw, silent) {
    this.draw = draw;
    this.silent = silent;
  }

  /** Of which it is. */
  stream = null;

  follow(stream) {
    this.stop();
    this.stream = stream;
    const context = this.#context = new AudioContext();
    context.resume().catch(() => {}); // where it may not run, the bar stays empty
    const analyser = context.createAnalyser();
    analyser.fftSize = 1024;
    context.createMediaStreamSource(stream).connect(analyser);
    const samples = new Float32Array(analyser.fftSize);
    let heard = performance.now();
    this.#timer = setInterval(() => {
      analyser.getFloatTimeDomainData(samples);
      const level = levelOf(samples);
      this.#level = Math.max(level, this.#level * FALL);
      this.draw(this.#level);
      if (level > 0) heard = performance.now();
      if (context.state === 'running') this.silent(performance.now() - heard > SILENCE);
    }, EVERY);
  }

  stop() {
    clearInterval(this.#timer);
    this.#context?.close();
    this.#context = this.stream = null;
    this.#level = 0;
    this.draw(0);
  }
}

/** Loudness from 0 (silence) to 1 (full scale), as the ear has it. */
export function levelOf(samples) {
  const power = samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length;
  return power === 0 ? 0 : Math.min(1, Math.max(0, 1 - 10 * Math.log10(power) / FLOOR));
}
