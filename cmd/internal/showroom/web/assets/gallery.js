// The photos and clips of the conversation: the tray below the picture, what opens
// from it, and what the advisor shows at once.

import {Album, title} from './album.js';
import {find} from './dom.js';
import {minutes, poster} from './poster.js';
import {Popup} from './popup.js';
import {Viewer} from './viewer.js';
import {announce, label, put, word} from './words.js';

const RECENT = 30000; // ms without the server after which nothing that was missed pops up

export class Gallery {
  #album;
  #popup;
  #viewer;
  #tiles = new Map(); // by item id
  #known = null; // ids of the last list; null before the first
  #shown = new Set(); // ids that have popped up
  #resting = false;
  #lostAt = 0; // when the server was lost; 0 while it is there
  #missed = false; // whether what is new in the next list should have popped up
  #near = new IntersectionObserver((entries) => this.#appear(entries), {rootMargin: '200px'});

  /** stats takes what a test or support wants to know. */
  constructor(name, stats) {
    this.stats = stats;
    this.#album = new Album(name, {list: (items) => this.#list(items)});
    this.#viewer = new Viewer(find('viewer'));
    this.#popup = new Popup(find('popup'), {shown: (item) => this.#isShown(item)});
  }

  /** What there is, newest first. */
  get items() {
    return [...find('items').children].map(({item}) => item);
  }

  /** A small picture of an item, for another place; null while there is none. */
  picture(id) {
    const shown = this.#tiles.get(id)?.querySelector('img, canvas');
    if (!shown) return null;
    if (shown instanceof HTMLImageElement) return Object.assign(new Image(), {alt: '', src: shown.src});
    const copy = shown.cloneNode();
    copy.getContext('2d').drawImage(shown, 0, 0);
    return copy;
  }

  /** The stream of events stands. Whatever came before it is in the list. */
  connected() {
    this.#missed = this.#mayMiss();
    this.#lostAt = 0;
    this.#album.refresh();
  }

  offline() {
    this.#lostAt ||= Date.now();
  }

  /** The server has stored something: {items, show}. */
  heard({show}) {
    if (show) this.#pop(show);
    this.#album.refresh();
  }

  // The list may come back before the events do.
  #mayMiss() {
    return this.#missed || this.#lostAt > 0 && Date.now() - this.#lostAt < RECENT;
  }

  /** The conversation is over: what comes now is in the tray, and in nobody's way. */
  rest() {
    this.#popup.close();
    this.#resting = true;
  }

  /** The conversation may not be watched any more. */
  close() {
    this.#popup.close();
    this.#list([]);
  }

  #pop(item) {
    if (this.#resting || this.#shown.has(item.id)) return;
    this.#shown.add(item.id);
    this.#popup.show(item);
  }

  #isShown(item) {
    this.#viewer.close();
    const video = find('picture');
    if (video.webkitDisplayingFullscreen) video.webkitExitFullscreen(); // iPhone
    announce(item.kind === 'clip' ? 'popup.said.clip' : 'popup.said.photo');
    this.stats.shown.push(item.id);
  }

  #list(items) {
    const added = this.#known ? items.filter(({id}) => !this.#known.has(id)) : [];
    const missed = this.#mayMiss() && added.find(({show}) => show);
    this.#missed = false;
    this.#known = new Set(items.map(({id}) => id));
    this.#draw(items);
    this.#viewer.setItems(items);
    Object.assign(this.stats, {listed: true, items: items.length});
    if (missed) this.#pop(missed);
    else if (added.some(({id}) => !this.#shown.has(id))) announce('tray.new', {what: () => word(...title(added[0]))});
  }

  #draw(items) {
    for (const [id, tile] of this.#tiles) {
      if (this.#known.has(id)) continue;
      this.#near.unobserve(tile);
      tile.remove();
      this.#tiles.delete(id);
    }
    const list = find('items');
    items.forEach((item, at) => {
      if (!this.#tiles.has(item.id)) this.#tiles.set(item.id, this.#tile(item));
      const tile = this.#tiles.get(item.id);
      if (tile.empty) this.#fill(tile);
      if (list.children[at] !== tile) list.insertBefore(tile, list.children[at] ?? null);
    });
    find('count').textContent = items.length;
    put(find('taken'), items.length > 0 ? 'tray.some' : 'tray.none');
    find('taken').hidden = false;
    find('tray').hidden = items.length === 0;
    document.body.toggleAttribute('data-tray', items.length > 0);
  }

  #tile(item) {
    const tile = find(item.kind === 'clip' ? 'clip-tile' : 'photo-tile').content.firstElementChild.cloneNode(true);
    const button = tile.firstElementChild;
    label(button, ...title(item));
    button.addEventListener('click', () => {
      this.#popup.close();
      this.#viewer.open(item);
    });
    return Object.assign(tile, {item, empty: true});
  }

  // Again with each list, as long as it fails.
  #fill(tile) {
    tile.empty = false;
    if (tile.item.kind === 'clip') {
      this.#near.observe(tile);
      return;
    }
    const image = tile.querySelector('img');
    image.onerror = () => { tile.empty = true; };
    image.src = tile.item.url;
  }

  #appear(entries) {
    for (const {isIntersecting, target} of entries) {
      if (!isIntersecting) continue;
      this.#near.unobserve(target);
      this.#poster(target);
    }
  }

  async #poster(tile) {
    const {canvas, duration} = await poster(tile.item.url);
    tile.empty = !canvas;
    if (canvas) tile.firstElementChild.prepend(canvas);
    if (duration === null) return;
    label(tile.firstElementChild, 'item.long', {what: () => word(...title(tile.item)), length: minutes(duration)});
    tile.querySelector('.length').textContent = minutes(duration);
  }
}
