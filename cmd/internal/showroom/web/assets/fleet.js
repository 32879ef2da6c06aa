// The page of the fleet's managers: what runs where, and why. Nothing is signed here:
// it can hold a rollout and let it go on, no more.

import {Backoff} from './backoff.js';
import {find, make} from './dom.js';
import {Door} from './door.js';
import {ask, Refusal} from './staff-api.js';
import {audience, bundle, chip, COLUMNS, detail, entry, glance, row, wave} from './fleet-views.js';
import {Language} from './fleet-words.js';

const EVERY = 3000; // ms between two looks, while the page is to be seen
const PAGE = 50; // rows at once: a table of thousands is none, and nobody wants to load it
const TYPING = 250; // ms after which what is typed is searched for
const ENTRIES = 20; // of the audit

const language = new Language();
const backoff = new Backoff(EVERY, 30_000);

let timer = 0;
let typing = 0;
let round = 0;
let overview = null;
let filter = 'total';
let rows = PAGE;
let opened = ''; // the device whose detail is shown
let newest = null; // the rollout that is shown
const drawn = {}; // what each part shows, so that only what changes is drawn anew

// For tests.
const stats = window.brilFleet = {state: 'opening', rounds: 0};

const fleet = (path, options = {}) => ask(options.method ?? 'GET', path, {...options, base: '/api/fleet'});

const door = new Door(language, {
  refuses: (me) => (me.role === 'manager' ? '' : 'managers'),
  async open(me) {
    find('who').textContent = me.name;
    await look();
  },
  close() {
    clearTimeout(timer);
    clearTimeout(typing);
    round++;
    for (const dialog of document.querySelectorAll('dialog')) dialog.close();
    for (const part of Object.keys(drawn)) delete drawn[part];
    for (const part of ['glance', 'waves', 'rows', 'bundles', 'entries', 'detail-body']) find(part).replaceChildren(); // nobody reads on after a logout
  },
  state(word) { stats.state = word; },
  look: () => look(),
  translate() {
    const chosen = find('sort').value;
    introduce();
    find('sort').value = chosen;
    if (door.me) look();
  },
});

async function look() {
  clearTimeout(timer);
  const mine = ++round;
  const {idle} = door;
  try {
    const answers = await Promise.all([
      fleet('', {idle}), fleet(`/devices?${asked()}`, {idle}), fleet(`/audit?last=${ENTRIES}`, {idle}), opened && detailOf(opened, idle),
    ]);
    if (mine !== round) return;
    show(...answers);
    door.reached(true);
    backoff.reset();
    timer = setTimeout(again, EVERY);
  } catch (error) {
    if (mine !== round) return;
    if (error instanceof Refusal && error.status === 401) return door.close('ended');
    if (error instanceof Refusal && error.status === 503) door.trouble(language.say('noFleet'));
    else door.reached(false);
    timer = setTimeout(again, backoff.next());
  }
  stats.rounds++;
}

/** All of one device; null once it is no more. */
async function detailOf(device, idle) {
  try {
    return await fleet(`/devices/${device}`, {idle});
  } catch (error) {
    if (!(error instanceof Refusal && error.status === 404)) throw error;
    find('detail').close();
    return null;
  }
}

/** Which devices are looked at: no more than are shown, of however many there are. */
function asked() {
  const query = {limit: rows, sort: find('sort').value, text: find('search').value.trim()};
  if (filter !== 'total') query.status = filter;
  return new URLSearchParams(query);
}

/** Looks at others. */
function choose() {
  rows = PAGE;
  return look();
}

/** A page that nobody sees asks nothing. */
function again() {
  if (door.me && !document.hidden) look();
}

/** Draws a part, when what it shows has changed, such as how many minutes ago it was. */
function draw(part, value, how) {
  const state = JSON.stringify([language.tag, Math.floor(Date.now() / 60_000), value]);
  if (drawn[part] === state) return;
  drawn[part] = state;
  how();
}

function show(now, devices, audit, one) {
  overview = now;
  const bundles = now.rollouts;
  find('desk-title').textContent = language.say('fleet', {name: now.fleet});
  showGlance();
  showRollout(bundles[0] ?? null);
  showDevices(devices);
  draw('bundles', bundles, () => {
    find('bundles').replaceChildren(...bundles.map((b) => bundle(language, b)));
    find('no-bundles').textContent = bundles.length ? '' : language.say('noBundles');
  });
  const entries = audit.entries.reverse();
  draw('audit', [entries, audit.intact], () => {
    find('entries').replaceChildren(...entries.map((e) => entry(language, e)));
    chip(find('intact'), audit.intact ? 'done' : 'stopped', language.say(audit.intact ? 'intact' : 'tampered'));
  });
  find('command').textContent = `showroom fleet push --config fleet.yaml --server ${location.origin} --token-file token --key fleet.key --reason "\u2026" --watch`;
  if (one) showDetail(one);
}

function showGlance() {
  draw('glance', [overview.devices, filter], () => {
    const focused = document.activeElement?.dataset?.filter;
    find('glance').replaceChildren(...glance(language, overview.devices, filter, (word) => {
      filter = filter === word ? 'total' : word;
      showGlance();
      choose();
    }));
    if (focused) find('glance').querySelector(`[data-filter=${focused}]`)?.focus();
  });
}

function showRollout(r) {
  newest = r;
  draw('rollout', r, () => {
    find('rollout-state').hidden = !r;
    find('rollout-text').textContent = r
      ? language.say('rolloutText', {n: r.serial, audience: audience(r.audience), author: r.author, time: language.moment(r.created), reason: r.reason})
      : language.say('noRollout');
    find('rollout-why').textContent = r?.why ?? '';
    find('waves').replaceChildren(...(r?.waves ?? []).map((w) => wave(language, w)));
    if (r) chip(find('rollout-state'), r.state, language.say(r.state));
    find('turn').hidden = !r || !['running', 'paused', 'stopped'].includes(r.state);
    find('turn').textContent = language.say(r?.state === 'running' ? 'pause' : 'resume');
  });
}

function showDevices({devices: list, found}) {
  const all = overview.devices.total;
  draw('devices', [list, found, all], () => {
    const focused = document.activeElement?.closest('tr')?.dataset.device;
    find('rows').replaceChildren(...list.map((d) => row(language, d, openDetail)));
    if (focused) find('rows').querySelector(`[data-device="${CSS.escape(focused)}"] .link`)?.focus();
    find('shown').textContent = language.say('shown', {n: found, all});
    find('empty').textContent = found ? '' : language.say(all ? 'none' : 'noDevices');
    find('more').hidden = found <= list.length;
    find('more').textContent = language.say('more', {n: Math.min(PAGE, found - list.length)});
  });
}

async function openDetail(device) {
  opened = device;
  delete drawn.detail;
  try {
    showDetail(await fleet(`/devices/${device}`));
    find('detail').showModal();
    find('detail-title').focus();
  } catch (error) {
    opened = '';
    find('said').textContent = door.refused(error);
  }
}

function showDetail(d) {
  draw('detail', d, () => {
    find('detail-title').textContent = d.name;
    find('detail-body').replaceChildren(...detail(language, d));
  });
}

/** Asks why, and pauses the rollout or has it go on. */
function askTurn() {
  const pause = newest.state === 'running';
  find('ask-title').textContent = language.say(pause ? 'pauseTitle' : 'resumeTitle', {n: newest.serial});
  find('yes').textContent = language.say(pause ? 'pause' : 'resume');
  find('ask').dataset.path = `/rollouts/${newest.serial}/${pause ? 'pause' : 'resume'}`;
  find('reason').value = '';
  find('ask-wrong').textContent = '';
  find('ask').showModal();
  find('reason').focus();
}

async function turn(event) {
  event.preventDefault();
  const reason = find('reason').value.trim();
  if (!reason) return void (find('ask-wrong').textContent = language.say('needReason'));
  try {
    await fleet(find('ask').dataset.path, {method: 'POST', body: {reason}});
    find('ask').close();
    find('said').textContent = language.say('told');
    await look();
  } catch (error) {
    find('ask-wrong').textContent = door.refused(error);
  }
}

function introduce() {
  find('sort').replaceChildren(...COLUMNS.slice(0, -1).map((word) => new Option(language.say(word), word)));
  find('head').replaceChildren(...COLUMNS.map((word) => make('th', {scope: 'col', textContent: language.say(word)})));
  find('search').placeholder = language.say('search');
}

find('logout').addEventListener('click', async () => {
  try {
    await ask('POST', 'logout');
  } catch (error) {
    if (!(error instanceof Refusal && error.status === 401)) return door.trouble(door.refused(error));
  }
  door.close('left');
});
find('search').addEventListener('input', () => {
  clearTimeout(typing);
  typing = setTimeout(choose, TYPING);
});
find('sort').addEventListener('change', choose);
find('more').addEventListener('click', () => { rows += PAGE; look(); });
find('turn').addEventListener('click', askTurn);
find('ask-form').addEventListener('submit', turn);
find('no').addEventListener('click', () => find('ask').close());
find('close').addEventListener('click', () => find('detail').close());
find('detail').addEventListener('close', () => { opened = ''; });
find('copy').addEventListener('click', async () => {
  await navigator.clipboard.writeText(find('command').textContent);
  find('said').textContent = language.say('copied');
});

introduce();
await door.begin();
