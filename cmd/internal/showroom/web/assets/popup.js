// A photo that the advisor shows: it covers the live picture, which goes on small
// in its corner, until the customer closes it.

import {title} from './album.js';

const TRIES = 3;
const BETWEEN = 700; // ms

export class Popup {
  #wanted = null; // the item that was asked for last

  /** on.shown(item) when its picture is on the screen. */
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

  /** Shows a photo as soon as it is here, instead of the one before. */
  async show(item) {
    this.#wanted = item;
    for (let tries = 0; tries < TRIES && this.#wanted === item; tries++) {
      const image = await load(item);
      if (image && this.#wanted === item) return this.#put(image, item);
      if (!image) await new Promise((resolve) => setTimeout(resolve, BETWEEN));
    }
  }

  close() {
    this.#wanted = null;
    if (!this.isOpen) return;
    this.element.hidden = true;
    this.element.querySelector('.shown').replaceChildren();
    delete document.body.dataset.popup;
  }

  #put(image, item) {
    this.element.querySelector('.shown').replaceChildren(image);
    this.element.hidden = false;
    document.body.dataset.popup = item.id;
    this.on.shown(item);
  }
}

// Decoded before it is put on the page, so that no frame of the live picture waits
// for it.
async function load(item) {
  const image = new Image();
  Object.assign(image, {alt: title(item), decoding: 'async', fetchPriority: 'high', draggable: false, src: item.url});
  try {
    await image.decode();
    return image;
  } catch {
    return null;
  }
}
