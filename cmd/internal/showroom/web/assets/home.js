// The home page: showrooms, an appointment, a code.

import {ask, Refused, trouble} from './api.js';
import {find} from './dom.js';
import {Form} from './form.js';
import {Slots} from './slots.js';
import {fill, label, language, link, moment, put, speak} from './words.js';

const EVERY = 30000; // ms between two looks at who is free

let showrooms = [];
let booking = null; // the showroom that is booked at
let slot = null;

const slots = new Slots(find('slots'), {chosen});

const STATES = {
  free: ['home.open', true],
  busy: ['home.busy', false],
  opens: ['home.opens', false],
  closed: ['home.closed', false],
};

function stateOf({open, free, opens_at: at}) {
  if (open) return free ? 'free' : 'busy';
  return at ? 'opens' : 'closed';
}

async function refresh() {
  try {
    ({showrooms} = await ask('GET', '/api/showrooms'));
    find('trouble').hidden = true;
    draw();
  } catch (error) {
    put(find('trouble'), ...trouble(error));
    find('trouble').hidden = false;
  }
}

// A card that is there stays where it is: moved, it would lose the focus.
function draw() {
  const list = find('showrooms');
  const cards = new Map([...list.children].map((card) => [card.dataset.id, card]));
  showrooms.forEach((showroom, at) => {
    const card = drawCard(cards.get(showroom.id) ?? newCard(showroom.id), showroom);
    if (list.children[at] !== card) list.insertBefore(card, list.children[at] ?? null);
  });
  while (list.children.length > showrooms.length) list.lastElementChild.remove();
}

function newCard(id) {
  const card = find('showroom').content.firstElementChild.cloneNode(true);
  card.dataset.id = id;
  fill(card);
  card.querySelector('[data-action=book]').addEventListener('click', () => book(showrooms.find((one) => one.id === id)));
  return card;
}

function drawCard(card, showroom) {
  const part = (name) => card.querySelector(name);
  const state = stateOf(showroom);
  const [key, mayTalk] = STATES[state];
  card.dataset.state = state;
  part('h2').textContent = showroom.title;
  put(part('.status'), key, {when: () => moment(showroom.opens_at, showroom.time_zone)});
  const talk = part('[data-action=talk]');
  talk.dataset.to = `/c/now?showroom=${encodeURIComponent(showroom.id)}`;
  talk.href = link(talk.dataset.to);
  talk.hidden = !mayTalk;
  label(card, 'home.showroom', {title: showroom.title});
  part('[data-action=book]').className = mayTalk ? 'quiet' : 'primary';
  return card;
}

async function book(showroom) {
  booking = showroom;
  find('at').textContent = showroom.title;
  find('booked').hidden = true;
  find('booking').hidden = false;
  form.reset();
  find('booking-title').focus();
  find('booking').scrollIntoView({block: 'start'});
  await load();
}

async function load() {
  find('slots-trouble').hidden = true;
  try {
    await slots.open(booking);
  } catch (error) {
    put(find('slots-trouble'), ...trouble(error));
    find('slots-trouble').hidden = false;
  }
}

function chosen(it) {
  slot = it;
  find('when').hidden = !it;
  if (it) put(find('when'), 'home.chosen', {when: () => moment(it.start, booking.time_zone)});
}

const form = new Form(find('details'), async (values) => {
  if (!slot) return form.complain('home.choose');
  try {
    const made = await ask('POST', '/api/appointments', {body: {showroom: booking.id, start: slot.start, locale: language(), ...values}});
    done(made);
  } catch (error) {
    if (!(error instanceof Refused) || error.status !== 409) throw error;
    await load(); // somebody was quicker
    form.complain('home.taken');
  }
});

function done({start, email}) {
  find('booking').hidden = true;
  find('booked').hidden = false;
  put(find('booked-when'), 'home.booked.when', {when: () => moment(start, booking.time_zone), title: booking.title});
  put(find('booked-mail'), 'home.booked.mail', {email});
  find('booked-title').focus();
  find('booked').scrollIntoView({block: 'center'});
}

new Form(find('enter'), async ({code}) => location.assign(link(`/j/${encodeURIComponent(code)}`)));
find('close').addEventListener('click', () => {
  find('booking').hidden = true;
  find('showrooms').querySelector(`[data-id="${CSS.escape(booking.id)}"] [data-action=book]`)?.focus();
});
speak();
refresh();
setInterval(() => document.hidden || refresh(), EVERY);
document.addEventListener('visibilitychange', () => document.hidden || refresh());
