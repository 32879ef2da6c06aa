// The page of advisors and managers: a door, and behind it what goes on.

import {find} from './dom.js';
import {Door} from './door.js';
import {ask, Refusal} from './staff-api.js';
import {appointment, conversation, delivery, rating, Section, session} from './staff-views.js';
import {Language, SENT_DAYS} from './staff-words.js';

const EVERY = 4000; // ms between two looks, while the page is to be seen
const SELDOM = 5; // of so many looks, one is at what changes slowly

const language = new Language();
const sections = {};
for (const id of ['live', 'today', 'sent', 'ratings', 'sessions']) sections[id] = new Section(id, language);

let timer = 0;
let missed = false; // something, at the last look
let round = 0; // answers of an earlier round come too late

// For tests.
const stats = window.brilStaff = {state: 'opening', rounds: 0};

const door = new Door(language, {
  refuses: () => '',
  async open() {
    introduce();
    for (const section of Object.values(sections)) section.say(language.say('loading'));
    await look();
  },
  close() {
    clearTimeout(timer);
    round++;
    for (const section of Object.values(sections)) section.clear();
  },
  state(word) {
    stats.state = word;
    find('showroom-choice').hidden = word !== 'desk' || door.me.showrooms.length < 2;
  },
  look: () => look(),
  translate() {
    if (!door.me) return;
    introduce();
    look();
  },
});

function introduce() {
  find('who').textContent = `${door.me.name}, ${language.say(door.me.role)}`;
  find('ratings').hidden = door.me.role !== 'manager';
  const chosen = find('showroom').value;
  const options = door.me.showrooms.map((s) => new Option(s.title, s.id));
  find('showroom').replaceChildren(new Option(language.say('all'), ''), ...options);
  find('showroom').value = chosen;
}

/** What is shown: the chosen showroom, or all. */
function shown() {
  const chosen = door.me.showrooms.filter((s) => s.id === find('showroom').value);
  return chosen.length ? chosen : door.me.showrooms;
}

/** What a look asks for. */
function questions(all) {
  const query = `showroom=${encodeURIComponent(find('showroom').value)}`;
  const list = [['live', `live?${query}`, showLive], ['today', `today?${query}`, showToday]];
  if (!all) return list;
  list.push(['sent', `media-sent?${query}&days=${SENT_DAYS}`, showSent], ['sessions', 'sessions', showSessions]);
  if (door.me.role === 'manager') list.push(['ratings', `ratings?${query}`, showRatings]);
  return list;
}

async function look({all = true} = {}) {
  clearTimeout(timer);
  const mine = ++round;
  const asked = questions(all);
  const answers = await Promise.allSettled(asked.map(([, path]) => ask('GET', path, {idle: door.idle})));
  if (mine !== round) return;
  if (answers.some((a) => a.reason instanceof Refusal && a.reason.status === 401)) return door.close('ended');
  answers.forEach((a, i) => {
    const [id, , show] = asked[i];
    if (a.status === 'fulfilled') show(a.value);
    else sections[id].fail();
  });
  missed = answers.some((a) => a.status === 'rejected');
  door.reached(answers.some((a) => a.status === 'fulfilled'));
  stats.rounds++;
  timer = setTimeout(again, EVERY);
}

/** A page that nobody sees asks nothing. */
function again() {
  if (door.me && !document.hidden) look({all: stats.rounds % SELDOM === 0 || missed});
}

function showLive({conversations}) {
  sections.live.show(conversations, (c) => conversation(language, door.me.showrooms, c), none('liveEmpty'));
}

function showToday({now, appointments}) {
  const {time_zone: timeZone} = shown()[0] ?? {};
  sections.today.part('date').textContent = language.day(now, timeZone);
  sections.today.show(appointments, (a) => appointment(language, door.me.showrooms, a), none('todayEmpty'));
}

function showSent({deliveries, more}) {
  const failures = deliveries.filter((d) => d.state === 'failed').length;
  sections.sent.show(deliveries, (d) => delivery(language, door.me.showrooms, d), none('sentEmpty'),
    failures ? language.say('failures', {n: failures}) : '');
  if (more) sections.sent.part('empty').textContent = language.say('older');
}

function showRatings({minimum, showrooms}) {
  sections.ratings.show(showrooms, (s) => rating(language, minimum, s), language.say('ratingsEmpty'));
}

function showSessions({sessions: list}) {
  sections.sessions.show(list, (s) => session(language, s, revoke), '');
}

const none = (word) => language.say(door.me.showrooms.length ? word : 'unassigned');

async function revoke(which, button) {
  if (button.ariaDisabled === 'true') return;
  button.ariaDisabled = 'true';
  if (await end(`sessions/${which.id}`)) {
    find('said').textContent = language.say('revoked');
    find('sessions-title').focus();
    await look();
  } else {
    button.ariaDisabled = 'false';
  }
}

/** Says whether the session is over, which it is as well where there was none. */
async function end(path, method = 'DELETE') {
  try {
    await ask(method, path);
    return true;
  } catch (error) {
    if (error instanceof Refusal && [401, 404].includes(error.status)) return true;
    door.trouble(door.refused(error));
    return false;
  }
}

find('logout').addEventListener('click', async () => { if (await end('logout', 'POST')) door.close('left'); });
find('revoke-all').addEventListener('click', async () => { if (await end('sessions')) door.close('left'); });
find('showroom').addEventListener('change', () => look());

await door.begin();
