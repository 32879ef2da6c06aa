// The page of advisors and managers: a door, and behind it what goes on.

import {ask, Refusal} from './staff-api.js';
import {appointment, conversation, delivery, rating, Section, session} from './staff-views.js';
import {Language, SENT_DAYS} from './staff-words.js';

const EVERY = 4000; // ms between two looks, while the page is to be seen
const SELDOM = 5; // of so many looks, one is at what changes slowly
const TOUCHED = 60_000; // ms for which somebody counts as there after a touch

const find = (id) => document.getElementById(id);
const language = new Language();
const sections = {};
for (const id of ['live', 'today', 'sent', 'ratings', 'sessions']) sections[id] = new Section(id, language);

let me = null; // who is logged in
let why = ''; // the door says so
let touchedAt = 0;
let seenAt = 0; // when the server last answered, Unix ms
let timer = 0;
let missed = false; // something, at the last look
let round = 0; // answers of an earlier round come too late

// For tests.
const stats = window.brilStaff = {state: 'opening', rounds: 0};

function enter(state) {
  stats.state = document.body.dataset.state = state;
  find('door').hidden = state !== 'door';
  find('desk').hidden = state !== 'desk';
  find('logout').hidden = find('who').hidden = state !== 'desk';
  find('showroom-choice').hidden = state !== 'desk' || me.showrooms.length < 2;
}

function door(reason = '') {
  clearTimeout(timer);
  round++;
  me = null;
  why = reason;
  for (const section of Object.values(sections)) section.clear();
  find('who').textContent = '';
  find('offline').hidden = true;
  find('password').value = '';
  wrong('');
  enter('door');
  sayWhy();
  find(find('name').value ? 'password' : 'name').focus();
}

function sayWhy() {
  find('why').hidden = !why;
  find('why').textContent = why && language.say(why);
}

function wrong(text) {
  find('wrong').textContent = text;
  for (const id of ['name', 'password']) find(id).setAttribute('aria-invalid', String(Boolean(text)));
}

async function login(event) {
  event.preventDefault();
  const button = find('enter');
  if (button.ariaDisabled === 'true') return;
  const name = find('name').value.trim();
  const password = find('password').value;
  if (!name || !password) return void wrong(language.say('missing'));
  wrong('');
  button.ariaDisabled = 'true';
  button.textContent = language.say('entering');
  try {
    await ask('POST', 'login', {body: {name, password}});
    why = '';
    await open();
    find('desk-title').focus();
  } catch (error) {
    wrong(refused(error));
    find('password').select();
  } finally {
    button.ariaDisabled = 'false';
    button.textContent = language.say('enter');
  }
}

function refused(error) {
  if (!(error instanceof Refusal)) return language.say('unreachable');
  if (error.status === 401) return language.say('wrong');
  if (error.status === 429) return language.say('patience', {time: language.span(error.retryAfter || 30)});
  if (error.status === 503 && error.retryAfter) return language.say('busy');
  return language.say('failed', {detail: error.message});
}

/** Shows the desk, when the session's cookie is good. */
async function open() {
  me = await ask('GET', 'me');
  find('password').value = '';
  touchedAt = Date.now();
  introduce();
  enter('desk');
  for (const section of Object.values(sections)) section.say(language.say('loading'));
  await look();
}

function introduce() {
  find('who').textContent = `${me.name}, ${language.say(me.role)}`;
  find('ratings').hidden = me.role !== 'manager';
  const chosen = find('showroom').value;
  const options = me.showrooms.map((s) => new Option(s.title, s.id));
  find('showroom').replaceChildren(new Option(language.say('all'), ''), ...options);
  find('showroom').value = chosen;
}

/** What is shown: the chosen showroom, or all. */
function shown() {
  const chosen = me.showrooms.filter((s) => s.id === find('showroom').value);
  return chosen.length ? chosen : me.showrooms;
}

/** What a look asks for. */
function questions(all) {
  const query = `showroom=${encodeURIComponent(find('showroom').value)}`;
  const list = [['live', `live?${query}`, showLive], ['today', `today?${query}`, showToday]];
  if (!all) return list;
  list.push(['sent', `media-sent?${query}&days=${SENT_DAYS}`, showSent], ['sessions', 'sessions', showSessions]);
  if (me.role === 'manager') list.push(['ratings', `ratings?${query}`, showRatings]);
  return list;
}

async function look({all = true} = {}) {
  clearTimeout(timer);
  const mine = ++round;
  const idle = Date.now() - touchedAt > TOUCHED;
  const asked = questions(all);
  const answers = await Promise.allSettled(asked.map(([, path]) => ask('GET', path, {idle})));
  if (mine !== round) return;
  if (answers.some((a) => a.reason instanceof Refusal && a.reason.status === 401)) return door('ended');
  answers.forEach((a, i) => {
    const [id, , show] = asked[i];
    if (a.status === 'fulfilled') show(a.value);
    else sections[id].fail();
  });
  missed = answers.some((a) => a.status === 'rejected');
  reached(answers.some((a) => a.status === 'fulfilled'));
  stats.rounds++;
  timer = setTimeout(again, EVERY);
}

/** A page that nobody sees asks nothing. */
function again() {
  if (me && !document.hidden) look({all: stats.rounds % SELDOM === 0 || missed});
}

function reached(yes) {
  if (yes) seenAt = Date.now();
  find('offline').hidden = yes;
  const text = yes ? '' : language.say('offline', {time: seenAt ? language.clock(seenAt) : '\u2013'});
  if (find('offline').textContent !== text) find('offline').textContent = text;
}

function showLive({conversations}) {
  sections.live.show(conversations, (c) => conversation(language, me.showrooms, c), none('liveEmpty'));
}

function showToday({now, appointments}) {
  const {time_zone: timeZone} = shown()[0] ?? {};
  sections.today.part('date').textContent = language.day(now, timeZone);
  sections.today.show(appointments, (a) => appointment(language, me.showrooms, a), none('todayEmpty'));
}

function showSent({deliveries, more}) {
  const failures = deliveries.filter((d) => d.state === 'failed').length;
  sections.sent.show(deliveries, (d) => delivery(language, me.showrooms, d), none('sentEmpty'),
    failures ? language.say('failures', {n: failures}) : '');
  if (more) sections.sent.part('empty').textContent = language.say('older');
}

function showRatings({minimum, showrooms}) {
  sections.ratings.show(showrooms, (s) => rating(language, minimum, s), language.say('ratingsEmpty'));
}

function showSessions({sessions: list}) {
  sections.sessions.show(list, (s) => session(language, s, revoke), '');
}

const none = (word) => language.say(me.showrooms.length ? word : 'unassigned');

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
    find('offline').hidden = false;
    find('offline').textContent = refused(error);
    return false;
  }
}

find('login').addEventListener('submit', login);
find('logout').addEventListener('click', async () => { if (await end('logout', 'POST')) door('left'); });
find('revoke-all').addEventListener('click', async () => { if (await end('sessions')) door('left'); });
find('showroom').addEventListener('change', () => look());
find('language').addEventListener('change', () => {
  language.choose(find('language').value);
  sayWhy();
  wrong('');
  if (!me) return;
  introduce();
  look();
});
for (const touch of ['pointerdown', 'keydown', 'wheel']) addEventListener(touch, () => { touchedAt = Date.now(); }, {passive: true});
document.addEventListener('visibilitychange', () => { if (me && !document.hidden) look(); });

find('language').value = language.tag;
try {
  await open();
} catch (error) {
  door();
  if (!(error instanceof Refusal && error.status === 401)) wrong(refused(error));
}
