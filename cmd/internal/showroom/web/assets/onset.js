// Finds the sharp onset of a loud sound over a quiet one: the test tone's burst at
// each whole second.

const BLOCK = 0.001; // s, the resolution
const RISE = 2.2; // times the level before
const FLOOR = 0.01; // below it is silence
const PAUSE = 0.5; // s after an onset before the next can come
const FOLLOW = 0.004; // how fast the level before follows; a burst must not lift it much

export class OnsetFinder {
  #level = 0;
  #sum = 0;
  #filled = 0;
  #time = 0; // s of sound seen
  #last = -1;

  /** Returns at which second of these samples an onset lies, or null. */
  find(samples, sampleRate) {
    const size = Math.round(BLOCK * sampleRate);
    let found = null;
    for (let i = 0; i < samples.length; i++) {
      this.#sum += samples[i] * samples[i];
      if (++this.#filled < size) continue;
      if (this.#rises(this.#time + i / sampleRate)) found ??= (i + 1 - size) / sampleRate;
    }
    this.#time += samples.length / sampleRate;
    return found;
  }

  #rises(at) {
    const rms = Math.sqrt(this.#sum / this.#filled);
    this.#sum = this.#filled = 0;
    const before = this.#level;
    this.#level += (rms - before) * FOLLOW;
    if (rms < FLOOR || before === 0 || rms < RISE * before || at - this.#last < PAUSE) return false;
    this.#last = at;
    return true;
  }
}
