// One photo or clip, large. The dialog is the browser's own: it keeps the focus,
// gives it back, and closes with Escape.

import {title} from './album.js';
import {label, put, word} from './words.js';

const SWIPE = 48; // CSS pixels
const CONTROLS = 96; // CSS pixels at the foot of a clip where a finger means its player

export class Viewer {
  #items = [];
  #at = -1;
  #from = null; // where a finger came down

  constructor(dialog) {
    this.dialog = dialog;
    this.find = (part) => dialog.querySelector(`[data-part=${part}]`);
    this.find('close').addEventListener('click', () => dialog.close());
    this.find('newer').addEventListener('click', () => this.#go(-1));
    this.find('older').addEventListener('click', () => this.#go(1));
    dialog.addEventListener('keydown', (event) => this.#key(event));
    // The event comes later, when the dialog may have been opened again.
    dialog.addEventListener('close', () => this.isOpen || this.#empty());
    const media = this.find('media');
    media.addEventListener('pointerdown', (event) => { this.#from = mayTurn(event) ? event : null; });
    media.addEventListener('pointerup', (event) => this.#swipe(event));
    media.addEventListener('pointercancel', () => { this.#from = null; });
  }

  get isOpen() {
    return this.dialog.open;
  }

  open(item) {
    this.#at = this.#items.findIndex(({id}) => id === item.id);
    if (this.#at < 0) return;
    if (!this.isOpen) this.dialog.showModal();
    this.#show();
  }

  close() {
    if (this.isOpen) this.dialog.close();
  }

  /** The list has changed. What is looked at stays, as long as it exists. */
  setItems(items) {
    const current = this.#items[this.#at];
    this.#items = items;
    if (!this.isOpen) return;
    this.#at = items.findIndex(({id}) => id === current.id);
    if (this.#at < 0) this.close();
    else this.#label();
  }

  #go(by) {
    if (!this.#items[this.#at + by]) return;
    this.#at += by;
    this.#show();
  }

  #show() {
    const item = this.#items[this.#at];
    this.#put(item.kind === 'clip' ? clip(item) : photo(item));
    this.#label();
  }

  #label() {
    const item = this.#items[this.#at];
    put(this.find('title'), ...title(item));
    put(this.find('place'), 'viewer.place', {at: this.#at + 1, of: this.#items.length});
    this.#enable('newer', this.#at > 0);
    this.#enable('older', this.#at < this.#items.length - 1);
    Object.assign(this.find('save'), {href: item.url, download: fileName(item)});
  }

  // A disabled button would lose the focus to the page behind.
  #enable(part, possible) {
    if (!possible && document.activeElement === this.find(part)) this.find('close').focus();
    this.find(part).disabled = !possible;
  }

  #empty() {
    this.#put();
    this.#at = -1;
  }

  // Instead of what was there. A clip gives its decoder back at once: a phone has
  // few, and the live picture needs one.
  #put(...elements) {
    const media = this.find('media');
    const before = media.querySelector('video');
    media.replaceChildren(...elements);
    before?.removeAttribute('src');
    before?.load();
  }

  // In a clip, the arrows are the player's.
  #key(event) {
    if (event.target instanceof HTMLMediaElement || event.altKey || event.ctrlKey || event.metaKey) return;
    if (event.key === 'ArrowLeft') this.#go(-1);
    if (event.key === 'ArrowRight') this.#go(1);
  }

  #swipe(event) {
    const from = this.#from;
    this.#from = null;
    if (!from) return;
    const across = event.clientX - from.clientX;
    if (Math.abs(across) > SWIPE && Math.abs(across) > 2 * Math.abs(event.clientY - from.clientY)) this.#go(across < 0 ? 1 : -1);
  }
}

function mayTurn({isPrimary, pointerType, target, clientY}) {
  if (!isPrimary || pointerType === 'mouse') return false;
  return !(target instanceof HTMLMediaElement) || clientY < target.getBoundingClientRect().bottom - CONTROLS;
}

/** A photo for the page. */
export function photo(item) {
  return Object.assign(new Image(), {alt: word(...title(item)), decoding: 'async', draggable: false, src: item.url});
}

/** A clip, which plays by itself. */
export function clip(item) {
  const video = document.createElement('video');
  label(video, ...title(item));
  return Object.assign(video, {controls: true, autoplay: true, playsInline: true, preload: 'auto', src: item.url});
}

// As the customer finds it again among other files.
function fileName({kind, taken_at: at, url}) {
  const day = /^(\d{4}-\d\d-\d\d)T(\d\d):(\d\d):(\d\d)/.exec(at);
  return ['bril', kind, day && `${day[1]}-${day[2]}${day[3]}${day[4]}`].filter(Boolean).join('-') + url.slice(url.lastIndexOf('.'));
}
