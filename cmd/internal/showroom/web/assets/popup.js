// A photo or clip that the advisor shows: it covers the live picture, which goes on small
// in its corner, until the customer closes it.

import {clip, photo} from './viewer.js';
import {label, put} from './words.js';

const TRIES = 3;
const BETWEEN = 700; // ms

export class Popup {
  #wanted = null; // the item that was asked for last

  /** on.shown(item) when it is on the screen. */
  constructor(element, on) {
    this.element = element;
    this.on = on;
    // Around both the photo and the live picture, which moves to its corner just then.
    element.parentElement.addEventListener('click', () => this.close());
    document.addEventListener('keydown', (event) => {
      if (event.key === 'Escape' && this.isOpen) this.close();
    });
  }

  get isOpen() {
    return !this.element.hidden;
  }

  /** Shows an item as soon as it is here, instead of the one before. */
  async show(item) {
    this.#wanted = item;
    for (let tries = 0; tries < TRIES && this.#wanted === item; tries++) {
      const shown = await (item.kind === 'clip' ? loadClip(item) : loadPhoto(item));
      if (shown && this.#wanted === item) return this.#put(shown, item);
      if (!shown) await new Promise((resolve) => setTimeout(resolve, BETWEEN));
    }
  }

  close() {
    this.#wanted = null;
    if (!this.isOpen) return;
    this.element.hidden = true;
    this.#empty();
    delete document.body.dataset.popup;
  }

  #put(shown, item) {
    this.#empty(shown);
    this.element.hidden = false;
    label(this.element, `popup.${item.kind}`);
    put(this.element.querySelector('button span'), `popup.close.${item.kind}`);
    document.body.dataset.popup = item.id;
    shown.play?.().catch(() => {}); // it has a button
    this.on.shown(item);
  }

  // A clip gives its decoder back at once: a phone has few.
  #empty(...next) {
    const place = this.element.querySelector('.shown');
    const before = place.querySelector('video');
    place.replaceChildren(...next);
    before?.removeAttribute('src');
    before?.load();
  }
}

// Decoded before it is put on the page, so that no frame of the live picture waits
// for it.
async function loadPhoto(item) {
  const image = Object.assign(photo(item), {fetchPriority: 'high'});
  try {
    await image.decode();
    return image;
  } catch {
    return null;
  }
}

// Silent, since the advisor speaks, and again and again, until it is closed.
function loadClip(item) {
  const video = Object.assign(clip(item), {controls: false, autoplay: false, muted: true, loop: true});
  return new Promise((resolve) => {
    video.addEventListener('loadeddata', () => resolve(video), {once: true});
    video.addEventListener('error', () => resolve(null), {once: true});
  });
}
