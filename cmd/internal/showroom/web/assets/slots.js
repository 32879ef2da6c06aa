// Days and times that a showroom has free.

import {ask} from './api.js';
import {make} from './dom.js';
import {label, put, time} from './words.js';

const DAYS = 14; // asked for at a time

/** Lets one choose a slot: {start, end}. on.chosen(slot), null while none is. */
export class Slots {
  #slots = [];
  #day = '';
  #from = null; // the first day not asked for yet

  constructor(element, on) {
    this.on = on;
    this.days = make('div', {className: 'choices'});
    this.times = make('div', {className: 'choices'});
    this.note = make('p', {className: 'soft'});
    this.note.role = 'status';
    this.later = make('button', {type: 'button', className: 'quiet', dataset: {t: 'slots.later'}});
    this.later.addEventListener('click', () => this.#more());
    element.replaceChildren(group('slots.day', this.days), this.later, group('slots.time', this.times), this.note);
    put(this.later, 'slots.later');
    document.addEventListener('words', () => this.#draw());
  }

  /** Begins anew, for a showroom {id, time_zone}. */
  async open(showroom) {
    Object.assign(this, {showroom, chosen: null});
    this.#slots = [];
    this.#day = '';
    this.#from = new Date();
    this.on.chosen(null);
    this.days.replaceChildren();
    this.times.replaceChildren();
    await this.#more();
  }

  async #more() {
    const from = dayOf(this.#from, this.showroom.time_zone);
    const showroom = this.showroom;
    const {slots} = await ask('GET', `/api/showrooms/${encodeURIComponent(showroom.id)}/slots?from=${from}&days=${DAYS}`);
    if (showroom !== this.showroom) return;
    this.#from = new Date(this.#from.valueOf() + DAYS * 24 * 3600e3);
    this.#slots.push(...slots);
    this.#draw();
  }

  #draw() {
    if (!this.showroom) return;
    const zone = this.showroom.time_zone;
    const days = [...new Set(this.#slots.map(({start}) => dayOf(start, zone)))];
    const wasIn = document.activeElement?.name;
    if (!days.includes(this.#day)) this.#day = days[0] ?? '';
    this.days.replaceChildren(...days.map((day) => this.#dayChoice(day)));
    this.#drawTimes();
    if (['day', 'time'].includes(wasIn)) document.querySelector(`input[name=${wasIn}]:checked`)?.focus();
    this.#explain(zone, days.length);
  }

  #dayChoice(day) {
    const first = this.#slots.find(({start}) => dayOf(start, this.showroom.time_zone) === day).start;
    const text = time(first, {weekday: 'short', day: 'numeric', month: 'short', timeZone: this.showroom.time_zone});
    return choice('day', day, text, day === this.#day, () => {
      this.#day = day;
      this.chosen = null;
      this.on.chosen(null);
      this.#drawTimes();
    });
  }

  #drawTimes() {
    const zone = this.showroom.time_zone;
    const slots = this.#slots.filter(({start}) => dayOf(start, zone) === this.#day);
    this.times.replaceChildren(...slots.map((slot) => {
      const text = time(slot.start, {hour: 'numeric', minute: '2-digit', timeZone: zone});
      return choice('time', slot.start, text, slot.start === this.chosen?.start, () => {
        this.chosen = slot;
        this.on.chosen(slot);
      });
    }));
  }

  // Times are the showroom's, as in its letters: who is elsewhere is told.
  #explain(zone, days) {
    const here = Intl.DateTimeFormat().resolvedOptions().timeZone;
    const away = days > 0 && this.#slots.some(({start}) => hour(start, zone) !== hour(start, here));
    this.note.hidden = days > 0 && !away;
    if (!this.note.hidden) put(this.note, days > 0 ? 'slots.zone' : 'slots.none', {zone: zone.replace('_', ' ')});
  }
}

function group(key, choices) {
  const name = make('h3');
  put(name, key);
  choices.role = 'radiogroup';
  label(choices, key);
  return make('div', {className: 'group'}, name, choices);
}

function choice(name, value, text, checked, chosen) {
  const input = make('input', {type: 'radio', name, value, checked});
  input.addEventListener('change', chosen);
  return make('label', {className: 'choice'}, input, make('span', {textContent: text}));
}

const hour = (at, zone) => new Intl.DateTimeFormat('en', {timeStyle: 'short', dateStyle: 'short', timeZone: zone}).format(new Date(at));

/** The date in a zone, as YYYY-MM-DD. */
export function dayOf(at, zone) {
  return new Intl.DateTimeFormat('en-CA', {year: 'numeric', month: '2-digit', day: '2-digit', timeZone: zone}).format(new Date(at));
}
