// All that a customer reads, in Dutch, German and English: one catalogue each, and
// no word anywhere else. An element keeps the key of its text, so that a change of
// language needs no reload, which would end a conversation.

import {make} from './dom.js';
import de from './words.de.js';
import en from './words.en.js';
import nl from './words.nl.js';

const CATALOGUES = {nl, de, en};
const REGIONS = {nl: 'nl-NL', de: 'de-DE', en: 'en-GB'}; // where the browser names none

const values = new WeakMap(); // of an element's text
const asked = () => new URLSearchParams(location.search).get('lang');

let current = choose(asked(), navigator.languages);

/** The language: the one asked for, else the first that the browser prefers, else English. */
export function choose(wanted, preferred) {
  const known = (tag) => Object.hasOwn(CATALOGUES, tag);
  const base = (tag) => tag.toLowerCase().split('-')[0];
  return [wanted ?? '', ...preferred].map(base).find(known) ?? 'en';
}

/** nl, de or en. */
export const language = () => current;

/** A text. {name} in it is what with.name is, or what it returns. */
export function word(key, values = {}) {
  return CATALOGUES[current][key].replace(/\{(\w+)\}/g, (_, name) => {
    const value = values[name];
    return typeof value === 'function' ? value() : value;
  });
}

/** Gives an element a text, also when the language changes. */
export function put(element, key, filling) {
  element.dataset.t = key;
  values.set(element, filling);
  draw(element);
}

/** Gives an element an accessible name, likewise. */
export function label(element, key, filling) {
  element.dataset.label = key;
  values.set(element, filling);
  draw(element);
}

/** Says a text to those who hear the page; the same again, too. */
export function announce(key, filling) {
  const said = document.getElementById('said');
  said.textContent = '';
  put(said, key, filling);
}

/** Fills in the texts below root, which say which they are. */
export function fill(root = document) {
  root.querySelectorAll('[data-t], [data-label], [data-to]').forEach(draw);
}

function draw(element) {
  const {t, label, to} = element.dataset;
  const text = t && word(t, values.get(element));
  if (t && element.textContent !== text) element.textContent = text; // the same again would be read out again
  if (label) element.ariaLabel = word(label, values.get(element));
  if (to) element.href = link(to);
}

/** The address of another page of ours, in the language that was asked for. */
export function link(path) {
  return asked() ? `${path}${path.includes('?') ? '&' : '?'}lang=${current}` : path;
}

/** Fills the page and its switch of languages. Those who put texts together themselves listen to "words". */
export function speak(list = document.getElementById('languages')) {
  for (const tag of Object.keys(CATALOGUES)) {
    const button = make('button', {type: 'button', lang: tag, textContent: tag.toUpperCase()});
    button.ariaLabel = `${tag.toUpperCase()}, ${CATALOGUES[tag]['language.name']}`;
    button.addEventListener('click', () => use(tag));
    list.append(button);
  }
  show(list);
  document.addEventListener('words', () => show(list));
}

function use(tag) {
  current = tag;
  const here = new URL(location.href);
  here.searchParams.set('lang', tag);
  history.replaceState(null, '', here);
  document.dispatchEvent(new Event('words'));
}

function show(list) {
  document.documentElement.lang = current;
  for (const button of list.children) button.ariaPressed = String(button.lang === current);
  fill();
}

// As the customer writes dates: the browser's own region, where it has the language.
function region() {
  return navigator.languages.find((tag) => tag.toLowerCase().startsWith(`${current}-`)) ?? REGIONS[current];
}

/** A moment, by the options of Intl.DateTimeFormat. */
export function time(at, options) {
  return new Intl.DateTimeFormat(region(), options).format(new Date(at));
}

/** A day and the time of day: "Tuesday 1 December at 14:30". */
export function moment(at, zone) {
  return time(at, {weekday: 'long', day: 'numeric', month: 'long', hour: 'numeric', minute: '2-digit', timeZone: zone});
}
