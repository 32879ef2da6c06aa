// An AudioWorklet that finds the sharp onset of a loud sound over a quiet one: the
// test tone's burst at each whole second. It posts the sound's moment in the time
// of the AudioContext, in seconds.

const BLOCK = 48; // samples: 1 ms, the resolution
const RISE = 2.2; // times the level before
const FLOOR = 0.01; // below it is silence
const PAUSE = 0.5; // s after an onset before the next can come

class Onset extends AudioWorkletProcessor {
  #level = 0; // of the sound before, slowly following
  #sum = 0;
  #filled = 0;
  #last = -1;

  process([input]) {
    const samples = input[0];
    if (!samples) return true;
    for (let i = 0; i < samples.length; i++) {
      this.#sum += samples[i] * samples[i];
      if (++this.#filled === BLOCK) this.#block((currentFrame + i + 1 - BLOCK) / sampleRate);
    }
    return true;
  }

  #block(at) {
    const rms = Math.sqrt(this.#sum / BLOCK);
    this.#sum = this.#filled = 0;
    if (rms > FLOOR && this.#level > 0 && rms > RISE * this.#level && at - this.#last > PAUSE) {
      this.#last = at;
      this.port.postMessage(at);
    }
    // A burst of 60 ms must not lift it much: the next one has to stand out too.
    this.#level += (rms - this.#level) * 0.004;
  }
}

registerProcessor('onset', Onset);
