// One appointment, opened from its e-mail: see, move, cancel. The token is in the
// fragment, which no server sees, and goes in a header.

import {ask, Refused, trouble} from './api.js';
import {find} from './dom.js';
import {Slots} from './slots.js';
import {moment, put, speak} from './words.js';

const token = location.hash.slice(1);
let showroom = null;
let slot = null;

const slots = new Slots(find('slots'), {chosen: (it) => {
  slot = it;
  find('move').ariaDisabled = String(!it);
}});

async function open() {
  try {
    draw(await ask('GET', '/api/appointment', {token}));
  } catch (error) {
    if (error instanceof Refused && [400, 401, 403, 404].includes(error.status)) return say('appointment.unknown');
    say(...trouble(error));
  }
}

function draw({showroom: id, time_zone: zone, title, start, state, name}) {
  showroom = {id, time_zone: zone};
  put(find('when'), 'appointment.when', {when: () => moment(start, zone)});
  find('where').textContent = title;
  find('name').textContent = name;
  find('facts').hidden = false;
  find('actions').hidden = state !== 'booked';
  find('change').hidden = true;
  if (state !== 'booked') say(`appointment.${state}`);
}

function say(key, values) {
  put(find('said'), key, values);
  find('said').hidden = false;
}

async function attempt(action) {
  find('said').hidden = true;
  try {
    await action();
  } catch (error) {
    if (error instanceof Refused && error.status === 409) {
      await open(); // which may have more to say
      if (find('said').hidden) say('appointment.conflict');
      return;
    }
    say(...trouble(error));
  }
}

find('show').addEventListener('click', () => attempt(async () => {
  find('change').hidden = false;
  find('change-title').focus();
  await slots.open(showroom);
}));

find('move').addEventListener('click', () => slot && attempt(async () => {
  const moved = await ask('PUT', '/api/appointment', {token, body: {start: slot.start}});
  await (moved ? draw(moved) : open());
  say('appointment.moved');
  find('title').focus();
}));

find('keep').addEventListener('click', () => {
  find('change').hidden = true;
  find('show').focus();
});

find('cancel').addEventListener('click', () => find('sure').showModal());
find('no').addEventListener('click', () => find('sure').close());
find('yes').addEventListener('click', () => attempt(async () => {
  find('sure').close();
  await ask('DELETE', '/api/appointment', {token});
  find('actions').hidden = find('change').hidden = true;
  say('appointment.cancelled');
  find('title').focus();
}));

addEventListener('hashchange', () => location.reload());
speak();
open();
