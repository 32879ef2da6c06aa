/** Waits between attempts: doubling from first to longest (ms), with jitter. */
export class Backoff {
  #tries = 0;

  constructor(first, longest) {
    this.first = first;
    this.longest = longest;
  }

  next() {
    const wait = Math.min(this.longest, this.first * 2 ** this.#tries++);
    return wait * (0.75 + Math.random() / 2);
  }

  reset() {
    this.#tries = 0;
  }
}
