// The switch of the microphone: off by default, and never in doubt.

import {find} from './dom.js';
import {Level} from './level.js';
import {Talk} from './talk.js';
import {announce, put} from './words.js';

const HINT = 12000; // ms that a problem stays on the screen

export class Microphone {
  #button = find('microphone');
  #hint = 0;
  #silent = false;

  /** changed(on) when the customer is heard, or not any more. */
  constructor(endpoint, changed) {
    this.changed = changed;
    this.talk = new Talk(endpoint, {state: (state, problem) => this.#show(state, problem)});
    this.level = new Level((level) => this.#button.style.setProperty('--level', level.toFixed(3)), (silent) => this.#hush(silent));
    this.#button.addEventListener('click', () => this.#toggle());
  }

  /** Whether it is on, or will be at once. */
  get isOn() {
    return this.talk.state !== 'off';
  }

  /** Whether the browser has any: not in a page without TLS off this machine. */
  static isPossible() {
    return Boolean(navigator.mediaDevices?.getUserMedia);
  }

  offer(possible) {
    this.#button.hidden = !possible;
  }

  turnOff() {
    this.talk.turnOff();
  }

  #toggle() {
    if (this.isOn) this.talk.turnOff();
    else this.talk.turnOn();
  }

  #show(state, problem) {
    this.#button.ariaPressed = String(state === 'on');
    this.#button.dataset.state = document.body.dataset.microphone = state;
    put(find('microphone-label'), `microphone.${state}`);
    if (state === 'on' && !this.heard) announce('microphone.said.on');
    if (state === 'off' && !problem && this.heard) announce('microphone.said.off');
    if (problem) this.#explain(problem);
    else if (state !== 'off') this.#explain(null);
    if (state === 'off') this.level.stop();
    if (state === 'connecting' && this.level.stream !== this.talk.stream) this.level.follow(this.talk.stream);
    this.heard = state === 'on';
    this.changed(this.heard);
  }

  #hush(silent) {
    if (silent === this.#silent) return;
    this.#silent = silent;
    this.#explain(silent ? 'microphone.silent' : null);
  }

  // On the screen for a while, and said.
  #explain(key) {
    clearTimeout(this.#hint);
    find('hint').hidden = !key;
    if (!key) return;
    put(find('hint'), key);
    this.#hint = setTimeout(() => { find('hint').hidden = true; }, HINT);
  }
}
